#include "engine/build_checks.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace s3v {
namespace {

constexpr size_t kMaxMetadata = 16u << 20;

[[noreturn]] void Refuse(const std::string& message) { throw Error(Code::kInvalidArgument, message); }

}  // namespace

const BuildOptions& CheckedOptions(const BuildOptions& options) {
  if (options.dimensions < 1 || options.dimensions > kMaxDimensions) {
    Refuse("an index needs 1 to " + std::to_string(kMaxDimensions) + " dimensions, not " +
           std::to_string(options.dimensions));
  }
  if (options.lists > kMaxLists) {
    Refuse("an index has at most " + std::to_string(kMaxLists) + " lists, not " + std::to_string(options.lists));
  }
  if (!(options.recall >= 0.5 && options.recall <= 0.999)) {
    Refuse("recall must be between 0.5 and 0.999, not " + std::to_string(options.recall));
  }
  if (options.bits < 1 || options.bits > kMaxBits) {
    Refuse("codes have 1 to 8 bits, not " + std::to_string(options.bits));
  }
  if (options.metadata_columns.size() > kMaxMetadataColumns) {
    Refuse("an index has at most " + std::to_string(kMaxMetadataColumns) + " metadata columns, not " +
           std::to_string(options.metadata_columns.size()));
  }
  return options;
}

void CheckRow(const BuildOptions& options, ByteView key, std::span<const float> vector, ByteView metadata) {
  if (vector.size() != options.dimensions) {
    Refuse("vector has " + std::to_string(vector.size()) + " dimensions, index has " +
           std::to_string(options.dimensions));
  }
  if (!AllFinite(vector)) Refuse("vector has elements that are not finite");
  if (options.metric == Metric::kCosine && std::ranges::all_of(vector, [](float x) { return x == 0; })) {
    Refuse("a zero vector has no cosine distance");
  }
  const size_t width = KeyWidth(options.key_kind);
  if (width > 0 && key.size() != width) {
    Refuse("key has " + std::to_string(key.size()) + " bytes, its kind has " + std::to_string(width));
  }
  if (key.size() > kMaxKeyBytes) {
    throw Error(Code::kLimitExceeded, "key has " + std::to_string(key.size()) + " bytes, at most " +
                                          std::to_string(kMaxKeyBytes) + " can be indexed");
  }
  if (metadata.size() > kMaxMetadata) {
    throw Error(Code::kLimitExceeded, "metadata has " + std::to_string(metadata.size()) + " bytes, at most " +
                                          std::to_string(kMaxMetadata) + " can be indexed");
  }
  if (options.metadata_columns.empty() && !metadata.empty()) Refuse("metadata for an index without metadata columns");
}

}  // namespace s3v
