#include "ivf/probe.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace s3v {
namespace {

constexpr size_t kMostBeyondSample = 2;

// A true neighbour of a sampled query: how many lists behind the starting one the first of its lists ranks, how far the
// lists up to there are behind the farthest up to the start, and its part of the mean recall.
struct Neighbour {
  size_t beyond;
  double gap;
  double weight;
};

size_t CountAnswered(std::span<const CalibrationQuery> queries) {
  return static_cast<size_t>(std::count_if(queries.begin(), queries.end(),
                                           [](const CalibrationQuery& query) { return !query.neighbours.empty(); }));
}

// The rank with the last of the needed matches.
size_t StartOf(const CalibrationQuery& query, std::span<const uint32_t> matches, size_t needed) {
  uint64_t seen = 0;
  size_t rank = 0;
  while (rank + 1 < query.ranked.size()) {
    seen += matches[query.ranked[rank].list];
    if (seen >= needed) break;
    ++rank;
  }
  return rank;
}

float FarthestUpTo(std::span<const RankedList> ranked, size_t rank) {
  return std::ranges::max_element(ranked.first(rank + 1), {}, &RankedList::squared_distance)->squared_distance;
}

constexpr size_t kUnranked = std::numeric_limits<size_t>::max();

// Where the first of a row's lists ranks.
size_t RankOf(const NearRow& row, std::span<const size_t> rank_of) {
  return std::min(rank_of[row.lists.first], rank_of[row.lists.second]);
}

void SetRanks(const CalibrationQuery& query, std::vector<size_t>& rank_of) {
  std::fill(rank_of.begin(), rank_of.end(), kUnranked);
  for (size_t rank = 0; rank < query.ranked.size(); ++rank) rank_of[query.ranked[rank].list] = rank;
}

// Neighbours in lists that are ranked, the smallest gap first.
std::vector<Neighbour> CollectNeighbours(std::span<const CalibrationQuery> queries,
                                         std::span<const uint32_t> list_sizes, size_t k) {
  const auto answered = static_cast<double>(CountAnswered(queries));
  std::vector<Neighbour> neighbours;
  std::vector<size_t> rank_of(list_sizes.size());
  std::vector<double> gap_up_to;
  for (const CalibrationQuery& query : queries) {
    if (query.ranked.empty()) continue;
    SetRanks(query, rank_of);
    gap_up_to.clear();
    const size_t start = StartOf(query, list_sizes, k);
    const double farthest = FarthestUpTo(query.ranked, start);
    double widest = 0;  // a ranking through parents may be out of order where it goes on to the other parents
    for (const RankedList& list : query.ranked) {
      widest = std::max(widest, static_cast<double>(list.squared_distance) - farthest);
      gap_up_to.push_back(widest);
    }
    const double weight = 1.0 / (answered * static_cast<double>(query.neighbours.size()));
    for (const NearRow& row : query.neighbours) {
      const size_t rank = RankOf(row, rank_of);
      if (rank != kUnranked) neighbours.push_back({rank - std::min(rank, start), gap_up_to[rank], weight});
    }
  }
  std::sort(neighbours.begin(), neighbours.end(), [](const auto& a, const auto& b) { return a.gap < b.gap; });
  return neighbours;
}

// The smallest gap that reaches the target under a cap; false when the cap alone keeps it out of reach.
// `neighbours` are sorted by gap.
bool SmallestGap(std::span<const Neighbour> neighbours, size_t most, double target, float* gap) {
  constexpr double kRounding = 1e-9;  // of the weights' sum
  double recall = kRounding;
  for (const Neighbour& neighbour : neighbours) {
    if (neighbour.beyond >= most) continue;
    recall += neighbour.weight;
    if (recall < target) continue;
    *gap = static_cast<float>(neighbour.gap);
    if (*gap < neighbour.gap) *gap = std::nextafter(*gap, std::numeric_limits<float>::infinity());
    return true;
  }
  return false;
}

// The lists that a query reads.
std::span<const RankedList> Probed(const CalibrationQuery& query, std::span<const uint32_t> list_sizes, size_t k,
                                   const ProbePoint& point) {
  if (query.ranked.empty()) return {};
  return query.ranked.first(CountProbes(query.ranked, StartOf(query, list_sizes, k), point));
}

double MeanEntriesScanned(std::span<const CalibrationQuery> queries, std::span<const uint32_t> list_sizes, size_t k,
                          const ProbePoint& point) {
  uint64_t entries = 0;
  for (const CalibrationQuery& query : queries) {
    for (const RankedList& list : Probed(query, list_sizes, k, point)) entries += list_sizes[list.list];
  }
  return static_cast<double>(entries) / static_cast<double>(queries.size());
}

size_t MostBeyondStart(std::span<const CalibrationQuery> queries, std::span<const uint32_t> list_sizes, size_t k,
                       const ProbePoint& point) {
  size_t most = 1;
  for (const CalibrationQuery& query : queries)
    most = std::max(most, Probed(query, list_sizes, k, point).size() - StartOf(query, list_sizes, k));
  return most;
}

// Such a part of the values is not above it.
float Quantile(std::vector<float> values, double part) {
  const auto rank = static_cast<size_t>(std::ceil(part * static_cast<double>(values.size())));
  const auto nth = values.begin() + static_cast<ptrdiff_t>(std::max<size_t>(rank, 1) - 1);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

constexpr float kAnyDistance = std::numeric_limits<float>::max();

float Root(float squared_distance) { return std::sqrt(std::max(squared_distance, 0.0F)); }

// How much farther; of distances beyond what a float holds, any.
float Difference(float farther, float nearer) {
  const float difference = farther - nearer;
  return std::isfinite(difference) ? difference : kAnyDistance;
}

}  // namespace

ProbePoint ProbeRule::At(double entries) const {
  const auto after = std::ranges::find_if(points, [&](const ProbePoint& point) { return point.entries >= entries; });
  if (after == points.end()) return points.back();
  if (after == points.begin()) return *after;
  const ProbePoint& before = *(after - 1);
  const double part =
      std::log(entries / before.entries) / std::log(static_cast<double>(after->entries) / before.entries);
  const auto between = [&](double a, double b) { return static_cast<float>(a + part * (b - a)); };
  return {.entries = static_cast<float>(entries),
          .gap = between(before.gap, after->gap),
          .most = static_cast<uint32_t>(std::ceil(between(before.most, after->most))),
          .margin = between(before.margin, after->margin),
          .bound = between(before.bound, after->bound)};
}

ProbeRule EveryList(size_t lists) {
  return {{{.entries = 1,
            .gap = kAnyDistance,
            .most = static_cast<uint32_t>(lists),
            .margin = kAnyDistance,
            .bound = kAnyDistance}}};
}

size_t CountProbes(std::span<const RankedList> ranked, size_t start, const ProbePoint& point) {
  const double reach = static_cast<double>(FarthestUpTo(ranked, start)) + point.gap;
  const std::span<const RankedList> rest = ranked.subspan(start + 1);
  const auto beyond =
      std::find_if(rest.begin(), rest.end(), [&](const RankedList& list) { return list.squared_distance > reach; });
  const auto near = static_cast<size_t>(beyond - rest.begin());
  return start + std::min<size_t>(1 + near, std::max<size_t>(point.most, 1));
}

ProbePoint Calibrate(std::span<const CalibrationQuery> queries, std::span<const uint32_t> list_sizes, size_t k,
                     double target_recall) {
  const auto lists = static_cast<uint32_t>(list_sizes.size());
  const ProbePoint everything = EveryList(lists).points.front();
  const std::vector<Neighbour> neighbours = CollectNeighbours(queries, list_sizes, k);
  if (neighbours.empty()) return everything;

  // Caps in steps of an eighth, generous ones first: of two that cost the same the wider is kept.
  ProbePoint best = everything;
  double best_entries = std::numeric_limits<double>::infinity();
  for (uint32_t most = lists; most > 0; most = std::min(most - 1, most * 7 / 8)) {
    ProbePoint point{.gap = 0, .most = most};
    if (!SmallestGap(neighbours, most, target_recall, &point.gap)) break;
    const double entries = MeanEntriesScanned(queries, list_sizes, k, point);
    if (entries < best_entries) {
      best = point;
      best_entries = entries;
    }
  }
  // A cap that cuts nothing here still tells how many lists need be ranked, and bounds queries unlike these.
  const size_t widest = MostBeyondStart(queries, list_sizes, k, best);
  best.most = static_cast<uint32_t>(std::min<size_t>(best.most, kMostBeyondSample * widest));
  return best;
}

void CalibrateFiltered(std::span<const CalibrationQuery> queries, const FilteredLists& lists, double margin_recall,
                       double bound_recall, ProbePoint* point) {
  std::vector<float> margins, bounds, entries;
  std::vector<size_t> rank_of(lists.sizes.size());
  for (const CalibrationQuery& query : queries) {
    if (query.ranked.empty() || query.neighbours.empty()) continue;
    SetRanks(query, rank_of);
    const size_t start = StartOf(query, lists.matches, lists.k * lists.copies);
    const float start_distance = Root(FarthestUpTo(query.ranked, start));
    const float farthest_match = Root(query.neighbours.back().squared_distance);
    for (const NearRow& row : query.neighbours) {
      const size_t rank = RankOf(row, rank_of);
      const bool is_ranked = rank != kUnranked;
      const float distance = is_ranked ? Root(query.ranked[rank].squared_distance) : kAnyDistance;
      margins.push_back(std::max(0.0F, Difference(distance, start_distance)));
      bounds.push_back(Difference(distance, farthest_match));
    }
    double matches = 0, looked_at = 0;
    for (const RankedList& list : query.ranked.first(start + 1)) {
      matches += lists.matches[list.list];
      if (lists.matches[list.list] > 0) looked_at += lists.sizes[list.list];
    }
    entries.push_back(static_cast<float>(static_cast<double>(lists.k) * looked_at / std::max(matches, 1.0)));
  }
  const ProbePoint everything = EveryList(lists.sizes.size()).points.front();
  point->margin = margins.empty() ? everything.margin : Quantile(std::move(margins), margin_recall);
  point->bound = bounds.empty() ? everything.bound : Quantile(std::move(bounds), bound_recall);
  point->entries = entries.empty() ? everything.entries : std::max(1.0F, Quantile(std::move(entries), 0.5));
}

RuleOutcome OutcomeOf(std::span<const CalibrationQuery> queries, std::span<const uint32_t> list_sizes, size_t k,
                      const ProbePoint& point) {
  RuleOutcome outcome;
  if (queries.empty()) return outcome;
  std::vector<bool> read(list_sizes.size());
  for (const CalibrationQuery& query : queries) {
    const std::span<const RankedList> probed = Probed(query, list_sizes, k, point);
    for (const RankedList& list : probed) read[list.list] = true;
    const auto found = std::ranges::count_if(
        query.neighbours, [&](const NearRow& row) { return read[row.lists.first] || read[row.lists.second]; });
    if (found > 0) outcome.recall += static_cast<double>(found) / static_cast<double>(query.neighbours.size());
    for (const RankedList& list : probed) read[list.list] = false;
    outcome.probes += static_cast<double>(probed.size());
  }
  outcome.recall /= static_cast<double>(std::max<size_t>(CountAnswered(queries), 1));
  outcome.probes /= static_cast<double>(queries.size());
  outcome.entries = MeanEntriesScanned(queries, list_sizes, k, point);
  return outcome;
}

}  // namespace s3v
