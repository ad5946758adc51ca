#include "engine/calibration.h"

#include <algorithm>

#include "base/parallel.h"

namespace s3v {
namespace {

// Measured in docs/design/probing.md: so much of what is missing to full recall is added to the target.
constexpr double kMargin = 0.4;
constexpr size_t kNeighbours = 10;

}  // namespace

double CalibrationTarget(double recall) { return recall + kMargin * (1 - recall); }

Calibration::Calibration(std::vector<float> queries, std::vector<uint64_t> own_rows, const AssignmentSpace& space)
    : space_(space),
      query_vectors_(std::move(queries)),
      own_rows_(own_rows.size()),
      truth_(query_vectors_, space.width(), own_rows, kNeighbours) {}

void Calibration::Rank(const CentroidTables& tables, const Rotation& rotation, int threads, Stop& stop) {
  std::vector<std::vector<ListPair>> neighbours = truth_.Take();
  queries_.resize(neighbours.size());
  ParallelFor(queries_.size(), 1, threads, stop, [&](size_t i, size_t) {
    const auto query = std::span(query_vectors_).subspan(i * space_.width(), space_.dimensions);
    std::vector<float> rotated(space_.dimensions);
    rotation.Apply(query, rotated);
    ListRanking ranking(tables, rotated, tables.lists.count);
    ranking.RankAll();
    queries_[i].ranked.assign(ranking.ranked().begin(), ranking.ranked().end());
    queries_[i].neighbour_lists = std::move(neighbours[i]);
  });
}

Calibration::Choice Calibration::ChooseDouble(double recall, std::span<const uint32_t> list_sizes) const {
  return Choose(queries_, recall, list_sizes);
}

Calibration::Choice Calibration::ChooseSingle(double recall, std::span<const uint32_t> list_sizes) const {
  std::vector<CalibrationQuery> single = queries_;
  for (CalibrationQuery& query : single) {
    for (ListPair& lists : query.neighbour_lists) lists.second = lists.first;
  }
  return Choose(single, recall, list_sizes);
}

Calibration::Choice Calibration::Choose(std::span<const CalibrationQuery> queries, double recall,
                                        std::span<const uint32_t> list_sizes) {
  const ProbeRule rule = Calibrate(queries, list_sizes, CalibrationTarget(recall));
  return {rule, OutcomeOf(queries, list_sizes, rule)};
}

}  // namespace s3v
