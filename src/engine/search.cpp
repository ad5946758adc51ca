#include "engine/search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/candidates.h"
#include "engine/wave_scan.h"
#include "ivf/probe.h"

namespace s3v {
namespace {

// Of a filtered search, measured on four data sets (docs/design/search.md).
constexpr double kSelectivityExponent = -0.25;
constexpr uint64_t kMatchesPerHit = 10;
constexpr double kMostLeftOut = 0.9;  // share of the rows, beyond which the first guess goes no further
constexpr size_t kMostGrowth = 4;     // of the lists read, in one step that rests on an estimate

size_t KeptFor(size_t k) { return std::max(4 * k, k + 64); }

std::vector<RankedList> RankFor(const NavigationBase& base, std::span<const float> query) {
  std::vector<float> placed(base.space.width());
  base.space.PlaceQuery(query, placed);
  return RankLists(base.centroids, placed);
}

}  // namespace

class Search::Impl {
 public:
  Impl(std::shared_ptr<const Navigation> navigation, std::span<const float> query, const SearchOptions& options,
       ObjectStore& store)
      : navigation_(std::move(navigation)),
        options_(options),
        store_(store),
        query_(query.begin(), query.end()),
        candidates_(KeptFor(options.k)),
        target_{.navigation = *navigation_,
                .query = {navigation_->base->space.metric, query_, Norm(query_)},
                .filter = options.filter,
                .only = options.only,
                .without = options.without,
                .candidates = candidates_,
                .only_seen = {}} {
    const size_t dimensions = navigation_->base->space.dimensions;
    if (query.size() != dimensions) {
      throw Error(Code::kInvalidArgument,
                  "query has " + std::to_string(query.size()) + " dimensions, index has " + std::to_string(dimensions));
    }
    if (!AllFinite(query_)) throw Error(Code::kInvalidArgument, "query has elements that are not finite");
    if (options.filter != nullptr && !navigation_->delta.has_metadata) {
      throw Error(Code::kInvalidArgument, "the index has no metadata columns to filter by");
    }
    ranked_ = RankFor(*navigation_->base, query_);
    base_probes_ = CountProbes(ranked_, navigation_->delta.rule, options.probes);
    stats_.lists_total = ranked_.size();
  }

  std::vector<Candidate> Next(size_t count, Stop& stop) {
    if (!is_started_) Start(count, stop);
    std::vector<Candidate> found;
    while (found.size() < count) {
      if (auto kept = candidates_.Take()) {
        const double lower_bound = BoundOf(*kept);
        found.push_back({std::move(kept->key), kept->score, lower_bound});
      } else if (!candidates_.dropped() || !ReadAgain(count - found.size(), stop)) {
        break;
      }
    }
    return found;
  }

  bool Widen(Stop& stop) {
    if (!is_started_) {
      Start(0, stop);
      return read_ > 0;
    }
    return ReadUpTo(2 * std::max<size_t>(read_, 1), stop);
  }

  const SearchStats& stats() {
    stats_.lists_probed = read_;
    stats_.entries_scanned = target_.scanned;
    stats_.entries_matched = target_.matched;
    stats_.exhausted = read_ == ranked_.size();
    return stats_;
  }

 private:
  void Start(size_t count, Stop& stop) {
    candidates_.StartAgain(std::max(candidates_.capacity(), count));
    ReadUpTo(FirstProbes(), stop);
    for (size_t wanted = WantedProbes(); wanted > read_; wanted = WantedProbes()) {
      if (!ReadUpTo(wanted, stop)) break;
    }
    is_started_ = true;
  }

  double BoundOf(const Candidates::Kept& kept) const {
    if (target_.query.metric != Metric::kInnerProduct) return LowerBound(target_.query, kept.score, kept.norm);
    // The score is the bound already (wave_scan.cpp); at the end of float's range it says nothing.
    const bool is_bounded = kept.score > std::numeric_limits<float>::lowest();
    return is_bounded ? kept.score : -std::numeric_limits<double>::infinity();
  }

  uint64_t EntriesOf(const RankedList& ranked) const { return navigation_->list_sizes[ranked.list]; }

  // What the rule says, and enough lists to hold k entries besides those left out, were these spread evenly. Where they
  // lie close together, too few candidates remain, and WantedProbes asks for more.
  size_t FirstProbes() const {
    const double left_out = options_.without != nullptr ? static_cast<double>(options_.without->size()) : 0;
    const double rows = static_cast<double>(std::max<uint64_t>(navigation_->delta.rows, 1));
    const double needed = static_cast<double>(options_.k) / (1 - std::min(left_out / rows, kMostLeftOut));
    uint64_t entries = 0;
    size_t probes = 0;
    while (probes < ranked_.size() && (probes < base_probes_ || static_cast<double>(entries) < needed))
      entries += EntriesOf(ranked_[probes++]);
    return probes;
  }

