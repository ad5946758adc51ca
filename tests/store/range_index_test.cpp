#include "store/range_index.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace s3v {
namespace {

PackEntry Named(uint64_t object, uint64_t offset, uint32_t length) {
  PackEntry entry{.offset = offset, .length = length};
  std::memcpy(entry.object.data(), &object, sizeof(object));
  return entry;
}

TEST(RangeIndex, FindsWhatAMapFinds) {
  Random random(5);
  RangeIndex index;
  std::map<std::tuple<uint64_t, uint64_t, uint32_t>, uint32_t> expected;
  for (uint32_t i = 0; i < 20'000; ++i) {
    if (i % 5'000 == 0) index.Reserve(random.Below(10'000));
    // Few objects, offsets and lengths, so that many are put twice.
    const uint64_t object = random.Below(20);
    const uint64_t offset = random.Below(300) * 4096;
    const auto length = static_cast<uint32_t>(1 + random.Below(3));
    index.Put({.entry = Named(object, offset, length), .pack = i});
    expected[{object, offset, length}] = i;
  }
  EXPECT_EQ(index.ranges().size(), expected.size());
  for (uint64_t object = 0; object < 21; ++object) {
    for (uint64_t offset = 0; offset < 301; ++offset) {
      for (uint32_t length = 1; length < 5; ++length) {
        const IndexedRange* found = index.Find(Named(object, offset * 4096, length));
        const auto place = expected.find({object, offset * 4096, length});
        ASSERT_EQ(found != nullptr, place != expected.end());
        if (found != nullptr) {
          ASSERT_EQ(found->pack, place->second);
        }
      }
    }
  }
  index.Clear();
  EXPECT_EQ(index.Find(Named(1, 0, 1)), nullptr);
}

TEST(RangeIndex, AnEmptyOneHasNothing) {
  RangeIndex index;
  EXPECT_EQ(index.Find(Named(0, 0, 0)), nullptr);
  index.Reserve(0);
  EXPECT_EQ(index.Find(Named(0, 0, 0)), nullptr);
}

}  // namespace
}  // namespace s3v
