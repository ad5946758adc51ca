#include "engine/search.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/column_wave.h"
#include "engine/matches.h"
#include "engine/query_search.h"
#include "engine/raw_vectors.h"
#include "engine/row_metadata.h"
#include "engine/wave_scan.h"

namespace s3v {
namespace {

// Columns are read before codes where these would be read in vain for such a part of their bytes; of the second step a
// greater one.
constexpr double kWorthAWave = 0.2;
constexpr double kWorthASecondWave = 0.4;

// Columns of further lists that come in the same wave: such a part of the codes of those wanted, at least so much.
constexpr uint64_t kCodesToColumns = 8;
constexpr uint64_t kLeastColumnBytes = 64u << 10;

}  // namespace

class Search::Impl {
 public:
  Impl(std::shared_ptr<const Navigation> navigation, std::span<const float> queries, const SearchOptions& options,
       ObjectStore& store)
      : navigation_(std::move(navigation)), options_(options), store_(store), raw_(*navigation_, store) {
    const AssignmentSpace& space = navigation_->base->space;
    const auto refuse = [](const std::string& message) { throw Error(Code::kInvalidArgument, message); };
    if (queries.empty() || queries.size() % space.dimensions != 0) {
      refuse("query has " + std::to_string(queries.size()) + " dimensions, index has " +
             std::to_string(space.dimensions));
    }
    if (!AllFinite(queries)) refuse("the query has elements that are not finite");
    if (options.filter != nullptr) {
      if (options.filter->columns().back() >= navigation_->shape.metadata_columns)
        refuse("the index has no such metadata column to filter by");
      matches_ = std::make_unique<Matches>(*navigation_, *options.filter);
      scope_.matches = matches_.get();
    }
    for (size_t at = 0; at < queries.size(); at += space.dimensions) {
      const std::span<const float> query = queries.subspan(at, space.dimensions);
      if (space.metric == Metric::kCosine && std::ranges::all_of(query, [](float x) { return x == 0; }))
        refuse("a zero vector has no cosine distance");
      queries_.push_back(std::make_unique<QuerySearch>(*navigation_, query, options_, matches_.get()));
    }
  }

  size_t query_count() const { return queries_.size(); }

  std::vector<Candidate> Next(size_t number, size_t count, double worst, Stop& stop) {
    if (!is_started_) Start(stop);
    QuerySearch& query = *queries_[number];
    Candidates& candidates = query.scan.candidates;
    const double worst_score = ScoreOf(worst);
    const LocalReads reading(&store_);
    std::vector<Candidate> found;
    while (found.size() < count) {
      const float bound = candidates.next_bound();
      const bool has_waiting = bound <= worst_score && candidates.waiting() > 0;
      const double nearest = has_waiting ? std::min(worst, DistanceOf(bound)) : worst;
      // Bounds are not certain: as many are measured as would be handed out without raw vectors.
      const bool are_enough = !has_waiting || found.size() + query.measured.size() >= count;
      if (are_enough && !query.measured.empty() && query.measured.top().lower_bound <= nearest) {
        found.push_back(query.measured.top());
        query.measured.pop();
      } else if (has_waiting && options_.raw_from_store && raw_.exist()) {
        MeasureAll(query, count - found.size(), worst_score, stop);
      } else if (has_waiting) {
        stop.Check();
        const auto kept = candidates.Take();
        if (!MeasureLocal(query, *kept)) found.push_back(AsCoded(*kept));
      } else if (!MayHaveDropped(candidates, worst_score) || !ReadAgain(query, count - found.size(), stop)) {
        break;
      }
    }
    return found;
  }

  bool Widen(size_t number, Stop& stop) {
    if (!is_started_) {
      Start(stop);
      return queries_[number]->read() > 0;
    }
    QuerySearch& query = *queries_[number];
    if (query.HasAllOfOnly()) return false;
    return ReadLists({{&query, 2 * std::max<size_t>(query.read(), 1)}}, stop);
  }

  std::vector<Bytes> ReadMetadata(std::span<const EntryPlace> places, Stop& stop) {
    return s3v::ReadMetadata(*navigation_, places, options_.in_flight_bytes, store_, stop);
  }

