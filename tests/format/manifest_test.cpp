#include "format/manifest.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "format/json_object.h"
#include "format/samples.h"

namespace s3v {
namespace {

using nlohmann::json;
using testing::kSampleIndex;
using testing::kSampleObject;
using testing::SampleManifest;

const std::string kKey = "manifest";

Manifest Decode(const Bytes& bytes) { return DecodeManifest(bytes, kSampleIndex, kSampleObject, kKey); }

json SampleText() {
  const Bytes bytes = EncodeManifest(SampleManifest());
  return json::parse(JsonTextOf(bytes, {.kind = 'M', .index = kSampleIndex, .object = kSampleObject}, kKey));
}

Code CodeOf(const json& text) {
  const Bytes bytes = EncodeJsonObject({.kind = 'M', .index = kSampleIndex, .object = kSampleObject}, text.dump());
  try {
    Decode(bytes);
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

TEST(Manifest, RoundTrip) {
  const Manifest manifest = SampleManifest();
  const Manifest read = Decode(EncodeManifest(manifest));
  EXPECT_EQ(read.index, manifest.index);
  EXPECT_EQ(read.id, manifest.id);
  EXPECT_EQ(read.metric, manifest.metric);
  EXPECT_EQ(read.dimensions, manifest.dimensions);
  EXPECT_EQ(read.key_kind, manifest.key_kind);
  EXPECT_EQ(read.bits, manifest.bits);
  EXPECT_EQ(read.raw, manifest.raw);
  EXPECT_EQ(read.has_duplicates, manifest.has_duplicates);
  EXPECT_EQ(read.metadata_columns, manifest.metadata_columns);
  EXPECT_EQ(read.rows, manifest.rows);
  EXPECT_EQ(read.lists, manifest.lists);
  EXPECT_EQ(read.entries, manifest.entries);
  EXPECT_EQ(read.base, manifest.base);
  EXPECT_EQ(read.deltas, manifest.deltas) << "in the order of the version row";
  EXPECT_EQ(read.segments, manifest.segments);
  EXPECT_EQ(read.created, manifest.created);
}

TEST(Manifest, EveryMemberIsNeededAndTyped) {
  const json whole = SampleText();
  ASSERT_EQ(CodeOf(whole), Code::kOk);
  for (const auto& [name, value] : whole.items()) {
    json text = whole;
    text.erase(name);
    EXPECT_EQ(CodeOf(text), Code::kCorrupted) << name;
    for (const json& other : {json(nullptr), json(-1.5), json("../../etc/passwd"), json::array({1}), json::object()}) {
      text[name] = other;
      EXPECT_EQ(CodeOf(text), Code::kCorrupted) << name << " = " << other;
    }
  }
}

TEST(Manifest, CodesAndRawPlanes) {
  Manifest manifest = SampleManifest();
  for (const RawPlane raw : {RawPlane::kNone, RawPlane::kFloat32, RawPlane::kFloat16}) {
    manifest.raw = raw;
    manifest.has_duplicates = raw == RawPlane::kNone;
    manifest.bits = raw == RawPlane::kNone ? 8 : 1;
    const Manifest read = Decode(EncodeManifest(manifest));
    EXPECT_EQ(read.raw, raw);
    EXPECT_EQ(read.bits, manifest.bits);
    EXPECT_EQ(read.has_duplicates, manifest.has_duplicates);
  }
  for (const auto& [name, value] : std::vector<std::pair<std::string, json>>{
           {"bits", 0}, {"bits", 9}, {"bits", 4.0}, {"raw", ""}, {"raw", "f64"}, {"duplicates", 1}, {"metric", ""}}) {
    json text = SampleText();
    text[name] = value;
    EXPECT_EQ(CodeOf(text), Code::kCorrupted) << name << " = " << value;
  }
}

TEST(Manifest, AVersionHasADeltaButPerhapsNoSegment) {
  Manifest manifest = SampleManifest();
  manifest.segments.clear();
  EXPECT_TRUE(Decode(EncodeManifest(manifest)).segments.empty());
  manifest.deltas.clear();
  EXPECT_THROW(Decode(EncodeManifest(manifest)), Error);
}

TEST(Manifest, UnknownMembersAreIgnored) {
  json text = SampleText();
  text["summaries"] = json::array({1, {{"deep", true}}});
  EXPECT_EQ(CodeOf(text), Code::kOk);
}

TEST(Manifest, NamesThatAreNoIdsAreRefused) {
  for (const std::string id : {"", "../segment/a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", "http://169.254.169.254/",
                               "file:///proc/self/environ", "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF"}) {
    json text = SampleText();
    text["segments"][0]["id"] = id;
    EXPECT_EQ(CodeOf(text), Code::kCorrupted) << id;
    text = SampleText();
    text["deltas"][1]["id"] = id;
    EXPECT_EQ(CodeOf(text), Code::kCorrupted) << id;
    text = SampleText();
    text["base"]["id"] = id;
    EXPECT_EQ(CodeOf(text), Code::kCorrupted) << id;
  }
  for (const json& length : {json(-1), json(1e300), json("1"), json(1.0)}) {
    json text = SampleText();
    text["segments"][0]["length"] = length;
    EXPECT_EQ(CodeOf(text), Code::kCorrupted) << length;
    text = SampleText();
    text["deltas"][0]["length"] = length;
    EXPECT_EQ(CodeOf(text), Code::kCorrupted) << length;
  }
}

TEST(Manifest, DeepOrBrokenTextIsRefused) {
  const ObjectHeader header{.kind = 'M', .index = kSampleIndex, .object = kSampleObject};
  const auto with_text = [&](const std::string& text) {
    Bytes bytes;
    AppendHeader(bytes, header);
    Append(bytes, static_cast<uint32_t>(text.size()));
    Append(bytes, AsBytes(text));
    AppendRangeChecksum(bytes, kSampleObject, kHeaderSize, kHeaderSize);
    return bytes;
  };
  for (const std::string& text : {std::string(), std::string("{"), std::string("[]"), std::string("null"),
                                  std::string("{} x"), std::string("{\"a\":\"\xff\"}"), std::string(1000000, '[')}) {
    EXPECT_THROW(Decode(with_text(text)), Error) << text.substr(0, 20);
  }
  std::string deep = SampleText().dump();
  deep.insert(1, "\"x\":" + std::string(500000, '[') + std::string(500000, ']') + ",");
  EXPECT_NO_THROW(Decode(with_text(deep))) << "an unknown member, however deep, is ignored";
}

TEST(Manifest, ColumnNamesOfOtherEncodingsDoNotFail) {
  Manifest manifest = SampleManifest();
  manifest.metadata_columns = {
      "gr\xf6\xdf"
      "e"};
  EXPECT_EQ(Decode(EncodeManifest(manifest)).metadata_columns.size(), 1U);
}

}  // namespace
}  // namespace s3v
