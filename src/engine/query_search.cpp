#include "engine/query_search.h"

#include <algorithm>
#include <cmath>

namespace s3v {
namespace {

constexpr double kFewKeys = 10;  // for each match that is wanted
constexpr size_t kGrowth = 4;

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
  if (wanted == 0) wanted = is_narrowed() ? ListsByMatches() : ListsByEntries();
  // What was read holds less than it was expected to.
  if (wanted <= read_ && scan.candidates.waiting() < options_.k)
    wanted = std::min(2 * std::max<size_t>(read_, 1), list_count());
  return std::clamp(wanted, read_, list_count());
}

// As if nothing narrowed the search.
size_t QuerySearch::ListsByEntries() {
  const double needed = WantedEntries();
  double entries = 0;
  size_t rank = 0;
  while (rank + 1 < list_count() && (entries += navigation_.list_sizes[ranked(rank).list]) < needed) ++rank;
  const ProbePoint point = navigation_.state.rule.At(static_cast<double>(options_.k));
  const size_t lists = CountProbes(ranking_.ranked(), rank, point);
  if (lists < ranking_.ranked().size() || lists == list_count()) return lists;
  ranking_.RankAll();
  return CountProbes(ranking_.ranked(), rank, point);
}

// First by the centroid of the list with the k-th match; once these lists were read, by that match.
size_t QuerySearch::ListsByMatches() {
  if (lists_bounded_ > 0 && HasFound()) return lists_bounded_;
  const size_t unfiltered = ListsByEntries();
  if (HoldMatchesOnly(unfiltered)) return unfiltered;
  // Few keys may lie anywhere, and all be found soon.
  if (AreKeysFew()) return std::max(unfiltered, kGrowth * read_);
  const Start start = FindStart();
  if (!start.is_met) return list_count();
  const ProbePoint point = navigation_.state.rule.At(start.entries);
  double farthest = 0;
  for (size_t rank = 0; rank <= start.rank; ++rank) farthest = std::max(farthest, DistanceOf(rank));
  const size_t lists = std::max(start.rank + 1, ListsWithin(farthest + point.margin));
  if (!HasFound()) return lists;
  lists_bounded_ = std::max(lists, ListsWithin(DistanceOfFound() + point.bound));
  return lists_bounded_;
}

bool QuerySearch::AreKeysFew() const {
  return options_.only != nullptr && static_cast<double>(options_.only->size()) < kFewKeys * WantedMatches();
}

// Whether k matches are among the entries that were read.
bool QuerySearch::HasFound() const { return static_cast<double>(scan.matched) >= WantedMatches(); }

bool QuerySearch::HoldMatchesOnly(size_t lists) {
  if (options_.only != nullptr) return false;
  for (size_t rank = 0; rank < lists; ++rank) {
    const uint32_t list = ranked(rank).list;
    for (uint32_t piece = navigation_.first_piece[list]; piece < navigation_.first_piece[list + 1]; ++piece) {
      if (!matches_->AreAll(piece)) return false;
    }
  }
  return true;
}

QuerySearch::Start QuerySearch::FindStart() {
  const double needed = WantedMatches();
  double matches = 0;
  double entries = 0;
  for (size_t rank = 0; rank < list_count(); ++rank) {
    const Guess expected = ExpectedIn(rank);
    // Lists without a match tell nothing of how densely matches lie.
    entries += expected.chance * navigation_.list_sizes[ranked(rank).list];
    matches += expected.matches;
    if (matches >= needed) return {true, rank, static_cast<double>(options_.k) * entries / matches};
  }
  return {};
}

// Of the lists in the order in which they are read.
size_t QuerySearch::ListsWithin(double distance) {
  size_t lists = 0;
  while (lists < list_count() && DistanceOf(lists) <= distance) ++lists;
  return lists;
}

// Of the k-th nearest match among those found, as its code has it.
double QuerySearch::DistanceOfFound() const {
  const size_t copies = navigation_.shape.has_duplicates ? 2 : 1;
  return navigation_.base->space.DistanceOfScore(scan.candidates.NthEstimate(copies * options_.k), Norm(vector));
}

double QuerySearch::DistanceOf(size_t rank) { return std::sqrt(std::max(0.0F, ranked(rank).squared_distance)); }

// Of a row in two lists both entries match.
double QuerySearch::WantedMatches() const {
  return (navigation_.shape.has_duplicates ? 2.0 : 1.0) * static_cast<double>(options_.k);
}

// Entries that hold k besides those left out, were these spread evenly.
double QuerySearch::WantedEntries() const {
  const double left_out = options_.without != nullptr ? static_cast<double>(options_.without->size()) : 0;
  const auto entries = static_cast<double>(std::max<uint64_t>(navigation_.state.entries, 1));
  // The first point was calibrated from the list with as many entries as it names: fewer are looked for from there,
  // too.
  const double wanted =
      std::max<double>(static_cast<double>(options_.k), navigation_.state.rule.points.front().entries);
  return wanted / (1 - std::min(left_out / entries, kMostLeftOut));
}

// Matches in the list of that rank: as found, or as expected.
QuerySearch::Guess QuerySearch::ExpectedIn(size_t rank) {
  const uint32_t list = ranked(rank).list;
  if (rank < read_) return {static_cast<double>(scan.matched_in[list]), scan.matched_in[list] > 0 ? 1.0 : 0.0};
  Guess guess{static_cast<double>(navigation_.list_sizes[list]), 1};
  if (matches_ != nullptr) {
    guess = {};
    double without = 1;
    const uint32_t end = navigation_.first_piece[list + 1];
    for (uint32_t piece = navigation_.first_piece[list]; piece < end; ++piece) {
      guess.matches += matches_->Expected(piece);
      without *= 1 - matches_->Chance(piece);
    }
    guess.chance = 1 - without;
  }
  if (options_.only == nullptr) return guess;
  guess.matches *= OnlyShare();
  guess.chance *= 1 - std::exp(-guess.matches);
  return guess;
}

// Of the entries not yet seen: so many keys that may come back are among them.
double QuerySearch::OnlyShare() const {
  const double copies = navigation_.shape.has_duplicates ? 2 : 1;
  const double keys = copies * static_cast<double>(options_.only->size() - scan.only_seen.size());
  const double entries = static_cast<double>(navigation_.state.entries) - static_cast<double>(scan.scanned);
  return std::min(1.0, keys / std::max(entries, 1.0));
}

}  // namespace s3v