  SearchStats stats() const {
    SearchStats stats{.lists_total = navigation_->list_sizes.size(), .budget_reached = budget_reached_};
    stats.exhausted = true;
    for (const auto& query : queries_) {
      stats.entries_scanned += query->scan.scanned;
      stats.entries_scored += query->scan.scored;
      stats.entries_matched += query->scan.matched;
      stats.exhausted = stats.exhausted && query->is_exhausted();
    }
    stats.lists_probed = static_cast<uint64_t>(std::ranges::count(is_probed_, true));
    return stats;
  }

 private:
  // A query, and how many lists it wants to have read.
  struct Want {
    QuerySearch* query;
    size_t lists;
  };

  void Start(Stop& stop) {
    is_probed_.resize(navigation_->list_sizes.size());
    for (;;) {
      std::vector<Want> wants;
      for (const auto& query : queries_) {
        stop.Check();
        const size_t wanted = query->WantedLists();
        if (wanted > query->read()) wants.push_back({query.get(), wanted});
      }
      if (wants.empty()) break;
      if (!ArePromising(wants) && ReadColumnsOf(wants, stop)) continue;
      if (!ReadLists(wants, stop)) break;
    }
    is_started_ = true;
  }

  static uint64_t CodeBytes(const Piece& piece) { return piece.scan_length + piece.extension_length; }

  // Whether most of the codes would not be read in vain, as far as can be told.
  bool ArePromising(const std::vector<Want>& wants) {
    if (matches_ == nullptr) return true;
    double bytes = 0;
    double in_vain = 0;
    for (const Want& want : wants) {
      for (size_t rank = want.query->read(); rank < want.lists; ++rank) {
        for (const Piece& piece : navigation_->PiecesOf(want.query->ranked(rank).list)) {
          const uint32_t number = scope_.NumberOf(piece);
          if (!matches_->MayHave(number)) continue;
          const auto of_piece = static_cast<double>(CodeBytes(piece));
          bytes += of_piece;
          in_vain += of_piece * (1 - matches_->Chance(number));
        }
      }
    }
    const bool is_first = std::ranges::all_of(wants, [](const Want& want) { return want.query->scan.scanned == 0; });
    return in_vain <= (is_first ? kWorthAWave : kWorthASecondWave) * bytes;
  }

  static uint64_t EnoughAhead(uint64_t codes) { return std::max(kLeastColumnBytes, codes / kCodesToColumns); }

  // One wave: the columns of the lists that are wanted, and of those behind them while they take few bytes beside the
  // codes that they may spare; a second time, when there was less than expected, of all of them. False when the budget
  // forbids: it may do for some lists.
  bool ReadColumnsOf(const std::vector<Want>& wants, Stop& stop) {
    std::set<uint32_t> pieces;
    uint64_t bytes = 0;
    for (const Want& want : wants) {
      uint64_t ahead = 0;
      uint64_t codes = 0;
      for (size_t rank = want.query->read(); rank < want.query->list_count(); ++rank) {
        stop.Check();
        if (rank >= want.lists && ahead > (reads_ahead_ ? options_.in_flight_bytes : EnoughAhead(codes))) break;
        for (const Piece& piece : navigation_->PiecesOf(want.query->ranked(rank).list)) {
          if (!scope_.NeedsColumns(piece) || !pieces.insert(scope_.NumberOf(piece)).second) continue;
          const uint64_t of_piece = ColumnBytes(*navigation_, *options_.filter, piece);
          bytes += of_piece;
          if (rank < want.lists) {
            codes += CodeBytes(piece);
          } else {
            ahead += of_piece;
          }
        }
      }
    }
    if (!FitsBudget(bytes)) return false;
    bytes_asked_ += bytes;
    const std::vector<uint32_t> numbers(pieces.begin(), pieces.end());
    ReadColumns(*navigation_, numbers, *matches_, store_, stop);
    reads_ahead_ = true;
    return true;
  }

  // By its code alone.
  Candidate AsCoded(const Candidates::Kept& kept) const {
    return {kept.key, DistanceOf(kept.estimate), DistanceOf(kept.lower_bound), kept.place};
  }

