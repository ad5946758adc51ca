// Seeded changes of inputs, as a fuzzer makes them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"

namespace s3v::fuzz {

class Mutator {
 public:
  // Views must outlive it.
  Mutator(std::span<const Bytes> seeds, std::span<const std::string_view> words, size_t max_input, uint64_t seed)
      : seeds_(seeds), words_(words), max_input_(max_input), random_(seed) {}

  // One to six changes: bits, bytes, numbers at the ends of their types, parts cut out, doubled, put elsewhere, taken
  // from another seed, words.
  Bytes Mutated(ByteView input);

 private:
  void Change(Bytes& bytes);
  void PutNumber(Bytes& bytes);
  void Insert(Bytes& bytes, ByteView part);
  ByteView PartOf(ByteView bytes);

  std::span<const Bytes> seeds_;
  std::span<const std::string_view> words_;
  size_t max_input_;
  Random random_;
};

}  // namespace s3v::fuzz
