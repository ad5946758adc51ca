// Columns to filter by whose selectivity can be asked for, and the exact neighbours among the rows that pass: for
// bench/filters.
//
//   filter_truth columns BASE QUERIES METRIC OUT.tsv QUERY...
//     A line for each row: its number, r (a random place), then for each QUERY named near_0, near_1, ...: the place of
//     the row by distance to the row that is nearest to this query. Places are whole numbers from 0 to 9999, each of as
//     many rows (within one).
//
//   filter_truth neighbours BASE QUERIES METRIC COLUMNS.tsv TASKS.tsv OUT.ibin
//     A line of TASKS is "query column low high": the 10 nearest of the rows with low <= column < high; column -1 is
//     the row number. OUT is as the shared folder has ground truth; standard output gets how many rows pass, a line for
//     each task.
//
// BASE and QUERIES are fbin or u8bin files, METRIC is l2 or cosine. Distances are sums in double of what the files
// hold.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <limits>
#include <numeric>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

constexpr int kPlaces = 10000;
constexpr int kNeighbours = 10;

struct Matrix {
  int32_t rows = 0;
  int32_t dimensions = 0;
  std::vector<float> values;

  const float* Row(int64_t row) const { return values.data() + row * dimensions; }
};

// fbin, or u8bin by its name.
Matrix ReadVectors(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Matrix matrix;
  file.read(reinterpret_cast<char*>(&matrix.rows), 4);
  file.read(reinterpret_cast<char*>(&matrix.dimensions), 4);
  if (!file || matrix.rows <= 0 || matrix.dimensions <= 0) throw std::runtime_error("no vectors in " + path);
  const size_t count = static_cast<size_t>(matrix.rows) * matrix.dimensions;
  if (path.ends_with(".u8bin")) {
    std::vector<unsigned char> bytes(count);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(count));
    matrix.values.assign(bytes.begin(), bytes.end());
  } else {
    matrix.values.resize(count);
    file.read(reinterpret_cast<char*>(matrix.values.data()), static_cast<std::streamsize>(4 * count));
  }
  if (!file) throw std::runtime_error(path + " ends early");
  return matrix;
}

// Four sums, so that they need not wait for each other.
template <typename Term>
double Sum(int32_t count, Term term) {
  double sums[4] = {0, 0, 0, 0};
  int32_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int lane = 0; lane < 4; ++lane) sums[lane] += term(i + lane);
  }
  for (; i < count; ++i) sums[0] += term(i);
  return sums[0] + sums[1] + sums[2] + sums[3];
}

double Dot(const float* a, const float* b, int32_t count) {
  return Sum(count, [&](int32_t i) { return static_cast<double>(a[i]) * b[i]; });
}

double SquaredDistance(const float* a, const float* b, int32_t count) {
  return Sum(count, [&](int32_t i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    return difference * difference;
  });
}

class Space {
 public:
  Space(const Matrix& base, const std::string& metric) : base_(base), is_cosine_(metric == "cosine") {
    if (!is_cosine_ && metric != "l2") throw std::runtime_error("no metric " + metric);
  }

  // Of every row, as ground truth files have it: l2 squared.
  std::vector<double> DistancesTo(const float* vector) const {
    std::vector<double> distances(base_.rows);
    const int32_t dimensions = base_.dimensions;
    const double length = is_cosine_ ? Dot(vector, vector, dimensions) : 0;
    for (int32_t row = 0; row < base_.rows; ++row) {
      const float* other = base_.Row(row);
      distances[row] = is_cosine_
                           ? 1 - Dot(vector, other, dimensions) / std::sqrt(length * Dot(other, other, dimensions))
                           : SquaredDistance(vector, other, dimensions);
    }
    return distances;
  }

 private:
  const Matrix& base_;
  bool is_cosine_;
};

// The place of each row, given the rows in order.
std::vector<int> PlacesOf(const std::vector<int32_t>& order) {
  std::vector<int> places(order.size());
  for (size_t i = 0; i < order.size(); ++i) places[order[i]] = static_cast<int>(i * kPlaces / order.size());
  return places;
}

std::vector<int32_t> InOrder(const std::vector<double>& distances) {
  std::vector<int32_t> order(distances.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int32_t a, int32_t b) { return std::pair(distances[a], a) < std::pair(distances[b], b); });
  return order;
}

std::vector<int> RandomPlaces(int32_t rows) {
  std::vector<int32_t> order(rows);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(7);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  return PlacesOf(order);
}

std::vector<int> PlacesNear(const Matrix& base, const Space& space, const float* query) {
  const std::vector<double> distances = space.DistancesTo(query);
  const auto nearest = std::min_element(distances.begin(), distances.end()) - distances.begin();
  return PlacesOf(InOrder(space.DistancesTo(base.Row(nearest))));
}

