#include <algorithm>
#include <cmath>
#include <limits>

#include "format/coding.h"
#include "format/items.h"
#include "format/navigation.h"

namespace s3v {
namespace {

// Where rows of centroids begin, counted from the object's start: with a cache line, so that kernels read whole ones.
constexpr uint64_t kRowAlignment = 64;

uint64_t FillerBefore(uint64_t offset) { return (kRowAlignment - offset % kRowAlignment) % kRowAlignment; }

// `count` numbers that are neither negative nor infinite.
const uint8_t* TakeLengths(Decoder& decoder, uint64_t count, const char* what) {
  const uint64_t offset = decoder.offset();
  const uint8_t* floats = decoder.Take(count * sizeof(float)).data();
  const size_t bad = FindNoLength(floats, count, std::numeric_limits<float>::max());
  if (bad < count) decoder.FailAt(offset + bad * sizeof(float), std::string(what) + " is negative or not finite");
  return floats;
}

CentroidTable TakeTable(Decoder& decoder, uint64_t count, size_t dimensions) {
  CentroidTable table{.dimensions = dimensions, .count = count};
  table.scales = TakeLengths(decoder, count, "the scale of a centroid");
  table.squared_norms = TakeLengths(decoder, count, "the norm of a centroid");
  decoder.RequireZero(FillerBefore(decoder.offset()));
  table.codes = reinterpret_cast<const int8_t*>(decoder.Take(count * dimensions).data());
  return table;
}

const uint8_t* TakeFirstLists(Decoder& decoder, uint32_t parents, uint32_t lists) {
  const uint64_t offset = decoder.offset();
  const ByteView bytes = decoder.Take((uint64_t{parents} + 1) * sizeof(uint32_t));
  uint32_t before = 0;
  for (uint32_t i = 0; i <= parents; ++i) {
    uint32_t first;
    std::memcpy(&first, bytes.data() + i * sizeof first, sizeof first);
    const bool is_in_order = i == 0 ? first == 0 : first >= before;
    if (!is_in_order || (i == parents && first != lists)) {
      decoder.FailAt(offset + i * sizeof first, "the lists of the parents do not follow each other");
    }
    before = first;
  }
  return bytes.data();
}

// Each id once, all below `next`.
const uint8_t* TakeListIds(Decoder& decoder, uint32_t lists, uint32_t next) {
  const uint64_t offset = decoder.offset();
  const ByteView bytes = decoder.Take(uint64_t{lists} * sizeof(uint32_t));
  std::vector<uint32_t> ids(lists);
  std::memcpy(ids.data(), bytes.data(), bytes.size());
  if (!std::ranges::is_sorted(ids)) std::ranges::sort(ids);  // they are in order until a list is split
  if (ids.back() >= next) decoder.FailAt(offset, "a list has the id " + std::to_string(ids.back()) + ", not yet given");
  const auto twice = std::ranges::adjacent_find(ids);
  if (twice != ids.end()) decoder.FailAt(offset, "two lists have the id " + std::to_string(*twice));
  return bytes.data();
}

template <class T>
void AppendArray(Bytes& out, const std::vector<T>& values) {
  Append(out, ByteView(reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)));
}

void AppendTable(Bytes& out, const OwnedCentroidTable& table) {
  AppendArray(out, table.scales);
  AppendArray(out, table.squared_norms);
  out.resize(out.size() + FillerBefore(out.size()));
  AppendArray(out, table.codes);
}

NavigationBase ReadBase(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key,
                        Trust trust) {
  CheckHeader(object, {.kind = 'B', .index = index, .object = id}, key);
  const ByteView body = object.subspan(kHeaderSize);
  Decoder decoder(
      trust == Trust::kVerify ? CheckRange(body, id, kHeaderSize, key) : SkipChecksum(body, kHeaderSize, key), key,
      kHeaderSize);
  NavigationBase base;
  const auto dimensions = decoder.Read<uint32_t>();
  if (dimensions < 1 || dimensions > kMaxDimensions) decoder.Fail(std::to_string(dimensions) + " dimensions");
  base.space.dimensions = dimensions;
  base.space.metric = static_cast<Metric>(
      decoder.ReadNumber(static_cast<int>(Metric::kCosine), static_cast<int>(Metric::kInnerProduct), "metric"));
  decoder.RequireZero(3);
  base.space.norm_limit = decoder.Read<double>();
  if (!std::isfinite(base.space.norm_limit) || base.space.norm_limit < 0) {
    decoder.Fail("the norm limit is not a length");
  }
  base.rotation_seed = decoder.Read<uint64_t>();
  const auto parents = decoder.Read<uint32_t>();
  const auto lists = decoder.Read<uint32_t>();
  if (lists < 1 || lists > kMaxLists || parents < 1 || parents > lists) {
    decoder.Fail(std::to_string(lists) + " lists of " + std::to_string(parents) + " parents");
  }
  base.next_list_id = decoder.Read<uint32_t>();
  base.tables.first_list = TakeFirstLists(decoder, parents, lists);
  base.list_ids = TakeListIds(decoder, lists, base.next_list_id);
  base.tables.parents = TakeTable(decoder, parents, dimensions);
  base.tables.lists = TakeTable(decoder, lists, dimensions);
  if (decoder.left() != 0) decoder.Fail("bytes follow the last centroid");
  base.rotation = Rotation(dimensions, base.rotation_seed);
  return base;
}

}  // namespace

uint32_t NavigationBase::list_id(size_t list) const { return ReadAt<uint32_t>(list_ids, list); }

Bytes EncodeBase(const NavigationBaseParts& base, const ObjectId& index, const ObjectId& id) {
  const size_t parents = base.parents.scales.size();
  const size_t lists = base.lists.scales.size();
  Bytes out;
  out.reserve(kHeaderSize + 4 * kRowAlignment + 3 * (parents + lists) * sizeof(float) + base.parents.codes.size() +
              base.lists.codes.size());
  AppendHeader(out, {.kind = 'B', .index = index, .object = id});
  Append(out, static_cast<uint32_t>(base.space.dimensions));
  Append(out, static_cast<uint8_t>(base.space.metric));
  out.insert(out.end(), 3, 0);
  Append(out, base.space.norm_limit);
  Append(out, base.rotation_seed);
  Append(out, static_cast<uint32_t>(parents));
  Append(out, static_cast<uint32_t>(lists));
  Append(out, base.next_list_id);
  AppendArray(out, base.first_list);
  AppendArray(out, base.list_ids);
  AppendTable(out, base.parents);
  AppendTable(out, base.lists);
  AppendRangeChecksum(out, id, kHeaderSize, kHeaderSize);
  return out;
}

NavigationBase DecodeBase(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key) {
  return ReadBase(object, index, id, key, Trust::kVerify);
}

NavigationBase ViewBase(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key) {
  return ReadBase(object, index, id, key, Trust::kVerified);
}

}  // namespace s3v
