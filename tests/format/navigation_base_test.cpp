#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "format/coding.h"
#include "format/navigation.h"
#include "format/samples.h"

namespace s3v {
namespace {

using testing::kSampleIndex;
using testing::kSampleObject;
using testing::SampleBase;

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

// Ids of lists that were never split: their places.
std::vector<uint32_t> Ascending(size_t lists) {
  std::vector<uint32_t> ids(lists);
  std::iota(ids.begin(), ids.end(), 0U);
  return ids;
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
  EXPECT_EQ(read.rotation_seed, 99U);
  EXPECT_EQ(read.list_id(0), 5U);
  EXPECT_EQ(read.list_id(1), 2U);
  EXPECT_EQ(read.next_list_id, 6U);
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
    parts.list_ids = Ascending(lists);
    parts.next_list_id = lists;
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
      base.list_ids = Ascending(4);
    });
  };
  EXPECT_EQ(code({0, 1, 4}), Code::kOk);
  EXPECT_EQ(code({0, 4, 4}), Code::kOk) << "a parent without lists";
  EXPECT_EQ(code({0, 3, 2, 4}), Code::kCorrupted);
  EXPECT_EQ(code({0, 5, 4}), Code::kCorrupted);
  EXPECT_EQ(code({1, 2, 4}), Code::kCorrupted);
  EXPECT_EQ(code({0, 1, 2, 3, 3, 4}), Code::kCorrupted) << "more parents than lists";
}

TEST(NavigationBase, ListsHaveIdsOfTheirOwn) {
  const auto code = [](const std::vector<uint32_t>& ids, uint32_t next) {
    return BaseCode([&](NavigationBaseParts& base) {
      base.first_list = {0, static_cast<uint32_t>(ids.size())};
      base.lists.codes.resize(2 * ids.size());
      base.lists.scales.resize(ids.size());
      base.lists.squared_norms.resize(ids.size());
      base.list_ids = ids;
      base.next_list_id = next;
    });
  };
  EXPECT_EQ(code({0, 1, 2}, 3), Code::kOk);
  EXPECT_EQ(code({7, 0, 0xfffffffe}, 0xffffffff), Code::kOk) << "any order, any gaps";
  EXPECT_EQ(code({0, 1, 2}, 2), Code::kCorrupted);
  EXPECT_EQ(code({2, 0, 1}, 2), Code::kCorrupted);
  EXPECT_EQ(code({0, 1, 2}, 0), Code::kCorrupted);
  EXPECT_EQ(code({0, 1, 1}, 3), Code::kCorrupted);
  EXPECT_EQ(code({5, 1, 5}, 9), Code::kCorrupted);
  EXPECT_EQ(code({0xffffffff}, 0xffffffff), Code::kCorrupted);
  std::vector<uint32_t> many = Ascending(100000);
  std::ranges::reverse(many);
  EXPECT_EQ(code(many, 100000), Code::kOk);
  many[5] = 3;
  EXPECT_EQ(code(many, 100000), Code::kCorrupted);
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
  // Two numbers of a parent end at 108, codes begin at 128; likewise the lists' at 130 + 16 and 192.
  for (const size_t offset : {108, 124, 146, 188}) EXPECT_EQ(forged(offset, 1U << 24), Code::kCorrupted) << offset;
}

}  // namespace
}  // namespace s3v
