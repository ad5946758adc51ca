// What is fuzzed: one target for each decoder of bytes that come from outside. scripts/fuzz gives them to libFuzzer,
// replay_test.cpp gives them seeded mutations of the same seeds, without clang. docs/design/fuzzing.md.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <source_location>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace s3v::fuzz {

// What must not be: a wrong answer, an error that the caller cannot expect, too much memory. A crash finds itself.
class Finding : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline void Require(bool holds, const char* what) {
  if (!holds) throw Finding(what);
}

struct Target {
  std::string_view name;
  // Gives bytes to a decoder and uses what it accepts. Throws Finding, and whatever no caller expects.
  void (*run)(ByteView input);
  std::vector<Bytes> (*seeds)();
  std::vector<std::string_view> words = {};  // that inputs are made of
  size_t max_input = 4096;                   // bytes
  // Held at once, at most: so many bytes, and for each byte of the input as many more.
  size_t memory = 256 * 1024;
  size_t memory_per_byte = 64;
};

// All of them, by file.
std::vector<Target> ValueTargets();
std::vector<Target> ObjectTargets();
std::vector<Target> RangeTargets();
std::vector<Target> FilterTargets();
std::vector<Target> TextTargets();
std::vector<Target> CacheTargets();
std::vector<Target> IndexTargets();
std::vector<Target> RemoteTargets();
const std::vector<Target>& AllTargets();

// Runs a target and measures what it holds. Throws as `run` does.
void RunMeasured(const Target& target, ByteView input);

// The places of the targets that gave bytes to a decoder since this was cleared, and whether it took any of them:
// behind one that refuses even all seeds, nothing is tested.
struct Place {
  std::string_view file;
  uint32_t line = 0;
  auto operator<=>(const Place&) const = default;
};
std::map<Place, bool>& TakenAt();

// What a decoder said that answers whether it takes its input.
inline bool Takes(bool is_taken, std::source_location where = std::source_location::current()) {
  TakenAt()[{where.file_name(), where.line()}] |= is_taken;
  return is_taken;
}

// Whether `work` came to its end. Errors of other codes than the one that is expected are findings.
template <class Work>
bool Accepts(Work&& work, std::initializer_list<Code> expected = {Code::kCorrupted},
             std::source_location where = std::source_location::current()) {
  try {
    work();
  } catch (const Error& error) {
    for (const Code code : expected) {
      if (error.code() == code) return Takes(false, where);
    }
    throw Finding("unexpected error: " + error.message() + " (" + error.detail() + ")");
  }
  return Takes(true, where);
}

// A heap block of just that size, so that the sanitizer sees a read behind its end.
inline Bytes Copy(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

// ---- inputs of several parts: u16 length and bytes, each; the last one that is cut short takes what is left

std::vector<ByteView> PartsOf(ByteView input, size_t most);
Bytes Joined(std::span<const Bytes> parts);

// Takes numbers from the front of an input; zeros once it has ended.
class Choices {
 public:
  explicit Choices(ByteView input) : rest_(input) {}
  template <class T>
  T Take() {
    T value{};
    const size_t size = std::min(sizeof value, rest_.size());
    if (size > 0) std::memcpy(&value, rest_.data(), size);
    rest_ = rest_.subspan(size);
    return value;
  }
  uint32_t Below(uint32_t bound) { return Take<uint16_t>() % bound; }
  ByteView rest() const { return rest_; }

 private:
  ByteView rest_;
};

}  // namespace s3v::fuzz
