// The core itself, over a store in memory.
#pragma once

#include <memory>

#include "base/clock.h"
#include "model/index.h"

namespace s3v::model {

std::unique_ptr<Index> MakeCoreIndex(const Clock& clock, StoreWatch& watch);

}  // namespace s3v::model
