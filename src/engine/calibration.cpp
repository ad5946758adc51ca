#include "engine/calibration.h"

#include <algorithm>
#include <numeric>

#include "base/parallel.h"

namespace s3v {
namespace {

// Measured in docs/design/probing.md: so much of what is missing to full recall is added to the target.
constexpr double kMargin = 0.4;

// The same for filters, whose two steps find what the other misses.
constexpr double kFirstStep = 0.2;
constexpr double kSecondStep = 0.5;

double Toward1(double recall, double part) { return recall + part * (1 - recall); }

// With each query's matches in one list, though they may lie in two.
NeighboursByLevel InFirstLists(NeighboursByLevel neighbours) {
  for (auto& level : neighbours) {
    for (auto& query : level) {
      for (NearRow& row : query) row.lists.second = row.lists.first;
    }
  }
  return neighbours;
}

std::vector<CalibrationQuery> QueriesOf(std::span<const std::vector<RankedList>> rankings,
                                        const std::vector<std::vector<NearRow>>& neighbours) {
  std::vector<CalibrationQuery> queries;
  for (size_t i = 0; i < rankings.size(); ++i) queries.push_back({rankings[i], neighbours[i]});
  return queries;
}

}  // namespace

double CalibrationTarget(double recall) { return Toward1(recall, kMargin); }

ProbeRule ChooseRule(std::span<const std::vector<RankedList>> rankings, const NeighboursByLevel& neighbours,
                     std::span<const uint32_t> list_sizes, const LevelCounts& counts, size_t copies, double recall) {
  const double target = CalibrationTarget(recall);
  ProbeRule rule{.points = {}};
  for (size_t level = 0; level < neighbours.size(); ++level) {
    const std::vector<CalibrationQuery> queries = QueriesOf(rankings, neighbours[level]);
    // The k nearest of a tenth of the rows are as far as the nearest 10 k of all.
    const size_t k = kCalibrationNeighbours * LevelStep(level);
    ProbePoint point = Calibrate(queries, list_sizes, k, target);
    const FilteredLists lists{
        .sizes = list_sizes, .matches = counts.Of(level), .k = kCalibrationNeighbours, .copies = copies};
    CalibrateFiltered(queries, lists, Toward1(recall, kFirstStep), Toward1(recall, kSecondStep), &point);
    if (rule.points.empty() || point.entries > rule.points.back().entries) rule.points.push_back(point);
  }
  return rule;
}

Calibration::Calibration(std::vector<float> queries, std::vector<uint64_t> own_rows, uint64_t rows, size_t lists,
                         const AssignmentSpace& space)
    : space_(space),
      query_vectors_(std::move(queries)),
      own_rows_(own_rows.size()),
      truth_(query_vectors_, space.width(), own_rows, kCalibrationNeighbours, CountLevels(rows)),
      single_counts_(CountLevels(rows), lists),
      double_counts_(CountLevels(rows), lists) {}

void Calibration::Add(std::span<const float> rows, uint64_t first_row, std::span<const uint32_t> lists,
                      std::span<const uint32_t> seconds, int threads, Stop& stop) {
  std::vector<uint64_t> numbers(lists.size());
  std::iota(numbers.begin(), numbers.end(), first_row);
  truth_.Add(rows, numbers, numbers, lists, seconds, threads, stop);
  for (size_t i = 0; i < lists.size(); ++i) {
    single_counts_.Add(lists[i], numbers[i]);
    double_counts_.Add(lists[i], numbers[i]);
    if (!seconds.empty() && seconds[i] != lists[i]) double_counts_.Add(seconds[i], numbers[i]);
  }
}

void Calibration::Rank(const CentroidTables& tables, const Rotation& rotation, int threads, Stop& stop) {
  neighbours_ = truth_.Take();
  rankings_.resize(own_rows_);
  ParallelFor(rankings_.size(), 1, threads, stop, [&](size_t i, size_t) {
    const auto query = std::span(query_vectors_).subspan(i * space_.width(), space_.dimensions);
    std::vector<float> rotated(space_.dimensions);
    rotation.Apply(query, rotated);
    ListRanking ranking(tables, rotated, tables.lists.count);
    ranking.RankAll();
    rankings_[i].assign(ranking.ranked().begin(), ranking.ranked().end());
  });
}

Calibration::Choice Calibration::ChooseDouble(double recall, std::span<const uint32_t> list_sizes) const {
  const ProbeRule rule = ChooseRule(rankings_, neighbours_, list_sizes, double_counts_, 2, recall);
  return {rule, OutcomeOf(QueriesOf(rankings_, neighbours_.front()), list_sizes, kCalibrationNeighbours,
                          rule.points.front())};
}

Calibration::Choice Calibration::ChooseSingle(double recall, std::span<const uint32_t> list_sizes) const {
  const auto neighbours = InFirstLists(neighbours_);
  const ProbeRule rule = ChooseRule(rankings_, neighbours, list_sizes, single_counts_, 1, recall);
  return {rule,
          OutcomeOf(QueriesOf(rankings_, neighbours.front()), list_sizes, kCalibrationNeighbours, rule.points.front())};
}

}  // namespace s3v
