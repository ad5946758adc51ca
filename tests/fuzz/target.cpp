#include "fuzz/target.h"

#include "fuzz/memory_meter.h"

namespace s3v::fuzz {

const std::vector<Target>& AllTargets() {
  static const auto* targets = [] {
    auto* all = new std::vector<Target>();
    for (const auto& some : {ValueTargets(), ObjectTargets(), RangeTargets(), FilterTargets(), TextTargets(),
                             CacheTargets(), IndexTargets(), RemoteTargets()}) {
      all->insert(all->end(), some.begin(), some.end());
    }
    return all;
  }();
  return *targets;
}

std::map<Place, bool>& TakenAt() {
  static auto* taken = new std::map<Place, bool>();
  return *taken;
}

void RunMeasured(const Target& target, ByteView input) {
  const MemoryMeter meter;
  target.run(input);
  const size_t most = target.memory + target.memory_per_byte * input.size();
  if (meter.peak() > most) {
    throw Finding("held " + std::to_string(meter.peak()) + " bytes for an input of " + std::to_string(input.size()) +
                  ", where " + std::to_string(most) + " are the bound");
  }
}

std::vector<ByteView> PartsOf(ByteView input, size_t most) {
  std::vector<ByteView> parts;
  while (!input.empty() && parts.size() < most) {
    uint16_t length = 0;
    if (input.size() < sizeof length) break;
    std::memcpy(&length, input.data(), sizeof length);
    input = input.subspan(sizeof length);
    parts.push_back(input.first(std::min<size_t>(length, input.size())));
    input = input.subspan(parts.back().size());
  }
  return parts;
}

Bytes Joined(std::span<const Bytes> parts) {
  Bytes joined;
  for (const Bytes& part : parts) {
    Append(joined, static_cast<uint16_t>(part.size()));
    Append(joined, ByteView(part));
  }
  return joined;
}

}  // namespace s3v::fuzz
