// Inside ivf: rows rounded to int8. Products of these cost a quarter of a float product's time; what they leave open is
// then settled in float, so that the answer is the one that floats give.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace s3v {

class RoundedRows {
 public:
  // Room for `count` rows of that width, each of which must be set.
  RoundedRows(size_t count, size_t width);
  // `rows` is count x width, row-major, finite.
  RoundedRows(std::span<const float> rows, size_t width);

  // Several threads may set rows, each its own.
  void Set(size_t i, const float* row);

  size_t count() const { return scales_.size(); }
  size_t stride() const { return stride_; }  // bytes from row to row; those beyond the width are zero
  const int8_t* row(size_t i) const { return bytes_.get() + i * stride_; }
  std::span<const float> scales() const { return scales_; }  // row i is about scales()[i] * row(i)
  float norm(size_t i) const { return norms_[i]; }
  float error(size_t i) const { return errors_[i]; }  // the row less what it is rounded to is at most so long

 private:
  size_t width_;
  size_t stride_;
  std::unique_ptr<int8_t[]> bytes_;
  std::vector<float> scales_;
  std::vector<float> norms_;
  std::vector<float> errors_;
};

// For each of some rows the nearest of some centroids: the least |c|^2 - 2 <row, c>, the first of equals. Look* Settle.
// Rows are numbered from `begin` on.
class NearestByTwoLooks {
 public:
  // The rows [begin, end); lengths[c] is |c|^2.
  NearestByTwoLooks(const RoundedRows& rows, size_t begin, size_t end, const RoundedRows& centroids,
                    std::span<const float> lengths);

  // Compares `members` among the rows with the centroids from `first` on. Centroids must come in ascending order.
  void Look(std::span<const uint32_t> members, size_t first, size_t count);

  // All rows with all centroids.
  void LookAtAll();

  // score(row, centroid) is asked for those in doubt: their distance in float, squared; never NaN. nearest[i] stays
  // where nothing was compared.
  template <class Score>
  void Settle(const Score& score, std::span<uint32_t> nearest);

 private:
  struct Candidate {
    uint32_t row;
    uint32_t centroid;
    float least;  // what its score is at least
  };

  void Compare(std::span<const uint32_t> members, const int8_t* bytes, size_t first, size_t count);
  // Drops what is certainly not nearest; how many candidates each row has left.
  std::vector<uint32_t> CountCandidates();

  const RoundedRows& rows_;
  const size_t begin_;
  const RoundedRows& centroids_;
  const std::span<const float> lengths_;
  std::vector<float> most_;  // what each row's least score is at most
  std::vector<Candidate> candidates_;
  std::vector<int8_t> gathered_;
  std::vector<int32_t> dots_;
  std::vector<float> scores_;
};

template <class Score>
void NearestByTwoLooks::Settle(const Score& score, std::span<uint32_t> nearest) {
  const std::vector<uint32_t> counts = CountCandidates();
  std::vector<float> least(nearest.size());
  std::vector<bool> met(nearest.size());
  for (const Candidate& candidate : candidates_) {
    const uint32_t row = candidate.row;
    if (counts[row] == 1) {
      nearest[row] = candidate.centroid;
      continue;
    }
    const float exact = score(row, candidate.centroid);
    if (met[row] && !(exact < least[row])) continue;
    met[row] = true;
    least[row] = exact;
    nearest[row] = candidate.centroid;
  }
}

}  // namespace s3v
