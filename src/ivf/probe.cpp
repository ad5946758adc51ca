#include "ivf/probe.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace s3v {
namespace {

constexpr size_t kMostBeyondSample = 2;

// A true neighbour of a sampled query: where the first of its lists ranks, how far the lists up to there are behind the
// nearest one, and its part of the mean recall.
struct Neighbour {
  size_t rank;
  double gap;
  double weight;
};

size_t CountAnswered(std::span<const CalibrationQuery> queries) {
  return static_cast<size_t>(std::count_if(
      queries.begin(), queries.end(), [](const CalibrationQuery& query) { return !query.neighbour_lists.empty(); }));
}

// Neighbours in lists that are ranked, the smallest gap first.
std::vector<Neighbour> CollectNeighbours(std::span<const CalibrationQuery> queries, size_t lists) {
  constexpr size_t kUnranked = std::numeric_limits<size_t>::max();
  const auto answered = static_cast<double>(CountAnswered(queries));
  std::vector<Neighbour> neighbours;
  std::vector<size_t> rank_of(lists);
  std::vector<double> gap_up_to;
  for (const CalibrationQuery& query : queries) {
    std::fill(rank_of.begin(), rank_of.end(), kUnranked);
    gap_up_to.clear();
    double widest = 0;  // a ranking through parents may be out of order where it goes on to the other parents
    for (const RankedList& list : query.ranked) {
      rank_of[list.list] = gap_up_to.size();
      widest = std::max(widest, static_cast<double>(list.squared_distance) - query.ranked[0].squared_distance);
      gap_up_to.push_back(widest);
    }
    const double weight = 1.0 / (answered * static_cast<double>(query.neighbour_lists.size()));
    for (const ListPair& lists_of : query.neighbour_lists) {
      const size_t rank = std::min(rank_of[lists_of.first], rank_of[lists_of.second]);
      if (rank != kUnranked) neighbours.push_back({rank, gap_up_to[rank], weight});
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

size_t MostProbes(std::span<const CalibrationQuery> queries, const ProbeRule& rule) {
  size_t most = 0;
  for (const CalibrationQuery& query : queries) most = std::max(most, CountProbes(query.ranked, rule, 0));
  return most;
}

}  // namespace

size_t CountProbes(std::span<const RankedList> ranked, const ProbeRule& rule, size_t fixed_probes) {
  if (fixed_probes > 0) return std::min(fixed_probes, ranked.size());
  if (ranked.empty()) return 0;
  const double reach = static_cast<double>(ranked[0].squared_distance) + rule.gap;
  const auto beyond =
      std::find_if(ranked.begin(), ranked.end(), [&](const RankedList& list) { return list.squared_distance > reach; });
  const size_t wanted = std::max<size_t>(static_cast<size_t>(beyond - ranked.begin()), rule.least);
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
  // A cap that cuts nothing here still tells how many lists need be ranked, and bounds queries unlike these.
  const size_t widest = MostProbes(queries, best);
  best.most = static_cast<uint32_t>(std::min<size_t>(best.most, kMostBeyondSample * widest));
  return best;
}

RuleOutcome OutcomeOf(std::span<const CalibrationQuery> queries, std::span<const uint32_t> list_sizes,
                      const ProbeRule& rule) {
  RuleOutcome outcome;
  if (queries.empty()) return outcome;
  std::vector<bool> read(list_sizes.size());
  for (const CalibrationQuery& query : queries) {
    const std::span<const RankedList> probed = std::span(query.ranked).first(CountProbes(query.ranked, rule, 0));
    for (const RankedList& list : probed) read[list.list] = true;
    const auto found = std::count_if(query.neighbour_lists.begin(), query.neighbour_lists.end(),
                                     [&](const ListPair& lists) { return read[lists.first] || read[lists.second]; });
    if (found > 0) outcome.recall += static_cast<double>(found) / static_cast<double>(query.neighbour_lists.size());
    for (const RankedList& list : probed) read[list.list] = false;
    outcome.probes += static_cast<double>(probed.size());
  }
  outcome.recall /= static_cast<double>(std::max<size_t>(CountAnswered(queries), 1));
  outcome.probes /= static_cast<double>(queries.size());
  outcome.entries = MeanEntriesScanned(queries, list_sizes, rule);
  return outcome;
}

}  // namespace s3v
