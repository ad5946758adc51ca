// Rows in, one new version out. Streams: memory stays within the budget plus the navigation tier, the rest spills.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/spill.h"
#include "base/stop.h"
#include "format/manifest.h"
#include "store/object_store.h"

namespace s3v {

// Whether rows lie in two lists each (docs/design/soar.md): kAuto decides by the sampled queries.
enum class Duplicates { kOff, kOn, kAuto };

struct BuildOptions {
  ObjectId index{};
  Metric metric = Metric::kCosine;
  size_t dimensions = 0;
  KeyKind key_kind = KeyKind::kText;
  std::vector<std::string> metadata_columns;
  size_t lists = 0;      // 0: chosen from rows and dimensions
  double recall = 0.95;  // recall@10 that probing is calibrated for, 0.5 to 0.999
  int bits = 4;          // of the codes, 1 to 8
  RawPlane raw = RawPlane::kNone;
  Duplicates duplicates = Duplicates::kOff;
  size_t memory_bytes = 64u << 20;
  int threads = 1;
  uint64_t seed = 1;
};

// Phases of a build, told as they advance: "reading", "training", "assigning", "calibrating", "encoding", "writing".
// `total` 0: not known.
using BuildProgress = std::function<void(const char* phase, uint64_t done, uint64_t total)>;

struct BuildResult {
  Manifest manifest;
  uint64_t entries = 0;  // rows, and once more those that lie in two lists
  uint64_t bytes_written = 0;
  double cpu_seconds = 0;  // of the whole process, from construction to the end of Finish, all threads
};

// Add* Finish. Objects go to the store under new random names; the manifest is written last. Nobody knows its name
// until the caller publishes it, so an abandoned build leaves orphans only.
class IndexBuild {
 public:
  IndexBuild(const BuildOptions& options, ObjectStore& store, SpillFactory& spill, BuildProgress progress);
  ~IndexBuild();

  // REQUIRES: vector.size() == options.dimensions, finite, not zero under cosine (throws kInvalidArgument otherwise);
  // key of the declared kind; metadata encoded as format/metadata.h says. Keys are unique; not checked.
  void Add(ByteView key, std::span<const float> vector, ByteView metadata, Stop& stop);

  BuildResult Finish(Stop& stop);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace s3v
