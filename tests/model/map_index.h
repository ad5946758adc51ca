// An index that is a map: stands for the core where tens of thousands of schedules are to run in seconds.
#pragma once

#include <memory>

#include "base/clock.h"
#include "model/index.h"

namespace s3v::model {

std::unique_ptr<Index> MakeMapIndex(const Clock& clock, StoreWatch& watch);

}  // namespace s3v::model
