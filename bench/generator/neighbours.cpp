#include "neighbours.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "product.h"

namespace s3v::bench {

namespace {

constexpr int kSpare = 28;  // candidates beyond k, for float32's errors

// The nearest of what was offered, a few more than `keep` at times; `limit` is what a new one must stay below.
class Shortlist {
 public:
  void Offer(float score, int32_t id) {
    held_.push_back({score, id});
    if (held_.size() >= 2 * kKeep) Shorten();
  }
  void Shorten() {
    if (held_.size() <= kKeep) return;
    std::nth_element(held_.begin(), held_.begin() + kKeep - 1, held_.end());
    held_.resize(kKeep);
    limit = static_cast<float>(held_.back().distance);
  }
  const std::vector<Neighbour>& held() const { return held_; }
  float limit = INFINITY;

 private:
  static constexpr size_t kKeep = kNeighbours + kSpare;
  std::vector<Neighbour> held_;
};

}  // namespace

Neighbours ExactNeighbours(const MappedVectors& base, const MappedVectors& queries, bool cosine, int threads) {
  const int64_t d = base.dimensions(), asked = queries.rows();
  const Panels panels(queries.row(0), d, asked, true);
  std::vector<std::vector<Shortlist>> found(threads, std::vector<Shortlist>(asked));
  std::atomic<int> thread_number = 0;
  InParallel(threads, threads, [&](int64_t) {
    std::vector<Shortlist>& mine = found[thread_number++];
    const int64_t number = &mine - found.data();
    Floats products(kBlock * kPanel), squares(kBlock), rows(kBlock * d);
    for (int64_t first = number * kBlock; first < base.rows(); first += threads * kBlock) {
      const int64_t count = std::min(kBlock, base.rows() - first);
      std::memcpy(rows.data(), base.row(first), count * d * sizeof(float));
      for (int64_t r = 0; r < count; ++r) squares[r] = static_cast<float>(Dot(&rows[r * d], &rows[r * d], d));
      for (int64_t p = 0; p < panels.count(); ++p) {
        panels.MultiplyOne(p, rows.data(), count, products.data(), kPanel);
        const int64_t wanted = std::min(kPanel, asked - p * kPanel);
        for (int64_t r = 0; r < count; ++r) {
          for (int64_t c = 0; c < wanted; ++c) {
            const float score = squares[r] - 2 * products[r * kPanel + c];
            Shortlist& list = mine[p * kPanel + c];
            if (score < list.limit) list.Offer(score, static_cast<int32_t>(first + r));
          }
        }
      }
    }
  });
  Neighbours result(asked);
  for (int64_t q = 0; q < asked; ++q) {
    Shortlist merged;
    for (std::vector<Shortlist>& lists : found) {
      for (const Neighbour& one : lists[q].held()) merged.Offer(static_cast<float>(one.distance), one.id);
    }
    merged.Shorten();
    const float* query = queries.row(q);
    for (const Neighbour& one : merged.held()) {
      const float* row = base.row(one.id);
      const double distance = cosine ? 1 - Dot(query, row, d) / std::sqrt(Dot(query, query, d) * Dot(row, row, d))
                                     : SquaredL2(query, row, d);
      result[q].push_back({distance, one.id});
    }
    std::sort(result[q].begin(), result[q].end());
    result[q].resize(std::min<size_t>(kNeighbours, result[q].size()));
  }
  return result;
}

void CheckAgainstPlain(const MappedVectors& base, const MappedVectors& queries, bool cosine, int64_t query,
                       const std::vector<Neighbour>& found) {
  const float* vector = queries.row(query);
  const int64_t d = base.dimensions();
  std::vector<Neighbour> all(base.rows());
  for (int64_t i = 0; i < base.rows(); ++i) {
    const float* row = base.row(i);
    all[i] = {cosine ? 1 - Dot(vector, row, d) / std::sqrt(Dot(vector, vector, d) * Dot(row, row, d))
                     : SquaredL2(vector, row, d),
              static_cast<int32_t>(i)};
  }
  std::partial_sort(all.begin(), all.begin() + static_cast<int64_t>(found.size()), all.end());
  for (size_t i = 0; i < found.size(); ++i) {
    if (all[i].id != found[i].id) throw std::logic_error("query " + std::to_string(query) + " has wrong neighbours");
  }
}

void WriteTruth(const std::string& path, const Neighbours& found) {
  const int64_t asked = static_cast<int64_t>(found.size());
  std::vector<int32_t> words = {static_cast<int32_t>(asked), kNeighbours};
  Floats distances;
  for (const std::vector<Neighbour>& one : found) {
    for (int i = 0; i < kNeighbours; ++i) {
      words.push_back(i < static_cast<int>(one.size()) ? one[i].id : -1);
      distances.push_back(i < static_cast<int>(one.size()) ? static_cast<float>(one[i].distance) : INFINITY);
    }
  }
  const size_t ids = words.size();
  words.resize(ids + distances.size());
  std::memcpy(words.data() + ids, distances.data(), distances.size() * sizeof(float));
  WriteFile(path, words.data(), words.size() * sizeof(int32_t));
}

Difficulty Measure(const MappedVectors& base, const MappedVectors& queries, const Neighbours& found) {
  const int64_t d = base.dimensions(), asked = queries.rows();
  const int64_t some_queries = std::min<int64_t>(asked, 200), some_rows = std::min<int64_t>(base.rows(), 2000);
  double mean = 0, tenth = 0, lid = 0;
  for (int64_t q = 0; q < some_queries; ++q) {
    for (int64_t i = 0; i < some_rows; ++i) mean += std::sqrt(SquaredL2(queries.row(q), base.row(i), d));
  }
  mean /= static_cast<double>(some_queries * some_rows);
  for (int64_t q = 0; q < asked; ++q) {
    std::vector<double> near;
    for (const Neighbour& one : found[q]) {
      near.push_back(std::sqrt(std::max(SquaredL2(queries.row(q), base.row(one.id), d), 1e-12)));
    }
    double logs = 0;
    for (size_t i = 0; i + 1 < near.size(); ++i) logs += std::log(near[i] / near.back() + 1e-12);
    tenth += near[9];
    lid += -static_cast<double>(near.size() - 1) / logs;
  }
  return {mean / (tenth / static_cast<double>(asked)), lid / static_cast<double>(asked)};
}

}  // namespace s3v::bench
