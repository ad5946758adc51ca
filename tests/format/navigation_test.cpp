#include "format/navigation.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "format/coding.h"
#include "format/samples.h"

namespace s3v {
namespace {

using testing::BaseOf;
using testing::kSampleIndex;
using testing::kSampleObject;
using testing::SampleBase;
using testing::SampleDelta;

const std::string kKey = "nav";

Code CodeOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

Code ReadCode(const Bytes& base) {
  const Code code = CodeOf([&] { DecodeBase(base, kSampleIndex, kSampleObject, kKey); });
  EXPECT_EQ(CodeOf([&] { ViewBase(base, kSampleIndex, kSampleObject, kKey); }), code);
  return code;
}

Code BaseCode(const std::function<void(NavigationBaseParts&)>& change) {
  NavigationBaseParts base = SampleBase();
  change(base);
  return ReadCode(EncodeBase(base, kSampleIndex, kSampleObject));
}

Code DeltaCode(const std::function<void(NavigationDelta&)>& change,
               const SegmentShape& shape = testing::SampleShape()) {
  NavigationDelta delta = SampleDelta(shape);
  change(delta);
  const Bytes bytes = EncodeDelta(delta, kSampleIndex, kSampleObject);
  return CodeOf([&] { DecodeDelta(bytes, kSampleIndex, kSampleObject, BaseOf(2, 2), kKey); });
}

TEST(NavigationBase, RoundTrip) {
  NavigationBaseParts base = SampleBase();
  base.space = {.metric = Metric::kInnerProduct, .dimensions = 2, .norm_limit = 2.5};
  const Bytes bytes = EncodeBase(base, kSampleIndex, kSampleObject);
  const NavigationBase read = DecodeBase(bytes, kSampleIndex, kSampleObject, kKey);
  EXPECT_EQ(read.space.metric, Metric::kInnerProduct);
  EXPECT_EQ(read.space.dimensions, 2U);
  EXPECT_EQ(read.space.norm_limit, 2.5);
  EXPECT_EQ(read.rotation.dimensions(), 2U);
  EXPECT_EQ(read.tables.first(0), 0U);
  EXPECT_EQ(read.tables.first(1), 2U);
  for (const auto& [table, part] :
       {std::pair{read.tables.parents, base.parents}, std::pair{read.tables.lists, base.lists}}) {
    EXPECT_EQ(table.dimensions, 2U);
    ASSERT_EQ(table.count, part.scales.size());
    EXPECT_EQ(std::vector<int8_t>(table.codes, table.codes + part.codes.size()), part.codes);
    for (size_t i = 0; i < table.count; ++i) {
      EXPECT_EQ(table.scale(i), part.scales[i]);
      EXPECT_EQ(table.squared_norm(i), part.squared_norms[i]);
    }
  }
}

// The rotation is a matter of the seed: two that differ turn a vector differently.
TEST(NavigationBase, RotationIsThatOfTheSeed) {
  NavigationBaseParts parts = SampleBase();
  parts.space.dimensions = parts.parents.dimensions = parts.lists.dimensions = 40;
  parts.parents.codes.resize(40);
  parts.lists.codes.resize(80);
  parts.rotation_seed = 0x8000000000000001;
  const Bytes bytes = EncodeBase(parts, kSampleIndex, kSampleObject);
  const NavigationBase base = DecodeBase(bytes, kSampleIndex, kSampleObject, kKey);
  std::vector<float> vector(40);
  vector[3] = 1;
  std::vector<float> turned(40);
  std::vector<float> expected(40);
  base.rotation.Apply(vector, turned);
  Rotation(40, parts.rotation_seed).Apply(vector, expected);
  EXPECT_EQ(turned, expected);
  Rotation(40, 1).Apply(vector, expected);
  EXPECT_NE(turned, expected);
}

// The object is used in place; from a mapping, rows begin with a cache line.
TEST(NavigationBase, TablesAreViewsThatBeginAtMultiplesOf64) {
  for (uint32_t lists = 1; lists < 40; ++lists) {
    NavigationBaseParts parts = SampleBase();
    parts.first_list = {0, lists};
    parts.lists.codes.assign(2 * lists, 7);
    parts.lists.scales.assign(lists, 1);
    parts.lists.squared_norms.assign(lists, 1);
    const Bytes bytes = EncodeBase(parts, kSampleIndex, kSampleObject);
    const NavigationBase base = ViewBase(bytes, kSampleIndex, kSampleObject, kKey);
    for (const CentroidTable& table : {base.tables.parents, base.tables.lists}) {
      const auto place = reinterpret_cast<const uint8_t*>(table.codes) - bytes.data();
      EXPECT_EQ(place % 64, 0);
      EXPECT_LE(static_cast<size_t>(place) + table.count * 2 + 4, bytes.size());
    }
    EXPECT_EQ(reinterpret_cast<const uint8_t*>(base.tables.lists.codes) + 2 * lists + 4, bytes.data() + bytes.size());
  }
}

TEST(NavigationBase, ViewsLeaveOutTheChecksumAlone) {
  Bytes bytes = EncodeBase(SampleBase(), kSampleIndex, kSampleObject);
  bytes.back() ^= 1;
  EXPECT_EQ(CodeOf([&] { DecodeBase(bytes, kSampleIndex, kSampleObject, kKey); }), Code::kCorrupted);
  EXPECT_EQ(CodeOf([&] { ViewBase(bytes, kSampleIndex, kSampleObject, kKey); }), Code::kOk);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<int64_t>(size));
    EXPECT_EQ(CodeOf([&] { ViewBase(cut, kSampleIndex, kSampleObject, kKey); }), Code::kCorrupted) << size;
  }
  bytes[8] ^= 1;
  EXPECT_EQ(CodeOf([&] { ViewBase(bytes, kSampleIndex, kSampleObject, kKey); }), Code::kCorrupted) << "header";
}