void WriteColumns(const Matrix& base, const Matrix& queries, const Space& space, const std::string& path,
                  const std::vector<int>& anchors) {
  std::vector<std::vector<int>> columns = {RandomPlaces(base.rows)};
  for (const int query : anchors) columns.push_back(PlacesNear(base, space, queries.Row(query)));
  std::ofstream file(path);
  for (int32_t row = 0; row < base.rows; ++row) {
    file << row;
    for (const std::vector<int>& column : columns) file << '\t' << column[row];
    file << '\n';
  }
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

// ---- neighbours ----

struct Task {
  int query, column, low, high;
};

std::vector<std::vector<int>> ReadNumbers(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::vector<int>> lines;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::vector<int>& numbers = lines.emplace_back();
    for (int number; words >> number;) numbers.push_back(number);
  }
  if (lines.empty()) throw std::runtime_error("nothing in " + path);
  return lines;
}

struct Answer {
  int64_t passing = 0;
  std::vector<std::pair<double, int32_t>> nearest;
};

Answer Neighbours(const std::vector<double>& distances, const std::vector<std::vector<int>>& columns,
                  const Task& task) {
  Answer answer;
  auto& heap = answer.nearest;
  for (int32_t row = 0; row < static_cast<int32_t>(distances.size()); ++row) {
    const int value = columns[row][task.column + 1];  // the row number comes first
    if (value < task.low || value >= task.high) continue;
    ++answer.passing;
    const std::pair candidate(distances[row], row);
    if (heap.size() == kNeighbours && candidate >= heap.front()) continue;
    if (heap.size() == kNeighbours) {
      std::pop_heap(heap.begin(), heap.end());
      heap.pop_back();
    }
    heap.push_back(candidate);
    std::push_heap(heap.begin(), heap.end());
  }
  std::sort_heap(heap.begin(), heap.end());
  return answer;
}

// Tasks of one query follow each other, so that its distances are computed once.
std::vector<Answer> AnswerAll(const Space& space, const Matrix& queries, const std::vector<std::vector<int>>& columns,
                              const std::vector<Task>& tasks) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (i == 0 || tasks[i].query != tasks[i - 1].query) starts.push_back(i);
  }
  std::vector<Answer> answers(tasks.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t turn = next++; turn < starts.size(); turn = next++) {
      const size_t end = turn + 1 < starts.size() ? starts[turn + 1] : tasks.size();
      const std::vector<double> distances = space.DistancesTo(queries.Row(tasks[starts[turn]].query));
      for (size_t i = starts[turn]; i < end; ++i) answers[i] = Neighbours(distances, columns, tasks[i]);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return answers;
}

void WriteTruth(const std::string& path, const std::vector<Answer>& answers) {
  std::vector<int32_t> ids;
  std::vector<float> distances;
  for (const Answer& answer : answers) {
    for (size_t i = 0; i < kNeighbours; ++i) {
      const bool is_there = i < answer.nearest.size();
      ids.push_back(is_there ? answer.nearest[i].second : -1);
      distances.push_back(is_there ? static_cast<float>(answer.nearest[i].first)
                                   : std::numeric_limits<float>::infinity());
    }
  }
  const int32_t head[2] = {static_cast<int32_t>(answers.size()), kNeighbours};
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(head), sizeof head);
  file.write(reinterpret_cast<const char*>(ids.data()), static_cast<std::streamsize>(4 * ids.size()));
  file.write(reinterpret_cast<const char*>(distances.data()), static_cast<std::streamsize>(4 * distances.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

int CheckedQuery(const Matrix& queries, int query) {
  if (query < 0 || query >= queries.rows) throw std::runtime_error("no query " + std::to_string(query));
  return query;
}

int Run(const std::vector<std::string>& words) {
  if (words.size() < 6 || (words[0] == "neighbours" && words.size() != 7)) {
    throw std::runtime_error("see the head of filter_truth.cpp");
  }
  const Matrix base = ReadVectors(words[1]), queries = ReadVectors(words[2]);
  if (base.dimensions != queries.dimensions) throw std::runtime_error("rows and queries differ in dimensions");
  const Space space(base, words[3]);
  if (words[0] == "columns") {
    std::vector<int> anchors;
    for (size_t i = 5; i < words.size(); ++i) anchors.push_back(CheckedQuery(queries, std::stoi(words[i])));
    WriteColumns(base, queries, space, words[4], anchors);
    return 0;
  }
  const std::vector<std::vector<int>> columns = ReadNumbers(words[4]);
  if (columns.size() != static_cast<size_t>(base.rows))
    throw std::runtime_error("rows and their columns differ in number");
  std::vector<Task> tasks;
  for (const std::vector<int>& numbers : ReadNumbers(words[5])) {
    const Task& task =
        tasks.emplace_back(Task{CheckedQuery(queries, numbers.at(0)), numbers.at(1), numbers.at(2), numbers.at(3)});
    if (task.column < -1 || task.column + 1 >= static_cast<int>(columns[0].size()))
      throw std::runtime_error("no such column");
  }
  const std::vector<Answer> answers = AnswerAll(space, queries, columns, tasks);
  WriteTruth(words[6], answers);
  for (const Answer& answer : answers) std::cout << answer.passing << '\n';
  return 0;
}

}  // namespace

int main(int count, char** words) try { return Run({words + 1, words + count}); } catch (const std::exception& error) {
  std::cerr << "filter_truth: " << error.what() << '\n';
  return 1;
}
