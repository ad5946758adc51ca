#include "engine/search.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "engine/raw_vectors.h"
#include "engine/row_metadata.h"
#include "engine/wave_scan.h"
#include "ivf/centroid_table.h"
#include "ivf/probe.h"

namespace s3v {
namespace {

// docs/design/search.md: with a selectivity s, probes >= base * s^kSelectivityExponent and kMatchesPerHit * k matches.
constexpr double kSelectivityExponent = -0.25;
constexpr uint64_t kMatchesPerHit = 10;
constexpr size_t kMostGrowth = 4;  // of the lists read, in a step that rests on an estimate

constexpr double kMostLeftOut = 0.9;  // of the rows, as far as the first wave is concerned

// Which lists one query reads, and what it finds there.
class QuerySearch {
 public:
  QuerySearch(const Navigation& navigation, std::span<const float> query, const SearchOptions& options)
      : scan(navigation, query, options),
        vector(query.begin(), query.end()),
        navigation_(navigation),
        options_(options),
        ranking_(navigation.base->tables, Placed(navigation, query),
                 options.probes > 0 ? options.probes : navigation.state.rule.most) {
    base_probes_ = CountProbes(ranking_.ranked(), navigation.state.rule, options.probes);
  }

  QueryScan scan;
  const std::vector<float> vector;  // as the user knows it

  // Candidates taken from `scan` whose raw vectors were looked at: they are handed out when nothing nearer can come.
  struct Later {
    bool operator()(const Candidate& a, const Candidate& b) const {
      return a.lower_bound != b.lower_bound ? a.lower_bound > b.lower_bound : a.key > b.key;
    }
  };
  std::priority_queue<Candidate, std::vector<Candidate>, Later> measured;

  size_t read() const { return read_; }
  size_t list_count() const { return ranking_.list_count(); }
  bool is_exhausted() const { return read_ == list_count(); }
  void set_read(size_t read) { read_ = read; }

  // The list of that rank.
  const RankedList& ranked(size_t rank) {
    if (rank >= ranking_.ranked().size()) ranking_.RankAll();
    return ranking_.ranked()[rank];
  }

  // No list can hold another key that may come back.
  bool HasAllOfOnly() const { return options_.only != nullptr && scan.only_seen.size() == options_.only->size(); }

  // What the rule says, and enough lists to hold k entries besides those left out, were these spread evenly. Where they
  // lie close together, too few candidates remain, and WantedProbes asks for more.
  size_t FirstProbes() {
    const double left_out = options_.without != nullptr ? static_cast<double>(options_.without->size()) : 0;
    const double entries_in_all = static_cast<double>(std::max<uint64_t>(navigation_.state.entries, 1));
    const double needed = static_cast<double>(options_.k) / (1 - std::min(left_out / entries_in_all, kMostLeftOut));
    uint64_t entries = 0;
    size_t probes = 0;
    while (probes < list_count() && (probes < base_probes_ || static_cast<double>(entries) < needed))
      entries += navigation_.list_sizes[ranked(probes++).list];
    return probes;
  }

  // How many lists should be read, by what was found so far.
  size_t WantedProbes() const {
    const bool is_narrowed = options_.filter != nullptr || options_.only != nullptr;
    const size_t doubled = 2 * std::max<size_t>(read_, 1);
    if (is_exhausted() || HasAllOfOnly()) return read_;
    const uint64_t found = is_narrowed ? scan.matched : scan.candidates.waiting();
    if (found < options_.k && (!is_narrowed || options_.probes > 0)) return doubled;
    if (!is_narrowed || options_.probes > 0) return read_;
    if (scan.matched == 0) return doubled;

    const double selectivity = static_cast<double>(scan.matched) / static_cast<double>(scan.scanned - scan.masked);
    const double least = std::ceil(static_cast<double>(base_probes_) * std::pow(selectivity, kSelectivityExponent));
    const uint64_t matches = kMatchesPerHit * options_.k;
    double wanted = least;
    if (scan.matched < matches) {
      const double estimate =
          static_cast<double>(read_) * static_cast<double>(matches) / static_cast<double>(scan.matched);
      wanted = std::max(wanted, std::clamp(std::ceil(estimate), static_cast<double>(read_ + 1),
                                           static_cast<double>(read_ * kMostGrowth)));
    }
    return static_cast<size_t>(std::min(wanted, static_cast<double>(list_count())));
  }

