// The navigation delta that completes an update, and which of the older ones it takes in.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/live_map.h"
#include "engine/snapshot.h"
#include "format/navigation.h"

namespace s3v {

struct MergedDelta {
  NavigationDelta delta;
  std::vector<ObjectName> others;  // that stay named, in their order
};

// `written`: the segments that the update made and their pieces, with the state of the new version. `all`: no other
// delta stays.
MergedDelta MergeDeltas(const Navigation& navigation, const LiveMap& live, NavigationDelta written, bool all);

}  // namespace s3v
