#include "catalogue/version.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace s3v::catalogue {
namespace {

TEST(CompareVersions, OrdersAsDpkgDoes) {
  const std::vector<std::pair<std::string, std::string>> older_newer = {
      {"1.9", "1.10"},
      {"1.0~rc1", "1.0"},
      {"1.0", "1.0-0.1"},
      {"9.9", "1:0.1"},
      {"1.0-1", "1.0-1+b1"},
      {"1.0", "1.0a"},
      {"1.0a", "1.0+"},
      {"1.0~~", "1.0~"},
      {"1.0-1~bpo1", "1.0-1"},
      {"2.4-1-1", "2.4-1-2"},
      {"99999999999999999998", "99999999999999999999"},
  };
  for (const auto& [older, newer] : older_newer) {
    EXPECT_LT(CompareVersions(older, newer), 0) << older << " < " << newer;
    EXPECT_GT(CompareVersions(newer, older), 0) << newer << " > " << older;
  }
}

TEST(CompareVersions, KnowsEqualsThatAreWrittenDifferently) {
  EXPECT_EQ(CompareVersions("1.0-1", "1.0-1"), 0);
  EXPECT_EQ(CompareVersions("0:1.0", "1.0"), 0);
  EXPECT_EQ(CompareVersions("1.0-0", "1.0"), 0);
  EXPECT_EQ(CompareVersions("1.007", "1.7"), 0);
}

}  // namespace
}  // namespace s3v::catalogue