  // False when its raw vector is not at hand.
  bool MeasureLocal(QuerySearch& query, const Candidates::Kept& kept) {
    const auto distance = raw_.FindLocal(kept.place, query.vector);
    if (distance.has_value()) query.measured.push({kept.key, distance->estimate, distance->lower_bound, kept.place});
    return distance.has_value();
  }

  // All that may be among the nearest, at least `least` while there are so many; one wave, unless in_flight_bytes
  // splits it. What the budget forbids is left as its code has it.
  void MeasureAll(QuerySearch& query, size_t least, double worst_score, Stop& stop) {
    Candidates& candidates = query.scan.candidates;
    const float limit = candidates.limit();
    std::vector<Candidates::Kept> missing;
    for (size_t taken = 0;; ++taken) {
      const float bound = candidates.next_bound();
      if (candidates.waiting() == 0 || bound > worst_score || (bound > limit && taken >= least)) break;
      stop.Check();
      Candidates::Kept kept = *candidates.Take();
      if (!MeasureLocal(query, kept)) missing.push_back(std::move(kept));
    }
    const size_t at_once = std::max<uint64_t>(1, options_.in_flight_bytes / raw_.bytes());
    for (size_t first = 0; first < missing.size(); first += at_once) {
      const auto some = std::span(missing).subspan(first, std::min(at_once, missing.size() - first));
      std::vector<Candidate> found;
      std::vector<EntryPlace> places;
      for (const Candidates::Kept& kept : some) {
        found.push_back(AsCoded(kept));
        places.push_back(kept.place);
      }
      if (FitsBudget(some.size() * raw_.bytes())) {
        bytes_asked_ += some.size() * raw_.bytes();
        raw_.Fetch(
            places, query.vector,
            [&](size_t i, const RawDistance& distance) {
              found[i].estimate = distance.estimate;
              found[i].lower_bound = distance.lower_bound;
            },
            stop);
      }
      for (Candidate& candidate : found) query.measured.push(std::move(candidate));
    }
  }

  static bool MayHaveDropped(const Candidates& candidates, double worst_score) {
    return std::isfinite(candidates.least_dropped()) ? candidates.least_dropped() <= worst_score
                                                     : candidates.least_dropped() < 0;
  }

  double DistanceOf(float score) const {
    if (metric() == Metric::kL2) return std::sqrt(std::max(0.0, static_cast<double>(score)));
    return metric() == Metric::kCosine ? std::max(0.0, static_cast<double>(score)) : score;
  }
  // The greatest score whose distance is not above `distance`, with a little room for rounding.
  double ScoreOf(double distance) const {
    const double score = metric() == Metric::kL2 ? distance * distance : distance;
    return score + 1e-6 * std::abs(score);
  }
  Metric metric() const { return navigation_->base->space.metric; }

  // Pieces of the list that may hold a match.
  std::vector<const Piece*> PiecesOf(const RankedList& ranked) {
    std::vector<const Piece*> pieces;
    for (const Piece& piece : navigation_->PiecesOf(ranked.list)) {
      if (matches_ == nullptr || matches_->MayHave(scope_.NumberOf(piece))) pieces.push_back(&piece);
    }
    return pieces;
  }

  // Reads, for every query, the lists up to the number it wants. False when there was nothing more to read, or the
  // budget forbids.
  bool ReadLists(const std::vector<Want>& wants, Stop& stop) {
    std::vector<Visit> visits;
    bool reads_something = false;
    for (const Want& want : wants) {
      stop.Check();
      QuerySearch& query = *want.query;
      size_t end = query.read();
      for (; end < std::min(want.lists, query.list_count()); ++end) {
        const RankedList& ranked = query.ranked(end);
        const std::vector<const Piece*> pieces = PiecesOf(ranked);
        uint64_t list_bytes = 0;
        for (const Piece* piece : pieces) list_bytes += scope_.BytesOf(*piece);
        if (!FitsBudget(list_bytes)) break;
        bytes_asked_ += list_bytes;
        for (const Piece* piece : pieces) visits.push_back({piece, &query.scan, ranked.squared_distance});
        is_probed_[ranked.list] = is_probed_[ranked.list] || !pieces.empty();
      }
      reads_something = reads_something || end > query.read();
      query.set_read(end);
    }
    Read(visits, stop);
    return reads_something;
  }

