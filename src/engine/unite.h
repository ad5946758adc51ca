// What the deltas of a version say, united: which entries of which segments are live, and where their lists are.
#pragma once

#include "engine/snapshot.h"

namespace s3v {

// Fills state, shape, segments, pieces, first_piece and list_sizes from names, base and deltas, which have one order.
// But for the state, which is the last delta's, the order of deltas matters to that of the segments alone. Throws
// kCorrupted when deltas do not fit each other or the base.
void UniteDeltas(Navigation& navigation);

}  // namespace s3v