TEST(NavigationBase, HostileNumbersAreRefused) {
  using Limits = std::numeric_limits<float>;
  using Base = NavigationBaseParts;
  EXPECT_EQ(BaseCode([](Base&) {}), Code::kOk);
  EXPECT_EQ(BaseCode([](Base& base) { base.space.dimensions = 0; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.space.dimensions = 16001; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.space.dimensions = 3; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.space.dimensions = 1; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.space.metric = Metric{0}; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.space.metric = Metric{4}; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.space.norm_limit = Limits::quiet_NaN(); }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.space.norm_limit = -1; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.first_list = {1, 2}; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.first_list = {0, 1}; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.first_list = {0, 3}; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.first_list = {0, 0xffffffff}; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.lists.codes.push_back(1); }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](Base& base) { base.lists.codes.pop_back(); }), Code::kCorrupted);
  for (const float bad : {-1.0F, -0.0F, Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()}) {
    EXPECT_EQ(BaseCode([&](Base& base) { base.parents.scales[0] = bad; }), Code::kCorrupted) << bad;
    EXPECT_EQ(BaseCode([&](Base& base) { base.parents.squared_norms[0] = bad; }), Code::kCorrupted) << bad;
    EXPECT_EQ(BaseCode([&](Base& base) { base.lists.scales[1] = bad; }), Code::kCorrupted) << bad;
    EXPECT_EQ(BaseCode([&](Base& base) { base.lists.squared_norms[1] = bad; }), Code::kCorrupted) << bad;
  }
  EXPECT_EQ(BaseCode([](Base& base) { base.lists.squared_norms[1] = Limits::max(); }), Code::kOk);
}

TEST(NavigationBase, ListsOfParentsFollowEachOther) {
  const auto code = [](const std::vector<uint32_t>& first_list) {
    return BaseCode([&](NavigationBaseParts& base) {
      const size_t parents = first_list.size() - 1;
      base.first_list = first_list;
      base.parents.codes.resize(2 * parents);
      base.parents.scales.resize(parents);
      base.parents.squared_norms.resize(parents);
      base.lists.codes.resize(8);
      base.lists.scales.resize(4);
      base.lists.squared_norms.resize(4);
    });
  };
  EXPECT_EQ(code({0, 1, 4}), Code::kOk);
  EXPECT_EQ(code({0, 4, 4}), Code::kOk) << "a parent without lists";
  EXPECT_EQ(code({0, 3, 2, 4}), Code::kCorrupted);
  EXPECT_EQ(code({0, 5, 4}), Code::kCorrupted);
  EXPECT_EQ(code({1, 2, 4}), Code::kCorrupted);
  EXPECT_EQ(code({0, 1, 2, 3, 3, 4}), Code::kCorrupted) << "more parents than lists";
}

