// Objects written once by format 1 (tests/golden) still read as they were written, and this release still writes the
// same bytes. FORMAT.md shows the same bytes in hexadecimal. After a change of format: raise its number, then write new
// files with
//   format_test --gtest_also_run_disabled_tests --gtest_filter='*WriteGoldenFiles'
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>

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
  std::vector<Piece> pieces;
  return {{"owner-1", EncodeOwner(testing::SampleOwner(), kSampleIndex)},
          {"manifest-1", EncodeManifest(testing::SampleManifest())},
          {"base-1", EncodeBase(testing::SampleBase(), kSampleIndex, kSampleObject)},
          {"delta-1", EncodeDelta(testing::SampleDelta(), kSampleIndex, kSampleObject)},
          {"segment-1", testing::SampleSegment(&pieces)}};
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
  EXPECT_EQ(DecodeOwner(ReadGolden("owner-1"), kSampleIndex, 7, "owner").token, testing::SampleOwner().token);
  const Manifest manifest = DecodeManifest(ReadGolden("manifest-1"), kSampleIndex, kSampleObject, "manifest");
  EXPECT_EQ(EncodeManifest(manifest), EncodeManifest(testing::SampleManifest()));
  const NavigationBase base = DecodeBase(ReadGolden("base-1"), kSampleIndex, kSampleObject, "base");
  EXPECT_EQ(base.centroids.lists, testing::SampleBase().centroids.lists);
  const NavigationDelta delta = DecodeDelta(ReadGolden("delta-1"), kSampleIndex, kSampleObject, 2, "delta");
  ASSERT_EQ(delta.pieces.size(), 2U);

  // The delta's pieces say where the segment's ranges lie.
  const Bytes segment = ReadGolden("segment-1");
  ASSERT_EQ(segment.size(), delta.segments[0].length);
  const Piece& piece = delta.pieces[0];
  const ScanRange scan(ByteView(segment).subspan(piece.scan_offset, piece.scan_length), piece, testing::SampleShape(),
                       "s");
  EXPECT_EQ(AsText(scan.key(1)), "bc");
  const MetadataRange metadata(ByteView(segment).subspan(piece.metadata_offset, piece.metadata_length), piece,
                               testing::SampleShape(), "s");
  EXPECT_EQ(metadata.row(0)[0], 2);
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
  EXPECT_EQ(examples, 5U);
}

}  // namespace
}  // namespace s3v
