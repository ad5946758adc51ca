// A new probe rule for a version that has no source to read: sampled entries as queries, all entries, decoded, as the
// truth.
#pragma once

#include <cstdint>
#include <functional>

#include "base/stop.h"
#include "engine/live_map.h"
#include "engine/relist.h"
#include "engine/snapshot.h"
#include "engine/update_rows.h"
#include "ivf/centroid_table.h"
#include "ivf/probe.h"
#include "store/object_store.h"

namespace s3v {

// What the version will be: entries of `navigation` that are live, in lists of the new base, and the rows put.
struct RecalibrationInput {
  const Navigation& navigation;
  const LiveMap& live;
  const ListPlaces& places;
  const AssignmentSpace& space;  // of the new base, as the tables
  const CentroidTables& tables;
  RowAssigner& assigner;  // of the new base
  UpdateRows& rows;
  double recall = 0.95;
  size_t memory_bytes = 0;
  int threads = 1;
  uint64_t seed = 1;
  std::function<void(uint64_t done, uint64_t total)> progress;
};

// A version of few rows gets a rule that reads everything.
ProbeRule Recalibrate(const RecalibrationInput& input, ObjectStore& store, Stop& stop);

}  // namespace s3v