// Numbers that lie under a good checksum; counts are compared with the bytes at hand before anything is read.
TEST(NavigationBase, ForgedBytesAreRefused) {
  const Bytes good = EncodeBase(SampleBase(), kSampleIndex, kSampleObject);
  const auto forged = [&](size_t offset, uint32_t value) {
    Bytes bytes(good.begin(), good.end() - 4);
    std::memcpy(bytes.data() + offset, &value, sizeof value);
    AppendRangeChecksum(bytes, kSampleObject, kHeaderSize, kHeaderSize);
    return ReadCode(bytes);
  };
  constexpr size_t kMetric = kHeaderSize + 4;
  constexpr size_t kParents = kHeaderSize + 24;
  constexpr size_t kLists = kParents + 4;
  EXPECT_EQ(forged(kMetric, 2), Code::kOk);
  EXPECT_EQ(forged(kMetric, 2 | 1U << 31), Code::kCorrupted) << "filler";
  for (const size_t offset : {kParents, kLists}) {
    for (const uint32_t count : {0U, 3U, 16U << 20, (16U << 20) + 1, 0x80000000U, 0xffffffffU}) {
      EXPECT_EQ(forged(offset, count), Code::kCorrupted) << count;
    }
  }
  // Two numbers of a parent end at 96, codes begin at 128; likewise the lists' at 130 + 16 and 192.
  for (const size_t offset : {96, 124, 146, 188}) EXPECT_EQ(forged(offset, 1U << 24), Code::kCorrupted) << offset;
}

TEST(NavigationDelta, RoundTrip) {
  NavigationDelta delta = SampleDelta();
  delta.has_duplicates = true;
  delta.rows = 2;
  const Bytes bytes = EncodeDelta(delta, kSampleIndex, kSampleObject);
  CheckDelta(bytes, kSampleIndex, kSampleObject, kKey);
  const NavigationDelta read = DecodeDelta(bytes, kSampleIndex, kSampleObject, BaseOf(2, 2), kKey);
  EXPECT_EQ(read.base, delta.base);
  EXPECT_EQ(read.key_kind, delta.key_kind);
  EXPECT_EQ(read.bits, 2);
  EXPECT_EQ(read.raw, RawPlane::kFloat16);
  EXPECT_TRUE(read.has_metadata);
  EXPECT_TRUE(read.has_duplicates);
  EXPECT_EQ(read.rows, 2U);
  EXPECT_EQ(read.entries, 3U);
  EXPECT_EQ(read.rule.gap, 1.5F);
  EXPECT_EQ(read.rule.least, 1U);
  EXPECT_EQ(read.rule.most, 2U);
  ASSERT_EQ(read.segments.size(), 1U);
  EXPECT_EQ(read.segments[0].id, delta.segments[0].id);
  EXPECT_EQ(read.segments[0].length, delta.segments[0].length);
  ASSERT_EQ(read.pieces.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read.pieces[i].list, delta.pieces[i].list);
    EXPECT_EQ(read.pieces[i].segment, delta.pieces[i].segment);
    EXPECT_EQ(read.pieces[i].count, delta.pieces[i].count);
    EXPECT_EQ(read.pieces[i].scan_offset, delta.pieces[i].scan_offset);
    EXPECT_EQ(read.pieces[i].scan_length, delta.pieces[i].scan_length);
    EXPECT_EQ(read.pieces[i].extension_length, delta.pieces[i].extension_length);
    EXPECT_EQ(read.pieces[i].metadata_offset, delta.pieces[i].metadata_offset);
    EXPECT_EQ(read.pieces[i].metadata_length, delta.pieces[i].metadata_length);
    EXPECT_EQ(read.pieces[i].raw_offset, delta.pieces[i].raw_offset);
  }
}

TEST(NavigationDelta, EmptyIndexHasNoPieces) {
  NavigationDelta delta;
  const Bytes bytes = EncodeDelta(delta, kSampleIndex, kSampleObject);
  EXPECT_TRUE(DecodeDelta(bytes, kSampleIndex, kSampleObject, BaseOf(1, 2), kKey).pieces.empty());
}

TEST(NavigationDelta, EveryShapeOfSegmentIsAccepted) {
  for (const int bits : {1, 2, 8}) {
    for (const KeyKind keys : {KeyKind::kInteger, KeyKind::kText}) {
      for (const RawPlane raw : {RawPlane::kNone, RawPlane::kFloat32, RawPlane::kFloat16}) {
        for (const bool has_metadata : {false, true}) {
          SegmentShape shape = testing::SampleShape();
          shape.codes.bits = bits;
          shape.key_kind = keys;
          shape.raw = raw;
          shape.has_metadata = has_metadata;
          EXPECT_EQ(DeltaCode([](NavigationDelta&) {}, shape), Code::kOk) << bits << " bits";
          EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { --delta.segments[0].length; }, shape), Code::kCorrupted);
        }
      }
    }
  }
}

