// A new base: lists that grew too large in parts, lists that shrank gone, all others as they are.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/stop.h"
#include "engine/live_map.h"
#include "engine/row_assigner.h"
#include "engine/snapshot.h"
#include "engine/update_plan.h"
#include "engine/update_rows.h"
#include "format/navigation.h"
#include "store/object_store.h"

namespace s3v {

inline constexpr uint32_t kNoList = UINT32_MAX;

// A copy of a base, to be written again.
NavigationBaseParts PartsOf(const NavigationBase& base);
CentroidTables TablesOf(const NavigationBaseParts& base);

// The lists of a version after an update.
struct ListPlaces {
  std::vector<uint32_t> place_of;  // of each old list; kNoList: split or dissolved
  std::vector<bool> is_made;       // by place: a part of a split list
};
ListPlaces UnchangedPlaces(size_t lists);

struct RelistOptions {
  double norm_limit = 0;    // ip: of the new base; at least the old one's
  size_t memory_bytes = 0;  // for the rows that lists are split by
  int threads = 1;
  uint64_t seed = 1;
};

struct Relisted {
  NavigationBaseParts base;
  ListPlaces places;
};

// Splits lists by k-means over what lies in them: live entries, decoded, and the rows put whose (old) list it is.
// `sizes` are entries of the old lists. What stays has the codes it had: rows are coded against them. Parents whose
// lists change get new centroids.
Relisted Relist(const Navigation& navigation, const LiveMap& live, const ListPlan& plan,
                std::span<const uint64_t> sizes, UpdateRows& rows, const RelistOptions& options, ObjectStore& store,
                Stop& stop);

// Entries of lists that stay, to which a list made of split ones is now the nearest: neighbours of what was split,
// where rows went for want of a better list. `assigner` is of the new base.
using VisitMisplaced = std::function<void(const Piece& piece, uint32_t position, ByteView key)>;
void FindMisplaced(const Navigation& navigation, const LiveMap& live, const ListPlaces& places, RowAssigner& assigner,
                   size_t memory_bytes, const VisitMisplaced& visit, ObjectStore& store, Stop& stop);

}  // namespace s3v