 private:
  // As lists are ranked.
  static std::vector<float> Placed(const Navigation& navigation, std::span<const float> query) {
    const AssignmentSpace& space = navigation.base->space;
    std::vector<float> placed(space.width());
    space.PlaceQuery(query, placed);
    placed.resize(space.dimensions);  // under ip the last element is zero
    navigation.base->rotation.Apply(placed, placed);
    return placed;
  }

  const Navigation& navigation_;
  const SearchOptions& options_;
  ListRanking ranking_;
  size_t base_probes_ = 0;
  size_t read_ = 0;  // lists, from the front of the ranking
};

}  // namespace

class Search::Impl {
 public:
  Impl(std::shared_ptr<const Navigation> navigation, std::span<const float> queries, const SearchOptions& options,
       ObjectStore& store)
      : navigation_(std::move(navigation)),
        options_(options),
        store_(store),
        scope_{*navigation_, options_},
        raw_(*navigation_, store) {
    const AssignmentSpace& space = navigation_->base->space;
    const auto refuse = [](const std::string& message) { throw Error(Code::kInvalidArgument, message); };
    if (queries.empty() || queries.size() % space.dimensions != 0) {
      refuse("query has " + std::to_string(queries.size()) + " dimensions, index has " +
             std::to_string(space.dimensions));
    }
    if (!AllFinite(queries)) refuse("the query has elements that are not finite");
    if (options.filter != nullptr && !navigation_->shape.has_metadata)
      refuse("the index has no metadata columns to filter by");
    for (size_t at = 0; at < queries.size(); at += space.dimensions) {
      const std::span<const float> query = queries.subspan(at, space.dimensions);
      if (space.metric == Metric::kCosine && std::ranges::all_of(query, [](float x) { return x == 0; }))
        refuse("a zero vector has no cosine distance");
      queries_.push_back(std::make_unique<QuerySearch>(*navigation_, query, options_));
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
    std::vector<bool> probed(stats.lists_total);
    stats.exhausted = true;
    for (const auto& query : queries_) {
      for (size_t rank = 0; rank < query->read(); ++rank) probed[query->ranked(rank).list] = true;
      stats.entries_scanned += query->scan.scanned;
      stats.entries_scored += query->scan.scored;
      stats.entries_matched += query->scan.matched;
      stats.exhausted = stats.exhausted && query->is_exhausted();
    }
    stats.lists_probed = static_cast<uint64_t>(std::ranges::count(probed, true));
    return stats;
  }

 private:
  // A query, and how many lists it wants to have read.
  struct Want {
    QuerySearch* query;
    size_t lists;
  };

  void Start(Stop& stop) {
    std::vector<Want> wants;
    for (const auto& query : queries_) {
      stop.Check();
      wants.push_back({query.get(), query->FirstProbes()});
    }
    while (!wants.empty() && ReadLists(wants, stop)) {
      wants.clear();
      for (const auto& query : queries_) {
        const size_t wanted = query->WantedProbes();
        if (wanted > query->read()) wants.push_back({query.get(), wanted});
      }
    }
    is_started_ = true;
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

  std::span<const Piece> PiecesOf(const RankedList& ranked) const {
    const uint32_t first = navigation_->first_piece[ranked.list];
    return std::span(navigation_->pieces).subspan(first, navigation_->first_piece[ranked.list + 1] - first);
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
        uint64_t list_bytes = 0;
        for (const Piece& piece : PiecesOf(ranked)) list_bytes += scope_.BytesOf(piece);
        if (!FitsBudget(list_bytes)) break;
        bytes_asked_ += list_bytes;
        for (const Piece& piece : PiecesOf(ranked)) visits.push_back({&piece, &query.scan, ranked.squared_distance});
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
      for (const Piece& piece : PiecesOf(ranked)) {
        visits.push_back({&piece, &query.scan, ranked.squared_distance});
        bytes += scope_.BytesOf(piece);
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
    Read(visits, stop);
    query.scan.scanned = scanned;
    query.scan.scored = scored;
    query.scan.matched = matched;
    query.scan.masked = masked;
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
  const ScanScope scope_;
  RawVectors raw_;
  std::vector<std::unique_ptr<QuerySearch>> queries_;
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
