#include "engine/query_search.h"

#include <algorithm>
#include <cmath>

namespace s3v {
namespace {

constexpr double kMostLeftOut = 0.9;  // of the rows, as far as the first wave is concerned

// As lists are ranked.
std::vector<float> Placed(const Navigation& navigation, std::span<const float> query) {
  const AssignmentSpace& space = navigation.base->space;
  std::vector<float> placed(space.width());
  space.PlaceQuery(query, placed);
  placed.resize(space.dimensions);  // under ip the last element is zero
  navigation.base->rotation.Apply(placed, placed);
  return placed;
}

size_t ListsToRank(const Navigation& navigation, const SearchOptions& options) {
  return options.probes > 0 ? options.probes : navigation.state.rule.At(static_cast<double>(options.k)).most;
}

}  // namespace

QuerySearch::QuerySearch(const Navigation& navigation, std::span<const float> query, const SearchOptions& options,
                         Matches* matches)
    : scan(navigation, query, options),
      vector(query.begin(), query.end()),
      navigation_(navigation),
      options_(options),
      matches_(matches),
      ranking_(navigation.base->tables, Placed(navigation, query), ListsToRank(navigation, options)) {}

size_t QuerySearch::WantedLists() {
  if (is_exhausted() || HasAllOfOnly()) return read_;
  size_t wanted = std::min(options_.probes, list_count());
  if (wanted == 0) {
    const Start start = FindStart();
    wanted = !start.is_met ? list_count() : is_narrowed() ? MatchesFirst(start) : EntriesFirst(start);
  }
  // What was read holds less than it was expected to.
  if (wanted <= read_ && scan.candidates.waiting() < options_.k)
    wanted = std::min(2 * std::max<size_t>(read_, 1), list_count());
  return std::max(wanted, read_);
}

QuerySearch::Start QuerySearch::FindStart() {
  const double needed = WantedMatches();
  double matches = 0;
  double entries = 0;
  for (size_t rank = 0; rank < list_count(); ++rank) {
    const double expected = ExpectedIn(rank);
    // Lists without a match tell nothing of how densely matches lie. Where their number is a guess, so is this.
    const double has_any = rank < read_ ? (expected > 0 ? 1 : 0) : 1 - std::exp(-expected);
    matches += expected;
    entries += has_any * navigation_.list_sizes[ranked(rank).list];
    if (matches >= needed) return {true, rank, static_cast<double>(options_.k) * entries / matches};
  }
  return {};
}

size_t QuerySearch::EntriesFirst(const Start& start) {
  const ProbePoint point = navigation_.state.rule.At(start.entries);
  const size_t lists = CountProbes(ranking_.ranked(), start.rank, point);
  if (lists < ranking_.ranked().size() || lists == list_count()) return lists;
  ranking_.RankAll();
  return CountProbes(ranking_.ranked(), start.rank, point);
}

// First by the centroid of the list with the k-th match, then by that match.
size_t QuerySearch::MatchesFirst(const Start& start) {
  const ProbePoint point = navigation_.state.rule.At(start.entries);
  double farthest = 0;
  for (size_t rank = 0; rank <= start.rank; ++rank) farthest = std::max(farthest, DistanceOf(rank));
  const size_t lists = std::max(start.rank + 1, ListsWithin(farthest + point.margin));
  if (lists > read_) return lists;
  if (!farthest_.has_value()) BoundByFound(start);
  return std::max(lists, ListsWithin(*farthest_));
}

// Of the lists in the order in which they are read.
size_t QuerySearch::ListsWithin(double distance) {
  size_t lists = 0;
  while (lists < list_count() && DistanceOf(lists) <= distance) ++lists;
  return lists;
}

void QuerySearch::BoundByFound(const Start& start) {
  const double copies = navigation_.shape.has_duplicates ? 2 : 1;
  const float score = scan.candidates.NthEstimate(static_cast<size_t>(copies * static_cast<double>(options_.k)));
  const AssignmentSpace& space = navigation_.base->space;
  farthest_ = space.DistanceOfScore(score, Norm(vector)) + navigation_.state.rule.At(start.entries).bound;
}

double QuerySearch::DistanceOf(size_t rank) { return std::sqrt(std::max(0.0F, ranked(rank).squared_distance)); }

// Of a row in two lists both entries match. Pending keys are dropped from the candidates later.
double QuerySearch::WantedMatches() const {
  const double copies = is_narrowed() && navigation_.shape.has_duplicates ? 2 : 1;
  if (is_narrowed() || options_.without == nullptr) return copies * static_cast<double>(options_.k);
  const auto left_out = static_cast<double>(options_.without->size());
  const auto entries = static_cast<double>(std::max<uint64_t>(navigation_.state.entries, 1));
  return static_cast<double>(options_.k) / (1 - std::min(left_out / entries, kMostLeftOut));
}

// Matches in the list of that rank: as found, or as expected.
double QuerySearch::ExpectedIn(size_t rank) {
  const uint32_t list = ranked(rank).list;
  if (!is_narrowed()) return navigation_.list_sizes[list];
  if (rank < read_) return scan.matched_in[list];
  double expected = navigation_.list_sizes[list];
  if (matches_ != nullptr) {
    expected = 0;
    const uint32_t end = navigation_.first_piece[list + 1];
    for (uint32_t piece = navigation_.first_piece[list]; piece < end; ++piece) expected += matches_->Expected(piece);
  }
  return options_.only != nullptr ? expected * OnlyShare() : expected;
}

// Of the entries not yet seen: so many keys that may come back are among them.
double QuerySearch::OnlyShare() const {
  const double copies = navigation_.shape.has_duplicates ? 2 : 1;
  const double keys = copies * static_cast<double>(options_.only->size() - scan.only_seen.size());
  const double entries = static_cast<double>(navigation_.state.entries) - static_cast<double>(scan.scanned);
  return std::min(1.0, keys / std::max(entries, 1.0));
}

}  // namespace s3v