TEST(NavigationDelta, HostileNumbersAreRefused) {
  using Delta = NavigationDelta;
  EXPECT_EQ(DeltaCode([](Delta&) {}), Code::kOk);
  for (const int bits : {0, 1, 3, 9, 255}) {
    EXPECT_EQ(DeltaCode([&](Delta& delta) { delta.bits = bits; }), Code::kCorrupted) << bits;
  }
  for (const uint8_t raw : {0, 1, 3, 255}) {
    EXPECT_EQ(DeltaCode([&](Delta& delta) { delta.raw = RawPlane{raw}; }), Code::kCorrupted) << int{raw};
  }
  for (const uint8_t kind : {0, 1, 2, 4}) {
    EXPECT_EQ(DeltaCode([&](Delta& delta) { delta.key_kind = KeyKind{kind}; }), Code::kCorrupted) << int{kind};
  }
  EXPECT_EQ(DeltaCode([](Delta& delta) { delta.has_metadata = false; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](Delta& delta) { delta.rule.gap = -1; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](Delta& delta) { delta.rule.gap = std::numeric_limits<float>::quiet_NaN(); }),
            Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](Delta& delta) { delta.rule.least = 3; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](Delta& delta) { delta.segments[0].length = 1; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](Delta& delta) { delta.segments[0].length = UINT64_MAX; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](Delta& delta) { delta.segments.clear(); }), Code::kCorrupted);
}

TEST(NavigationDelta, RowsAndEntriesFit) {
  const auto code = [](bool has_duplicates, uint64_t rows, uint64_t entries) {
    return DeltaCode([&](NavigationDelta& delta) {
      delta.has_duplicates = has_duplicates;
      delta.rows = rows;
      delta.entries = entries;
    });
  };
  EXPECT_EQ(code(false, 3, 3), Code::kOk);
  EXPECT_EQ(code(true, 3, 3), Code::kOk);
  EXPECT_EQ(code(true, 2, 3), Code::kOk);
  EXPECT_EQ(code(false, 2, 3), Code::kCorrupted);
  EXPECT_EQ(code(true, 4, 3), Code::kCorrupted);
  EXPECT_EQ(code(true, UINT64_MAX, 3), Code::kCorrupted);
  EXPECT_EQ(code(false, 4, 4), Code::kCorrupted) << "pieces have 3";
  EXPECT_EQ(code(true, 2, 2), Code::kCorrupted) << "pieces have 3";
}

// Counts are compared with the bytes at hand before anything is allocated.
TEST(NavigationDelta, ForgedBytesAreRefused) {
  const Bytes good = EncodeDelta(SampleDelta(), kSampleIndex, kSampleObject);
  const auto forged = [&](size_t offset, uint32_t value) {
    Bytes bytes(good.begin(), good.end() - 4);
    std::memcpy(bytes.data() + offset, &value, sizeof value);
    AppendRangeChecksum(bytes, kSampleObject, kHeaderSize, kHeaderSize);
    return CodeOf([&] { DecodeDelta(bytes, kSampleIndex, kSampleObject, BaseOf(2, 2), kKey); });
  };
  constexpr size_t kShape = kHeaderSize + 16;
  constexpr size_t kSegmentCount = kShape + 8 + 12 + 16;
  EXPECT_EQ(forged(kShape, 0x01020203), Code::kOk);
  EXPECT_EQ(forged(kShape, 0x02020203), Code::kCorrupted) << "metadata: neither yes nor no";
  EXPECT_EQ(forged(kShape + 4, 2), Code::kCorrupted) << "duplicates: neither yes nor no";
  for (const uint32_t filler : {1U << 8, 1U << 16, 1U << 24}) EXPECT_EQ(forged(kShape + 4, filler), Code::kCorrupted);
  for (const size_t offset : {kSegmentCount, kSegmentCount + 4}) {
    for (const uint32_t count : {0U, 3U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
      EXPECT_EQ(forged(offset, count), Code::kCorrupted) << count;
    }
  }
}

}  // namespace
}  // namespace s3v
