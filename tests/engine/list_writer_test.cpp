#include "engine/list_writer.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "format/coding.h"
#include "format/column.h"
#include "format/key_plane.h"
#include "format/names.h"
#include "store/memory_store.h"
#include "support/metadata_rows.h"
#include "support/temp_spill.h"

namespace s3v {
namespace {

// Neither in order nor dense.
uint32_t IdOf(uint32_t list) { return 1000 - 3 * list; }

uint64_t HashOf(uint64_t number) { return number * 0x9e3779b97f4a7c15ULL; }

uint64_t NumberOf(ByteView key) {
  uint64_t number;
  std::memcpy(&number, key.data(), sizeof number);
  return number;
}

// Keys by position, as the key plane has them; each with its hash.
std::vector<uint64_t> ReadKeyPlane(ByteView segment, const SegmentInfo& info, const SegmentShape& shape) {
  std::vector<uint64_t> numbers(info.entries);
  for (const KeyBlockPlace& place :
       DecodeKeyIndex(segment.last(info.keys.index_length), shape, info.keys, info.length, info.entries, "")) {
    const KeyBlock block(segment.subspan(place.offset, place.length), place, shape, info.entries, "");
    for (size_t i = 0; i < block.count(); ++i) {
      const KeyEntry entry = block.entry(i);
      numbers[entry.position] = NumberOf(entry.key);
      EXPECT_EQ(entry.content_hash, HashOf(numbers[entry.position]));
    }
  }
  return numbers;
}

constexpr size_t kTextHead = 5;  // tag and length of a text

// Every row comes back in its list, once, with its own vector and metadata; pieces and segments keep their bounds.
// The lists were said to have `said_bytes` of metadata a row, where that is given.
void WriteAndReadBack(const std::vector<uint32_t>& sizes, size_t memory_bytes, size_t metadata_bytes,
                      bool is_settled = true, std::optional<size_t> said_bytes = {}) {
  const SegmentShape shape{.index = {9},
                           .codes = {.dimensions = 16, .bits = 4},
                           .key_kind = KeyKind::kText,
                           .metadata_columns = 1,
                           .raw = RawPlane::kFloat32};
  std::vector<ListSize> lists;
  for (const uint32_t size : sizes)
    lists.push_back({size, size * (8 + said_bytes.value_or(kTextHead + metadata_bytes))});
  auto store = MakeMemoryStore();
  testing::TempSpillFactory spill;
  NeverStop stop;
  std::vector<uint32_t> ids;
  for (uint32_t list = 0; list < sizes.size(); ++list) ids.push_back(IdOf(list));
  ListWriter writer(shape, lists, ids, is_settled, memory_bytes, *store, spill);
  uint64_t rows = 0;
  const uint32_t most = sizes.empty() ? 0 : *std::max_element(sizes.begin(), sizes.end());
  for (uint32_t i = 0; i < most; ++i) {  // lists arrive interleaved
    for (uint32_t list = 0; list < sizes.size(); ++list) {
      if (i >= sizes[list]) continue;
      const uint64_t number = uint64_t{list} << 32 | i;
      std::vector<float> vector(16, static_cast<float>(i));
      vector[1] = static_cast<float>(list);
      const uint64_t signs[] = {i};
      const uint64_t extension[] = {i, list, 7};
      const Bytes metadata = testing::MetadataWriter().Text(std::string(metadata_bytes, static_cast<char>(i))).row();
      writer.Add(list, {.key = {reinterpret_cast<const uint8_t*>(&number), 8},
                        .signs = signs,
                        .extension = extension,
                        .sign_factors = {static_cast<float>(i), 1},
                        .code_factors = {static_cast<float>(list), 1},
                        .vector = vector,
                        .metadata = metadata,
                        .content_hash = HashOf(number)});
      ++rows;
    }
  }
  const WrittenLists written = writer.Finish([](uint64_t) {}, stop);

  std::set<std::string> keys;
  std::vector<uint64_t> numbers;  // of the segment
  std::vector<uint32_t> found(sizes.size());
  for (size_t p = 0; p < written.pieces.size(); ++p) {
    const Piece& piece = written.pieces[p];
    const bool is_first = p == 0 || written.pieces[p - 1].segment != piece.segment;
    const Piece& before = written.pieces[p == 0 ? 0 : p - 1];
    ASSERT_TRUE(p == 0 || before.segment <= piece.segment);
    ASSERT_EQ(piece.first, is_first ? 0 : before.first + before.count);
    ASSERT_EQ((1000 - piece.list_id) % 3, 0U);
    const uint32_t list = (1000 - piece.list_id) / 3;
    SegmentShape read = shape;
    const SegmentInfo& info = written.segments[piece.segment];
    read.object = info.id;
    const std::string key = SegmentKey(shape.index, read.object);
    const Bytes segment = store->Get(key, kMaxSegmentBytes, stop);
    ASSERT_EQ(segment.size(), info.length);
    ASSERT_EQ(info.is_settled, is_settled);
    if (is_first) numbers = ReadKeyPlane(segment, info, read);
    ASSERT_LE(segment.size(), std::max<size_t>(1 << 20, memory_bytes / 4));
    const ScanRange scan(ByteView(segment).subspan(piece.scan_offset, piece.scan_length), piece, read, key);
    const ColumnPlace& place = written.columns.Of(piece, 1)[0];
    const ColumnRange metadata(ByteView(segment).subspan(place.offset, place.length), place, 0, piece, read, key);
    SummaryBuilder summary;
    const ExtensionRange extension(ByteView(segment).subspan(piece.extension_offset(), piece.extension_length), piece,
                                   read, key);
    for (size_t i = 0; i < scan.count(); ++i) {
      const uint64_t number = NumberOf(scan.key(i));
      ASSERT_EQ(number, numbers[piece.first + i]);
      ASSERT_EQ(number >> 32, list);
      float norm;
      std::memcpy(&norm, reinterpret_cast<const uint8_t*>(scan.residual_norms()) + i * sizeof norm, sizeof norm);
      ASSERT_EQ(norm, static_cast<float>(number & 0xffffffff));
      uint64_t code[3];
      std::memcpy(code, extension.code(i), sizeof code);
      ASSERT_EQ(code[0], number & 0xffffffff);
      ASSERT_EQ(code[1], list);
      ASSERT_EQ(extension.factors(i).scale, static_cast<float>(list));
      const size_t raw_bytes = RawBytes(RawPlane::kFloat32, 16);
      std::vector<float> values(16);
      DecodeRaw(ByteView(segment).subspan(piece.raw_offset + i * raw_bytes, raw_bytes),
                piece.raw_offset + i * raw_bytes, read, key, values);
      ASSERT_EQ(values[0], static_cast<float>(number & 0xffffffff));
      ASSERT_EQ(values[1], static_cast<float>(list));
      ASSERT_EQ(metadata.value(i).text, std::string(metadata_bytes, static_cast<char>(number)));
      Bytes value;
      metadata.AppendValue(i, value);
      summary.Add(value);
      ASSERT_TRUE(keys.insert(std::string(AsText(scan.key(i)))).second);
    }
    found[list] += piece.count;
    Bytes summary_bytes;
    summary.AppendTo(summary_bytes);
    ASSERT_TRUE(std::ranges::equal(written.columns.SummariesOf(piece, 1), summary_bytes));
  }
  EXPECT_EQ(keys.size(), rows);
  EXPECT_EQ(found, sizes);
}

TEST(ListWriter, OneGroupStaysInMemory) { WriteAndReadBack({3, 0, 5, 1}, 1 << 20, 3); }
TEST(ListWriter, FreshSegments) { WriteAndReadBack({3, 0, 5, 1}, 1 << 20, 3, false); }
TEST(ListWriter, NoLists) { WriteAndReadBack({}, 1 << 20, 0); }
TEST(ListWriter, EmptyLists) { WriteAndReadBack({0, 0, 0}, 1 << 20, 0); }
TEST(ListWriter, ManyGroups) { WriteAndReadBack(std::vector<uint32_t>(60, 200), 1 << 18, 20); }
TEST(ListWriter, AListOfManyGroups) { WriteAndReadBack({10, 9000, 0, 20, 4000, 5}, 1 << 18, 50); }
// What repeated texts take on their own is estimated: more than was said takes more memory, no more.
TEST(ListWriter, MoreMetadataThanWasSaid) {
  WriteAndReadBack(std::vector<uint32_t>(60, 200), 1 << 18, 400, true, 5);
  WriteAndReadBack({10, 4000, 0, 20, 3000, 5}, 1 << 18, 500, true, 0);
}
TEST(ListWriter, RowsLargerThanABuffer) { WriteAndReadBack(std::vector<uint32_t>(10, 10), 1 << 18, 30000); }

}  // namespace
}  // namespace s3v
