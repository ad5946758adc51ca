#include "ivf/probe.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "ivf/kernels/kernels.h"

namespace s3v {
namespace {

// A true neighbour of a sampled query: where its list ranks, how far behind the nearest list it is, and its part of the
// mean recall.
struct Neighbour {
  size_t rank;
  double gap;
  double weight;
};

std::vector<Neighbour> CollectNeighbours(std::span<const CalibrationQuery> queries, size_t lists) {
  const auto answered = std::count_if(queries.begin(), queries.end(),
                                      [](const CalibrationQuery& query) { return !query.neighbour_lists.empty(); });
  std::vector<Neighbour> neighbours;
  std::vector<size_t> rank_of(lists);
  for (const CalibrationQuery& query : queries) {
    for (size_t rank = 0; rank < query.ranked.size(); ++rank) rank_of[query.ranked[rank].list] = rank;
    const double weight = 1.0 / (static_cast<double>(answered) * static_cast<double>(query.neighbour_lists.size()));
    for (const uint32_t list : query.neighbour_lists) {
      const size_t rank = rank_of[list];
      const double gap = static_cast<double>(query.ranked[rank].squared_distance) - query.ranked[0].squared_distance;
      neighbours.push_back({rank, gap, weight});
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
    if (neighbour.rank >= most) continue;
    recall += neighbour.weight;
    if (recall < target) continue;
    *gap = static_cast<float>(neighbour.gap);
    if (*gap < neighbour.gap) *gap = std::nextafter(*gap, std::numeric_limits<float>::infinity());
    return true;
  }
  return false;
}

double MeanEntriesScanned(std::span<const CalibrationQuery> queries, std::span<const uint32_t> list_sizes,
                          const ProbeRule& rule) {
  uint64_t entries = 0;
  for (const CalibrationQuery& query : queries) {
    const size_t probes = CountProbes(query.ranked, rule, 0);
    for (size_t rank = 0; rank < probes; ++rank) entries += list_sizes[query.ranked[rank].list];
  }
  return static_cast<double>(entries) / static_cast<double>(queries.size());
}

}  // namespace

std::vector<RankedList> RankLists(const Centroids& centroids, std::span<const float> query) {
  const size_t lists = centroids.list_count();
  std::vector<float> distances(lists);
  kernels::SquaredL2Rows(query.data(), centroids.lists.data(), lists, centroids.width, distances.data());
  // Floats that are not negative order as their bits do: one integer comparison sorts by distance, then list.
  std::vector<uint64_t> keys(lists);
  for (size_t i = 0; i < lists; ++i) {
    const float distance = std::min(distances[i], std::numeric_limits<float>::max());
    keys[i] = uint64_t{std::bit_cast<uint32_t>(distance)} << 32 | i;
  }
  std::sort(keys.begin(), keys.end());
  std::vector<RankedList> ranked(lists);
  for (size_t i = 0; i < lists; ++i) {
    ranked[i] = {static_cast<uint32_t>(keys[i]), std::bit_cast<float>(static_cast<uint32_t>(keys[i] >> 32))};
  }
  return ranked;
}

size_t CountProbes(std::span<const RankedList> ranked, const ProbeRule& rule, size_t fixed_probes) {
  if (fixed_probes > 0) return std::min(fixed_probes, ranked.size());
  if (ranked.empty()) return 0;
  const double reach = static_cast<double>(ranked[0].squared_distance) + rule.gap;
  const auto within = std::partition_point(ranked.begin(), ranked.end(),
                                           [&](const RankedList& list) { return list.squared_distance <= reach; });
  const size_t wanted = std::max<size_t>(static_cast<size_t>(within - ranked.begin()), rule.least);
  return std::clamp<size_t>(std::min<size_t>(wanted, rule.most), 1, ranked.size());
}

ProbeRule Calibrate(std::span<const CalibrationQuery> queries, std::span<const uint32_t> list_sizes,
                    double target_recall) {
  const auto lists = static_cast<uint32_t>(list_sizes.size());
  const ProbeRule everything{.gap = 0, .least = lists, .most = lists};
  const std::vector<Neighbour> neighbours = CollectNeighbours(queries, lists);
  if (neighbours.empty()) return everything;

  // Caps in steps of an eighth, generous ones first: of two rules that cost the same the wider is kept.
  ProbeRule best = everything;
  double best_entries = std::numeric_limits<double>::infinity();
  for (uint32_t most = lists; most > 0; most = std::min(most - 1, most * 7 / 8)) {
    ProbeRule rule{.gap = 0, .least = 1, .most = most};
    if (!SmallestGap(neighbours, most, target_recall, &rule.gap)) break;
    const double entries = MeanEntriesScanned(queries, list_sizes, rule);
    if (entries < best_entries) {
      best = rule;
      best_entries = entries;
    }
  }
  return best;
}

}  // namespace s3v
