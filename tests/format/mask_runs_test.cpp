#include "format/mask_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/random.h"

namespace s3v {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Bytes Encode(const std::vector<MaskRun>& runs) {
  Bytes bytes;
  AppendMaskRuns(bytes, runs);
  return bytes;
}

std::vector<MaskRun> Decode(const Bytes& bytes, uint32_t entries = UINT32_MAX) {
  return DecodeMaskRuns(bytes, 100000, entries, "delta");
}

// What the reader says; nothing when it accepts.
std::string FaultOf(const Bytes& bytes, uint32_t entries = UINT32_MAX) {
  const Bytes copy(bytes.begin(), bytes.end());  // a heap block that ends where they do
  try {
    Decode(copy, entries);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
    EXPECT_THAT(error.message(), ::testing::HasSubstr("corrupted at offset 100")) << "counted from the object's begin";
    return error.detail();
  }
  return "";
}

TEST(MaskRuns, BytesAreGapsAndCounts) {
  EXPECT_THAT(Encode({}), IsEmpty());
  EXPECT_THAT(Encode({{0, 1}}), ElementsAre(0, 1));
  EXPECT_THAT(Encode({{3, 2}, {300, 1}}), ElementsAre(3, 2, 0xa7, 0x02, 1));
  EXPECT_THAT(Encode({{127, 128}}), ElementsAre(0x7f, 0x80, 0x01));
  EXPECT_THAT(Encode({{0, UINT32_MAX}}), ElementsAre(0, 0xff, 0xff, 0xff, 0xff, 0x0f));
}

TEST(MaskRuns, ComeBack) {
  Random random(11);
  for (int round = 0; round < 300; ++round) {
    const uint64_t scale = uint64_t{1} << (1 + random.Below(24));
    std::vector<MaskRun> runs;
    uint64_t first = random.Below(scale);
    for (uint64_t left = random.Below(60); left > 0; --left) {
      const uint64_t count = 1 + random.Below(scale);
      runs.push_back({.first = static_cast<uint32_t>(first), .count = static_cast<uint32_t>(count)});
      first += count + 1 + random.Below(scale);
    }
    const uint32_t end = runs.empty() ? 0 : runs.back().first + runs.back().count;
    const Bytes bytes = Encode(runs);
    EXPECT_EQ(Decode(bytes, end), runs);
    if (end == 0) continue;
    EXPECT_EQ(FaultOf(bytes, end - 1), "a run of a mask leaves its segment");
  }
  const std::vector<MaskRun> last = {{0, 1}, {UINT32_MAX - 1, 1}};
  EXPECT_EQ(Decode(Encode(last)), last);
}

TEST(MaskRuns, ScatteredEntriesTakeTwoBytes) {
  std::vector<MaskRun> runs;
  for (uint32_t i = 0; i < 1000; ++i) runs.push_back({.first = 100 * i, .count = 1});
  EXPECT_EQ(Encode(runs).size(), 2000U);
}

TEST(MaskRuns, WriterRefusesWhatNoReaderTakes) {
  for (const auto& runs : std::vector<std::vector<MaskRun>>{{{5, 0}},
                                                            {{5, 2}, {7, 1}},
                                                            {{5, 2}, {6, 1}},
                                                            {{5, 2}, {0, 1}},
                                                            {{5, 2}, {5, 2}},
                                                            {{1, UINT32_MAX}},
                                                            {{UINT32_MAX, 1}}}) {
    try {
      Encode(runs);
      ADD_FAILURE() << "run at " << runs.back().first;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInternal);
    }
  }
}

TEST(MaskRuns, HostileRunsAreRefused) {
  EXPECT_EQ(FaultOf({}), "");
  EXPECT_EQ(FaultOf({3, 2, 1, 1}), "");
  EXPECT_EQ(FaultOf({3, 0}), "a run of a mask is empty");
  EXPECT_EQ(FaultOf({3, 2, 0, 1}), "runs of a mask touch each other");
  EXPECT_EQ(FaultOf({0xff, 0xff, 0xff, 0xff, 0x0f, 1}), "a run of a mask leaves its segment");
  EXPECT_EQ(FaultOf({1, 0xff, 0xff, 0xff, 0xff, 0x0f}), "a run of a mask leaves its segment");
  constexpr const char* kLong = "a number is too long";
  EXPECT_EQ(FaultOf({0x80, 0x00, 1}), kLong) << "0 in two bytes";
  EXPECT_EQ(FaultOf({0x83, 0x80, 0x00, 1}), kLong) << "3 in three bytes";
  EXPECT_EQ(FaultOf({0xff, 0xff, 0xff, 0xff, 0x1f, 1}), kLong) << "33 bits";
  EXPECT_EQ(FaultOf({0xff, 0xff, 0xff, 0xff, 0x8f, 0x00, 1}), kLong) << "six bytes";
  EXPECT_EQ(FaultOf(Bytes(64, 0xff)), kLong);
}

TEST(MaskRuns, CutsInsideARunAreFound) {
  const Bytes bytes = Encode({{300, 200}, {1000, 1}, {70000, 3}});
  const std::vector<size_t> whole = {0, 4, 7, 11};  // bytes of the first so many runs
  ASSERT_EQ(bytes.size(), whole.back());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const bool is_whole = std::ranges::find(whole, size) != whole.end();
    EXPECT_EQ(FaultOf({bytes.begin(), bytes.begin() + static_cast<int64_t>(size)}).empty(), is_whole) << size;
  }
}

// Whatever is read is in order, inside, and written again as it was read: one way of saying each mask.
TEST(MaskRuns, AnyBytesAreRefusedOrOrderly) {
  Random random(12);
  size_t accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes(random.Below(12));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Below(round % 2 == 0 ? 256 : 140));
    if (!FaultOf(bytes, 1000000).empty()) continue;
    ++accepted;
    uint64_t end = 0;
    for (const MaskRun& run : Decode(bytes, 1000000)) {
      ASSERT_TRUE(run.first > end || end == 0);
      ASSERT_GT(run.count, 0U);
      end = uint64_t{run.first} + run.count;
      ASSERT_LE(end, 1000000U);
    }
    ASSERT_EQ(Encode(Decode(bytes, 1000000)), bytes);
  }
  EXPECT_GT(accepted, 2000U);
}

}  // namespace
}  // namespace s3v
