// Spill files for unit tests: unlinked files of the operating system.
#pragma once

#include <memory>

#include "base/spill.h"

namespace s3v::testing {

class TempSpillFactory final : public SpillFactory {
 public:
  std::unique_ptr<SpillFile> Create() override;
  int created() const { return created_; }

 private:
  int created_ = 0;
};

}  // namespace s3v::testing