  bool FitsBudget(uint64_t bytes) {
    if (options_.max_bytes == 0 || bytes_asked_ + bytes <= options_.max_bytes) return true;
    budget_reached_ = true;
    return false;
  }

  // More was asked for than was kept: the lists read so far are scanned again with more room.
  bool ReadAgain(QuerySearch& query, size_t count, Stop& stop) {
    std::vector<Visit> visits;
    uint64_t bytes = 0;
    for (size_t rank = 0; rank < query.read(); ++rank) {
      const RankedList& ranked = query.ranked(rank);
      for (const Piece* piece : PiecesOf(ranked)) {
        visits.push_back({piece, &query.scan, ranked.squared_distance});
        bytes += scope_.BytesOf(*piece);
      }
    }
    if (!FitsBudget(bytes)) return false;
    bytes_asked_ += bytes;
    Candidates& candidates = query.scan.candidates;
    candidates.StartAgain(std::max(4 * candidates.wanted(), 2 * count), std::max(4 * candidates.capacity(), 4 * count));
    const uint64_t scanned = query.scan.scanned;
    const uint64_t scored = query.scan.scored;
    const uint64_t matched = query.scan.matched;
    const uint64_t masked = query.scan.masked;
    const std::vector<uint32_t> matched_in = query.scan.matched_in;
    Read(visits, stop);
    query.scan.scanned = scanned;
    query.scan.scored = scored;
    query.scan.matched = matched;
    query.scan.masked = masked;
    query.scan.matched_in = matched_in;
    return true;
  }

  // One wave, unless in_flight_bytes splits it. Pieces go by place, so that neighbours can share a request.
  void Read(std::vector<Visit>& visits, Stop& stop) {
    std::ranges::sort(visits, [](const Visit& a, const Visit& b) {
      const Piece& x = *a.piece;
      const Piece& y = *b.piece;
      return x.segment != y.segment ? x.segment < y.segment : x.scan_offset < y.scan_offset;
    });
    for (size_t begin = 0; begin < visits.size();) {
      uint64_t bytes = 0;
      size_t end = begin;
      for (; end < visits.size(); ++end) {
        if (end > begin && visits[end].piece == visits[end - 1].piece) continue;
        const uint64_t more = scope_.BytesOf(*visits[end].piece);
        if (end > begin && bytes + more > options_.in_flight_bytes) break;
        bytes += more;
      }
      ScanWave(scope_, std::span(visits).subspan(begin, end - begin), store_, stop);
      begin = end;
    }
  }

  const std::shared_ptr<const Navigation> navigation_;
  const SearchOptions options_;
  ObjectStore& store_;
  std::unique_ptr<Matches> matches_;  // null: no filter
  ScanScope scope_{*navigation_, options_, nullptr};
  RawVectors raw_;
  std::vector<std::unique_ptr<QuerySearch>> queries_;
  std::vector<bool> is_probed_;  // by list
  bool reads_ahead_ = false;     // columns
  uint64_t bytes_asked_ = 0;
  bool budget_reached_ = false;
  bool is_started_ = false;
};

Search::Search(std::shared_ptr<const Navigation> navigation, std::span<const float> queries,
               const SearchOptions& options, ObjectStore& store)
    : impl_(std::make_unique<Impl>(std::move(navigation), queries, options, store)) {}
Search::~Search() = default;

size_t Search::query_count() const { return impl_->query_count(); }
std::vector<Candidate> Search::Next(size_t query, size_t count, double worst, Stop& stop) {
  return impl_->Next(query, count, worst, stop);
}
bool Search::Widen(size_t query, Stop& stop) { return impl_->Widen(query, stop); }
std::vector<Bytes> Search::ReadMetadata(std::span<const EntryPlace> places, Stop& stop) {
  return impl_->ReadMetadata(places, stop);
}
SearchStats Search::stats() const { return impl_->stats(); }

}  // namespace s3v
