// Runs a test once for every instruction set that the kernels were compiled for and this machine has.
#pragma once

// Before Highway's own headers, as in the kernels.
#include "ivf/kernels/targets.h"
//
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdint>
#include <vector>

#include "ivf/kernels/kernels.h"

namespace s3v::testing {

inline void UseTargets(int64_t targets) {
  hwy::SetSupportedTargetsForTest(targets);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

template <class Body>
void ForEachTarget(const Body& body) {
  const std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();
  ASSERT_FALSE(targets.empty());
  for (const int64_t target : targets) {
    UseTargets(target);
    ASSERT_STREQ(kernels::TargetName(), hwy::TargetName(target));
    SCOPED_TRACE(kernels::TargetName());
    body();
    if (::testing::Test::HasFatalFailure()) break;
  }
  UseTargets(0);  // back to what the machine has
}

}  // namespace s3v::testing
