// The exact answer, for measuring recall.
#include <string>
#include <vector>

#include "api/guard.h"
#include "ivf/truth.h"

using namespace s3v;

struct s3v_truth {
  Truth truth;
  size_t dimensions;
  std::vector<double> nearest;  // of the last call
};

s3v_code s3v_truth_open(s3v_metric metric, size_t dimensions, const float* queries, const void* const* own_keys,
                        const size_t* own_key_sizes, size_t query_count, size_t k, s3v_truth** truth, s3v_error* err) {
  return Guarded(err, [&] {
    std::vector<std::string> own;
    for (size_t i = 0; i < query_count; ++i) own.emplace_back(static_cast<const char*>(own_keys[i]), own_key_sizes[i]);
    *truth = new s3v_truth{
        Truth(static_cast<Metric>(metric), dimensions, {queries, query_count * dimensions}, std::move(own), k),
        dimensions,
        {}};
  });
}

s3v_code s3v_truth_add(s3v_truth* truth, const void* key, size_t key_size, const float* vector, s3v_error* err) {
  return Guarded(err, [&] {
    truth->truth.Add({static_cast<const char*>(key), key_size}, {vector, truth->dimensions});
  });
}

s3v_code s3v_truth_nearest(s3v_truth* truth, size_t query, const double** distances, size_t* count, s3v_error* err) {
  return Guarded(err, [&] {
    truth->nearest = truth->truth.Nearest(query);
    *distances = truth->nearest.data();
    *count = truth->nearest.size();
  });
}

void s3v_truth_free(s3v_truth* truth) { delete truth; }
