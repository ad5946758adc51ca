// The kinds of sets that can be generated.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "random.h"

namespace s3v::bench {

constexpr int64_t kBlock = 512;  // rows drawn at once, at most

class Recipe {
 public:
  virtual ~Recipe() = default;
  virtual int64_t dimensions() const = 0;
  virtual bool cosine() const = 0;
  // Rows first ... first + count - 1 of a stream; count <= kBlock.
  virtual void Draw(Stream stream, int64_t first, int64_t count, float* out) const = 0;
};

// kind: topics, hard, growth (main.cpp says what they are).
std::unique_ptr<Recipe> MakeRecipe(const std::string& kind, uint64_t seed);

}  // namespace s3v::bench
