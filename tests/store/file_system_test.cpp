#include "store/file_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "store/file_tree.h"

namespace s3v {
namespace {

TEST(FileSystem, KnownKindsAreLocalAndOthersAreNot) {
  EXPECT_TRUE(IsOnLocalFileSystem(::testing::TempDir()));
  EXPECT_TRUE(IsOnLocalFileSystem(::testing::TempDir() + "nothing/of/that/name"));
  EXPECT_FALSE(IsOnLocalFileSystem("/proc/self"));
  EXPECT_FALSE(IsOnLocalFileSystem("/proc/self/nothing"));
  EXPECT_FALSE(IsOnLocalFileSystem(std::string("relative/nothing")));
  EXPECT_TRUE(IsOnLocalFileSystem(Fd(open(::testing::TempDir().c_str(), O_RDONLY)).get()));
  EXPECT_FALSE(IsOnLocalFileSystem(-1));
}

}  // namespace
}  // namespace s3v
