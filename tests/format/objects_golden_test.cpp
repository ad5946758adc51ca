// Objects written once by format 4 (tests/golden) still read as they were written, and this release still writes the
// same bytes; those of format 3 are refused. FORMAT.md shows the same bytes in hexadecimal. After a change of format:
// raise its number, then write new files with
//   format_test --gtest_also_run_disabled_tests --gtest_filter='*WriteGoldenFiles'
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include "format/coding.h"
#include "format/column.h"
#include "format/key_plane.h"
#include "format/samples.h"

namespace s3v {
namespace {

using testing::kSampleIndex;
using testing::kSampleObject;

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Bytes ReadGolden(const std::string& name) {
  const std::string text = ReadText(std::string(S3V_TEST_DIR) + "/golden/" + name + ".bin");
  return {text.begin(), text.end()};
}

std::vector<std::pair<std::string, Bytes>> Written() {
  return {{"owner-4", EncodeOwner(testing::SampleOwner(), kSampleIndex)},
          {"manifest-4", EncodeManifest(testing::SampleManifest())},
          {"base-4", EncodeBase(testing::SampleBase(), kSampleIndex, kSampleObject)},
          {"delta-4", EncodeDelta(testing::SampleDelta(), kSampleIndex, kSampleObject)},
          {"segment-4", testing::SampleSegment().object},
          {"columns-4", testing::SampleColumns()},
          {"summaries-4", testing::SampleSummaries()}};
}

TEST(Golden, DISABLED_WriteGoldenFiles) {
  for (const auto& [name, bytes] : Written()) {
    std::ofstream file(std::string(S3V_TEST_DIR) + "/golden/" + name + ".bin", std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(file.good());
  }
}

TEST(Golden, ThisReleaseWritesTheSameBytes) {
  for (const auto& [name, bytes] : Written()) EXPECT_EQ(ToHex(bytes), ToHex(ReadGolden(name))) << name;
}

TEST(Golden, StoredObjectsReadAsWritten) {
  EXPECT_EQ(DecodeOwner(ReadGolden("owner-4"), kSampleIndex, 7, "owner").token, testing::SampleOwner().token);
  const Manifest manifest = DecodeManifest(ReadGolden("manifest-4"), kSampleIndex, kSampleObject, "manifest");
  EXPECT_EQ(EncodeManifest(manifest), EncodeManifest(testing::SampleManifest()));
  const Bytes base_bytes = ReadGolden("base-4");
  const NavigationBase base = DecodeBase(base_bytes, kSampleIndex, kSampleObject, "base");
  const NavigationBaseParts parts = testing::SampleBase();
  EXPECT_TRUE(std::ranges::equal(std::span(base.tables.lists.codes, 4), parts.lists.codes));
  EXPECT_EQ(base.tables.parents.scale(0), parts.parents.scales[0]);
  EXPECT_EQ(base.list_id(1), parts.list_ids[1]);
  const NavigationDelta delta = DecodeDelta(ReadGolden("delta-4"), kSampleIndex, kSampleObject, "delta");
  ASSERT_EQ(delta.segments.size(), 2U);
  ASSERT_EQ(delta.pieces.size(), 3U);
  EXPECT_EQ(delta.segments[1].id, testing::kSampleFresh);
  ASSERT_EQ(delta.masks.size(), 3U);
  EXPECT_EQ(delta.masks[1].runs, testing::SampleDelta().masks[1].runs);

  // The delta says where the segment's ranges lie.
  const Bytes segment = ReadGolden("segment-4");
  ASSERT_EQ(segment.size(), delta.segments[0].length);
  const ByteView bytes = segment;
  const SegmentShape shape = testing::SampleShape();
  const Piece& piece = delta.pieces[0];
  const ScanRange scan(bytes.subspan(piece.scan_offset, piece.scan_length), piece, shape, "s");
  EXPECT_EQ(AsText(scan.key(1)), "bc");
  EXPECT_EQ(scan.sign_plane()[8], 0b11);
  const ExtensionRange extension(bytes.subspan(piece.extension_offset(), piece.extension_length), piece, shape, "s");
  EXPECT_EQ(extension.factors(1).scale, 3.5F);
  EXPECT_EQ(extension.code(0)[0], 0b10);
  const ColumnPlace& place_of_column = delta.columns.Of(piece, 1)[0];
  const ColumnRange column(bytes.subspan(place_of_column.offset, place_of_column.length), place_of_column, 0, piece,
                           shape, "s");
  EXPECT_EQ(column.value(0).tag, ValueTag::kTrue);
  EXPECT_EQ(column.value(1).integer, 5);
  EXPECT_EQ(ViewSummary(delta.columns.SummaryBytes(place_of_column), 2).counted, 2U);
  float vector[2];
  const uint64_t place = delta.pieces[1].raw_offset;
  DecodeRaw(bytes.subspan(place, RawBytes(shape.raw, 2)), place, shape, "s", vector);
  EXPECT_EQ(vector[1], 2.0F);
  const KeyPlanePlace& keys = delta.segments[0].keys;
  const auto blocks = DecodeKeyIndex(bytes.last(keys.index_length), shape, keys, segment.size(), 3, "s");
  ASSERT_EQ(blocks.size(), 1U);
  const KeyBlock block(bytes.subspan(blocks[0].offset, blocks[0].length), blocks[0], shape, 3, "s");
  EXPECT_EQ(AsText(block.entry(2).key), "bc");
  EXPECT_EQ(block.entry(2).position, 1U);
  EXPECT_EQ(block.entry(2).content_hash, testing::SampleEntries()[1].content_hash);
}

TEST(Golden, ColumnsOfEveryFormReadAsWritten) {
  const Bytes ranges = ReadGolden("columns-4");
  const std::vector<std::vector<Bytes>> columns = testing::SampleColumnValues();
  constexpr uint32_t kEnds[] = {55, 88, 140, ~0U};
  uint32_t offset = 0;
  for (uint32_t number = 0; number < columns.size(); ++number) {
    const uint32_t length = std::min<uint32_t>(kEnds[number], static_cast<uint32_t>(ranges.size())) - offset;
    const ColumnPlace place{.offset = offset, .length = length};
    const Piece piece{.list_id = testing::kSampleLists[0], .count = 4};
    const ColumnRange column(ByteView(ranges).subspan(offset, length), place, number, piece, testing::SampleShape(),
                             "c");
    EXPECT_EQ(column.form(), static_cast<ColumnForm>(number + 1));
    for (size_t i = 0; i < 4; ++i) {
      Bytes value;
      column.AppendValue(i, value);
      EXPECT_EQ(value, columns[number][i]);
    }
    offset += length;
  }
}

TEST(Golden, SummariesOfEveryFormReadAsWritten) {
  const Bytes bytes = ReadGolden("summaries-4");
  const std::string key = "summaries";
  Decoder decoder(bytes, key);
  const ColumnSummary labels = ReadSummary(decoder, 20);
  EXPECT_EQ(labels.form, SummaryForm::kValues);
  EXPECT_EQ(labels.nulls, 1U);
  EXPECT_EQ(labels.values[1].value.text, "b");
  EXPECT_EQ(labels.values[1].entries, 4U);
  const ColumnSummary lists = ReadSummary(decoder, 20);
  EXPECT_EQ(lists.form, SummaryForm::kElements);
  EXPECT_EQ(lists.values[2].entries, 15U);
  EXPECT_EQ(ReadSummary(decoder, 20).greatest.integer, 14);
  EXPECT_TRUE(ReadSummary(decoder, 20).greatest_is_cut);
  EXPECT_EQ(ReadSummary(decoder, 20).form, SummaryForm::kUnknown);
  EXPECT_EQ(decoder.left(), 0U);
}

TEST(Golden, ObjectsOfFormat3AreRefused) {
  const auto expect_refused = [](const std::string& name, const auto& read) {
    try {
      read(ReadGolden(name));
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kNotSupported) << name;
      EXPECT_NE(error.message().find("has format 3"), std::string::npos) << error.message();
      EXPECT_EQ(error.hint(), "Rebuild the index: s3v_sync with mode 'rebuild'.");
    }
  };
  expect_refused("manifest-3", [](const Bytes& bytes) { DecodeManifest(bytes, kSampleIndex, kSampleObject, "m"); });
  expect_refused("base-3", [](const Bytes& bytes) { DecodeBase(bytes, kSampleIndex, kSampleObject, "b"); });
  expect_refused("base-3", [](const Bytes& bytes) { ViewBase(bytes, kSampleIndex, kSampleObject, "b"); });
  expect_refused("delta-3", [](const Bytes& bytes) { DecodeDelta(bytes, kSampleIndex, kSampleObject, "d"); });
  expect_refused("delta-3", [](const Bytes& bytes) { CheckDelta(bytes, kSampleIndex, kSampleObject, "d"); });
  expect_refused("segment-3", [](const Bytes& bytes) {
    CheckHeader(bytes, {.kind = 'G', .index = kSampleIndex, .object = kSampleObject}, "s");
  });
}

// A rebuild has to pass the fence of the index first.
TEST(Golden, OwnerMarkersOfFormat3AreRead) {
  EXPECT_EQ(DecodeOwner(ReadGolden("owner-3"), kSampleIndex, 7, "owner").token, testing::SampleOwner().token);
}

// The worked examples: blocks that begin with "```hex <name>", bytes in hexadecimal, comments after '#'.
TEST(Golden, FormatPageShowsTheseBytes) {
  std::istringstream page(ReadText(std::string(S3V_TEST_DIR) + "/../src/format/FORMAT.md"));
  size_t examples = 0;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("```hex ")) continue;
    const std::string name = line.substr(7);
    std::string hex;
    while (std::getline(page, line) && line != "```") {
      for (const char c : line.substr(0, line.find('#'))) {
        if (c != ' ') hex.push_back(c);
      }
    }
    EXPECT_EQ(hex, ToHex(ReadGolden(name))) << name;
    ++examples;
  }
  EXPECT_EQ(examples, 7U);
}

}  // namespace
}  // namespace s3v