  // How many lists should be read, by what was found so far.
  size_t WantedProbes() const {
    const size_t doubled = 2 * std::max<size_t>(read_, 1);
    if (read_ >= ranked_.size() || HasAllOfOnly()) return read_;
    const uint64_t found = target_.is_narrowed() ? target_.matched : candidates_.waiting();
    if (found < options_.k && (!target_.is_narrowed() || options_.probes > 0)) return doubled;
    if (!target_.is_narrowed() || options_.probes > 0) return read_;
    if (target_.matched == 0) return doubled;

    const double selectivity = static_cast<double>(target_.matched) / static_cast<double>(target_.scanned);
    const double least = std::ceil(static_cast<double>(base_probes_) * std::pow(selectivity, kSelectivityExponent));
    const uint64_t matches = kMatchesPerHit * options_.k;
    double wanted = least;
    if (target_.matched < matches) {
      const double estimate =
          static_cast<double>(read_) * static_cast<double>(matches) / static_cast<double>(target_.matched);
      wanted = std::max(wanted, std::clamp(std::ceil(estimate), static_cast<double>(read_ + 1),
                                           static_cast<double>(read_ * kMostGrowth)));
    }
    return static_cast<size_t>(std::min(wanted, static_cast<double>(ranked_.size())));
  }

  bool HasAllOfOnly() const { return options_.only != nullptr && target_.only_seen.size() == options_.only->size(); }

  std::span<const Piece> PiecesOf(const RankedList& ranked) const {
    const uint32_t first = navigation_->first_piece[ranked.list];
    return std::span(navigation_->delta.pieces).subspan(first, navigation_->first_piece[ranked.list + 1] - first);
  }

  // False when there was nothing more to read, or the budget forbids.
  bool ReadUpTo(size_t wanted, Stop& stop) {
    const size_t before = read_;
    size_t end = read_;
    uint64_t bytes = 0;
    std::vector<const Piece*> pieces;
    for (; end < std::min(wanted, ranked_.size()); ++end) {
      uint64_t list_bytes = 0;
      for (const Piece& piece : PiecesOf(ranked_[end])) list_bytes += target_.BytesOf(piece);
      if (!FitsBudget(bytes + list_bytes)) break;
      bytes += list_bytes;
      for (const Piece& piece : PiecesOf(ranked_[end])) pieces.push_back(&piece);
    }
    Read(pieces, stop);
    bytes_asked_ += bytes;
    read_ = end;
    return read_ > before;
  }

  bool FitsBudget(uint64_t bytes) {
    if (options_.max_bytes == 0 || bytes_asked_ + bytes <= options_.max_bytes) return true;
    stats_.budget_reached = true;
    return false;
  }

  // More was asked for than was kept: the lists read so far are scanned again with more room.
  bool ReadAgain(size_t count, Stop& stop) {
    std::vector<const Piece*> pieces;
    uint64_t bytes = 0;
    for (size_t rank = 0; rank < read_; ++rank) {
      for (const Piece& piece : PiecesOf(ranked_[rank])) {
        pieces.push_back(&piece);
        bytes += target_.BytesOf(piece);
      }
    }
    if (!FitsBudget(bytes)) return false;
    candidates_.StartAgain(std::max(4 * candidates_.capacity(), 2 * count));
    const uint64_t scanned = target_.scanned;
    const uint64_t matched = target_.matched;
    Read(pieces, stop);
    target_.scanned = scanned;
    target_.matched = matched;
    bytes_asked_ += bytes;
    return true;
  }

  // One wave, unless in_flight_bytes splits it.
  void Read(std::vector<const Piece*>& pieces, Stop& stop) {
    // By place, so that neighbours can share a request; which of them is nearest does not matter, since all are read.
    std::ranges::sort(pieces, [](const Piece* a, const Piece* b) {
      return a->segment != b->segment ? a->segment < b->segment : a->scan_offset < b->scan_offset;
    });
    for (size_t begin = 0; begin < pieces.size();) {
      uint64_t bytes = 0;
      size_t end = begin;
      while (end < pieces.size() &&
             (end == begin || bytes + target_.BytesOf(*pieces[end]) <= options_.in_flight_bytes)) {
        bytes += target_.BytesOf(*pieces[end++]);
      }
      ScanWave(target_, std::span(pieces).subspan(begin, end - begin), store_, stop);
      begin = end;
    }
  }

  const std::shared_ptr<const Navigation> navigation_;
  const SearchOptions options_;
  ObjectStore& store_;
  const std::vector<float> query_;
  Candidates candidates_;
  ScanTarget target_;
  std::vector<RankedList> ranked_;
  size_t base_probes_ = 0;
  size_t read_ = 0;  // of ranked_, from the front
  uint64_t bytes_asked_ = 0;
  bool is_started_ = false;
  SearchStats stats_;
};

Search::Search(std::shared_ptr<const Navigation> navigation, std::span<const float> query, const SearchOptions& options,
               ObjectStore& store)
    : impl_(std::make_unique<Impl>(std::move(navigation), query, options, store)) {}
Search::~Search() = default;

std::vector<Candidate> Search::Next(size_t count, Stop& stop) { return impl_->Next(count, stop); }
bool Search::Widen(Stop& stop) { return impl_->Widen(stop); }
const SearchStats& Search::stats() const { return impl_->stats(); }

}  // namespace s3v
