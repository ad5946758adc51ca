// Versions on both sides of the wall: names of objects as text, or as ids.
#pragma once

#include "api/s3v_c.h"
#include "engine/build.h"
#include "engine/snapshot.h"

namespace s3v {

// Throws kInvalidArgument for what is no uuid or id, and for no delta or too many.
VersionNames NamesOf(const s3v_version_names& names);

// names->index_uuid is left alone. Throws kInternal for more deltas than there is room for.
void FillNames(const VersionNames& from, s3v_version_names* names);

// What the version row records.
void FillVersion(const BuildResult& result, s3v_version* version);

}  // namespace s3v
