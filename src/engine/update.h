// Changed keys in, one new version out, for what the changes cost: new segments with the changed rows, masks over the
// entries that they replace, and as much compaction as keeps the index as good as new. docs/design/updates.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/spill.h"
#include "base/stop.h"
#include "engine/build.h"
#include "engine/snapshot.h"
#include "store/object_store.h"

namespace s3v {

struct UpdateOptions {
  std::vector<std::string> metadata_columns;  // for the manifest
  size_t lists = 0;                           // wanted, 0: chosen from rows and dimensions, as in a build
  double recall = 0.95;                       // when probing is calibrated anew
  size_t memory_bytes = 64u << 20;
  int threads = 1;
  uint64_t seed = 1;
  // s3v_optimize: rewrite whatever is not as a fresh build would leave it, not only what the rules of daily life ask
  // for.
  bool optimize = false;
};

struct UpdateResult {
  BuildResult built;          // the manifest of the new version, bytes written, ...
  bool is_changed = false;    // false: nothing was written, the old version stands
  uint64_t rows_removed = 0;  // keys of the old version that the new one does not have
  uint64_t rows_put = 0;
};

// (Remove | Put)*, Discard*, then Plan, then for each key that TakeKeys gives Put it or leave it, then Finish.
class IndexUpdate {
 public:
  // All referred to must outlive the update.
  IndexUpdate(std::shared_ptr<const Navigation> current, const UpdateOptions& options, ObjectStore& store,
              SpillFactory& spill, BuildProgress progress);
  ~IndexUpdate();

  // The key has changed: no entry of the old version with it remains. Unknown keys are fine; more than once as well.
  void Remove(ByteView key);
  // Remove, and the row as it is now. What IndexBuild::Add refuses is refused. A key is put at most once; not checked.
  void Put(ByteView key, std::span<const float> vector, ByteView metadata, Stop& stop);
  // The segment cannot be read: nothing of it remains, whatever its keys were. Those of its rows that still exist have
  // to be put. Before Plan.
  void Discard(const ObjectId& segment);

  // Finds the entries that the changes replace, and decides which lists are split or dissolved: their rows have to be
  // read again, by TakeKeys and Put. Keys that were put or removed before do not come again.
  void Plan(Stop& stop);
  // At most `most` further keys, each once; empty: no more. A key that is then not put is no longer part of the index.
  std::vector<std::string> TakeKeys(size_t most, Stop& stop);

  // Writes. The manifest is written last, and nobody knows its name until the caller publishes it.
  UpdateResult Finish(Stop& stop);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace s3v
