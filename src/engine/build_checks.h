// What a build refuses.
#pragma once

#include <span>

#include "base/bytes.h"
#include "engine/build.h"

namespace s3v {

// The options, or kInvalidArgument.
const BuildOptions& CheckedOptions(const BuildOptions& options);

// Throws kInvalidArgument or kLimitExceeded for a row that IndexBuild::Add does not take.
void CheckRow(const BuildOptions& options, ByteView key, std::span<const float> vector, ByteView metadata);

}  // namespace s3v
