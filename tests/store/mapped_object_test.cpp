#include "store/mapped_object.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/random.h"

namespace s3v {
namespace {

TEST(MapFile, OutlivesFileAndDescriptor) {
  const std::string path = ::testing::TempDir() + "s3v-map-" + IdText(RandomId());
  std::ofstream(path) << std::string(10'000, 'x') << "not mapped";
  std::shared_ptr<const MappedObject> object;
  {
    const Fd file(open(path.c_str(), O_RDONLY));
    object = MapFile(file, 10'000);
    EXPECT_TRUE(MapFile(file, 0)->bytes().empty());
  }
  std::filesystem::remove(path);
  ASSERT_EQ(object->bytes().size(), 10'000u);
  EXPECT_TRUE(std::ranges::all_of(object->bytes(), [](uint8_t byte) { return byte == 'x'; }));
  EXPECT_EQ(MapFile(Fd(), 10), nullptr);
}

}  // namespace
}  // namespace s3v
