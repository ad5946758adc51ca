// Files of vectors: int32 rows, int32 dimensions, float32 values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "recipes.h"

namespace s3v::bench {

// Calls work(block) for every block, from so many threads.
void InParallel(int threads, int64_t blocks, const std::function<void(int64_t)>& work);

// The functions that write throw std::runtime_error when they cannot.
void WriteFile(const std::string& path, const void* data, size_t size);
void WriteVectors(const std::string& path, const Recipe& recipe, Stream stream, int64_t rows, int threads);

class MappedVectors {
 public:
  explicit MappedVectors(const std::string& path);
  ~MappedVectors();
  MappedVectors(const MappedVectors&) = delete;
  int64_t rows() const { return rows_; }
  int64_t dimensions() const { return dimensions_; }
  const float* row(int64_t i) const { return reinterpret_cast<const float*>(map_) + 2 + i * dimensions_; }

 private:
  void* map_;
  size_t size_;
  int64_t rows_, dimensions_;
};

}  // namespace s3v::bench
