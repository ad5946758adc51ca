#include "fuzz/mutate.h"

#include <algorithm>

namespace s3v::fuzz {
namespace {

constexpr size_t kLongestPart = 64;

}  // namespace

Bytes Mutator::Mutated(ByteView input) {
  Bytes bytes(input.begin(), input.end());
  for (uint64_t changes = 1 + random_.Below(6); changes > 0; --changes) Change(bytes);
  if (bytes.size() > max_input_) bytes.resize(max_input_);
  return bytes;
}

void Mutator::Change(Bytes& bytes) {
  const uint64_t kind = random_.Below(words_.empty() ? 8 : 10);
  if (kind >= 8) return Insert(bytes, AsBytes(words_[random_.Below(words_.size())]));
  if (bytes.empty() || kind == 7) {
    const ByteView other = seeds_.empty() ? ByteView() : ByteView(seeds_[random_.Below(seeds_.size())]);
    return Insert(bytes, PartOf(other));
  }
  const size_t at = random_.Below(bytes.size());
  switch (kind) {
    case 0:
      bytes[at] ^= static_cast<uint8_t>(1U << random_.Below(8));
      return;
    case 1:
      bytes[at] = static_cast<uint8_t>(random_.Next());
      return;
    case 2:
      bytes[at] = static_cast<uint8_t>(bytes[at] + random_.Below(33) - 16);
      return;
    case 3:
      return PutNumber(bytes);
    case 4: {
      const size_t length = std::min<size_t>(1 + random_.Below(kLongestPart), bytes.size() - at);
      bytes.erase(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(at + length));
      return;
    }
    case 5:
      bytes.resize(at);
      return;
    default: {
      const ByteView part = PartOf(bytes);
      return Insert(bytes, Bytes(part.begin(), part.end()));
    }
  }
}

// Where lengths and counts go wrong.
void Mutator::PutNumber(Bytes& bytes) {
  constexpr uint64_t kNumbers[] = {0,          1,          2,           0x7f,       0x80,       0xff,
                                   0x100,      0x7fff,     0x8000,      0xffff,     0x10000,    0x7fffffff,
                                   0x80000000, 0xffffffff, 0x100000000, 0x7f800000, 0x7fc00000, 0xff800000,
                                   1ULL << 62, ~0ULL >> 1, 1ULL << 63,  ~0ULL};
  const uint64_t number = kNumbers[random_.Below(std::size(kNumbers))] + random_.Below(3) - 1;
  const size_t size = std::min<size_t>(size_t{1} << random_.Below(4), bytes.size());
  std::memcpy(bytes.data() + random_.Below(bytes.size() - size + 1), &number, size);
}

void Mutator::Insert(Bytes& bytes, ByteView part) {
  const size_t at = random_.Below(bytes.size() + 1);
  if (random_.Below(2) == 0) {
    const size_t over = std::min(part.size(), bytes.size() - at);
    std::copy_n(part.begin(), over, bytes.begin() + static_cast<ptrdiff_t>(at));
  } else {
    bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(at), part.begin(), part.end());
  }
}

ByteView Mutator::PartOf(ByteView bytes) {
  if (bytes.empty()) return {};
  const size_t at = random_.Below(bytes.size());
  return bytes.subspan(at, std::min<size_t>(1 + random_.Below(kLongestPart), bytes.size() - at));
}

}  // namespace s3v::fuzz
