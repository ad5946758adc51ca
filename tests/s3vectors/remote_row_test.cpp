#include "s3vectors/remote_row.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/random.h"
#include "support/metadata_rows.h"

namespace s3v {
namespace {

using nlohmann::json;
using testing::MetadataWriter;

Bytes IntegerKey(int64_t value) {
  const uint64_t bits = static_cast<uint64_t>(value) ^ (uint64_t{1} << 63);
  Bytes key;
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<uint8_t>(bits >> shift));
  return key;
}

RemoteSchema SchemaOf(std::vector<RemoteColumn> columns, size_t dimensions = 2) {
  return {.key_kind = KeyKind::kText, .dimensions = dimensions, .columns = std::move(columns)};
}

const RemoteSchema& Schema() {
  static const auto* schema = new RemoteSchema(SchemaOf({{"title", ColumnKind::kText},
                                                         {"ok", ColumnKind::kBoolean},
                                                         {"n", ColumnKind::kNumber},
                                                         {"at", ColumnKind::kTime},
                                                         {"tags", ColumnKind::kList},
                                                         {"body", ColumnKind::kText, false}}));
  return *schema;
}

Bytes SampleRow() {
  return MetadataWriter()
      .Text("say \"hi\"\n")
      .Boolean(true)
      .Decimal("19.90")
      .Time(500'000)
      .List(3)
      .Text("a")
      .Integer(7)
      .Boolean(false)
      .Text("\xC3\xBC")
      .row();
}

std::string Json(const RemoteSchema& schema, const Bytes& row) {
  std::string text;
  AppendMetadata(schema, row, &text);
  return text;
}

// ---- keys

TEST(RemoteKeys, HaveOneTextEach) {
  EXPECT_EQ(KeyText(KeyKind::kInteger, IntegerKey(-5)), "-5");
  EXPECT_EQ(KeyText(KeyKind::kInteger, IntegerKey(INT64_MIN)), "-9223372036854775808");
  Bytes uuid;
  for (uint8_t i = 0; i < 16; ++i) uuid.push_back(static_cast<uint8_t>(i * 17));
  EXPECT_EQ(KeyText(KeyKind::kUuid, uuid), "00112233-4455-6677-8899-aabbccddeeff");
  EXPECT_EQ(KeyText(KeyKind::kText, AsBytes("a/\xC3\xBC")), "a/\xC3\xBC");
  EXPECT_THROW(KeyText(KeyKind::kUuid, AsBytes("short")), Error);
}

TEST(RemoteKeys, ComeBackFromTheirText) {
  for (const int64_t value : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{42}, INT64_MAX}) {
    EXPECT_EQ(KeyFromText(KeyKind::kInteger, std::to_string(value)), IntegerKey(value));
  }
  const auto uuid = KeyFromText(KeyKind::kUuid, "00112233-4455-6677-8899-aabbccddeeff");
  ASSERT_TRUE(uuid);
  EXPECT_EQ(KeyText(KeyKind::kUuid, *uuid), "00112233-4455-6677-8899-aabbccddeeff");
  EXPECT_TRUE(KeyFromText(KeyKind::kText, "x"));
}

TEST(RemoteKeys, TextsOfNoRowAreForeign) {
  for (const char* text : {"", "007", "+1", "-0", "1 ", " 1", "0x1", "1e3", "9223372036854775808", "one"}) {
    EXPECT_FALSE(KeyFromText(KeyKind::kInteger, text)) << text;
  }
  for (const char* text : {"", "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-AABBCCDDEEFF",
                           "{00112233-4455-6677-8899-aabbccddeeff}", "0011223-34455-6677-8899-aabbccddeeff",
                           "00112233-4455-6677-8899-aabbccddeefg"}) {
    EXPECT_FALSE(KeyFromText(KeyKind::kUuid, text)) << text;
  }
  EXPECT_FALSE(KeyFromText(KeyKind::kText, ""));
  EXPECT_FALSE(KeyFromText(KeyKind::kText, std::string(1025, 'x')));
  EXPECT_FALSE(KeyFromText(KeyKind::kText, std::string_view("a\0b", 3)));
  EXPECT_FALSE(KeyFromText(KeyKind::kText, "\xff"));
}

// ---- metadata

TEST(RemoteMetadata, HasAMemberForEachValue) {
  EXPECT_EQ(Json(Schema(), SampleRow()),
            R"({"title":"say \"hi\"\u000a","ok":true,"n":19.9,"at":946684800.5,"tags":["a",7,false],"body":"ü"})");
}

TEST(RemoteMetadata, LeavesOutWhatTheServiceCannotHold) {
  const RemoteSchema schema = SchemaOf({{"a", ColumnKind::kNumber},
                                        {"b", ColumnKind::kList},
                                        {"c", ColumnKind::kJson},
                                        {"d", ColumnKind::kText},
                                        {"e", ColumnKind::kList}});
  const auto nothing = MetadataWriter().Float(NAN).List(0).Json(R"({"x":1})").Null().List(2).Float(NAN).Decimal("NaN");
  EXPECT_EQ(Json(schema, nothing.row()), "{}");
  const auto some =
      MetadataWriter().Float(INFINITY).List(2).Float(NAN).Integer(1).List(1).Decimal("2.0").Text("").List(0);
  EXPECT_EQ(Json(schema, some.row()), R"({"a":1.7976931348623157e308,"b":[1],"c":[2],"d":""})");
}

TEST(RemoteMetadata, IsAlwaysUtf8) {
  const RemoteSchema schema = SchemaOf({{"t", ColumnKind::kText}});
  const auto text = [&](std::string_view value) { return Json(schema, MetadataWriter().Text(value).row()); };
  EXPECT_EQ(text("a\xff"
                 "b"),
            "{\"t\":\"a\xEF\xBF\xBD"
            "b\"}");
  EXPECT_EQ(text("\xC0\x80"), "{\"t\":\"\xEF\xBF\xBD\xEF\xBF\xBD\"}");
  EXPECT_EQ(text("\xED\xA0\x80"
                 "\xF4\x90\x80\x80"
                 "\xE2\x82")
                .size(),
            8u + 9 * 3);
  EXPECT_EQ(text("\xF0\x9F\x98\x80\x7f\x01"), "{\"t\":\"\xF0\x9F\x98\x80\x7f\\u0001\"}");
  Random random(5);
  for (int i = 0; i < 2'000; ++i) {
    std::string bytes;
    for (uint64_t n = random.Below(12); n > 0; --n) {
      bytes += static_cast<char>(random.Below(3) == 0 ? random.Below(256) : 0xE0 + random.Below(0x18));
    }
    EXPECT_TRUE(json::accept(text(bytes))) << ToHex(AsBytes(bytes));
  }
}

TEST(RemoteMetadata, BrokenRowsAreRefused) {
  EXPECT_THROW(Json(Schema(), MetadataWriter().Text("only one").row()), Error);
  Bytes longer = SampleRow();
  longer.push_back(0);
  EXPECT_THROW(Json(Schema(), longer), Error);
}

TEST(RemoteVectors, ReadBackAsTheSameFloats) {
  Random random(3);
  std::vector<float> values = {0, -0.0F, 1, 0.1F, -2.5F, 1e-45F, std::numeric_limits<float>::max(), 1e-5F};
  for (int i = 0; i < 1'000; ++i) {
    const auto bits = static_cast<uint32_t>(random.Next());
    float value;
    std::memcpy(&value, &bits, sizeof value);
    if (std::isfinite(value)) values.push_back(value);
  }
  std::string text;
  AppendVector(values, &text);
  EXPECT_EQ(json::parse(text).get<std::vector<float>>(), values);
  text.clear();
  AppendVector(std::span(values).subspan(3, 2), &text);
  EXPECT_EQ(text, "[0.1,-2.5]");
}

// ---- sizes

TEST(RemoteSizes, AreThoseOfTheJsonText) {
  const RowSizes sizes = SizesOf(Schema(), AsBytes("key"), SampleRow());
  EXPECT_EQ(sizes.key_bytes, 3u);
  EXPECT_EQ(sizes.metadata_bytes, Json(Schema(), SampleRow()).size());
  RemoteSchema filterable = Schema();
  filterable.columns.pop_back();
  Bytes row = SampleRow();
  row.resize(row.size() - 7);  // the last text
  EXPECT_EQ(sizes.filterable_bytes, Json(filterable, row).size());
  const Bytes nothing = MetadataWriter().Null().Null().Null().Null().Null().Null().row();
  EXPECT_EQ(SizesOf(Schema(), AsBytes("k"), nothing).filterable_bytes, 2u);
  EXPECT_EQ(SizesOf(Schema(), AsBytes("k"), nothing).metadata_bytes, 2u);
}

TEST(RemoteSizes, BeyondTheLimitsThereIsAComplaint) {
  const auto complaint = [](const std::string& key, size_t title, size_t body) {
    const auto row =
        MetadataWriter().Text(std::string(title, 'x')).Null().Null().Null().Null().Text(std::string(body, 'y'));
    return ComplaintAbout(Schema(), AsBytes(key), row.row()).value_or("");
  };
  constexpr size_t kAround = 12;  // {"title":""}
  EXPECT_EQ(complaint("k", kMaxFilterableBytes - kAround, 0), "");
  EXPECT_EQ(complaint("k", kMaxFilterableBytes - kAround + 1, 0),
            "Metadata to filter by has 2049 bytes, and the service takes at most 2048.");
  EXPECT_EQ(complaint("k", 0, kMaxMetadataBytes - kAround - 10), "");
  EXPECT_EQ(complaint("k", 0, kMaxMetadataBytes - kAround - 9),
            "Metadata has 40961 bytes, and the service takes at most 40960.");
  EXPECT_EQ(complaint("", 0, 0), "The key is empty.");
  EXPECT_EQ(complaint(std::string(1024, 'k'), 0, 0), "");
  EXPECT_EQ(complaint(std::string(1025, 'k'), 0, 0), "The key has 1025 bytes, and the service takes at most 1024.");
  EXPECT_EQ(complaint("\xff", 0, 0), "The key is not valid UTF-8.");
}

TEST(RemoteSizes, FiftyKeysAreEnough) {
  RemoteSchema schema = SchemaOf({});
  MetadataWriter fits;
  MetadataWriter beyond;
  for (int i = 0; i < 51; ++i) {
    schema.columns.push_back({"c" + std::to_string(i), ColumnKind::kNumber});
    i == 7 ? fits.Null() : fits.Integer(i);
    beyond.Integer(i);
  }
  EXPECT_EQ(ComplaintAbout(schema, AsBytes("k"), fits.row()), std::nullopt);
  EXPECT_NE(ComplaintAbout(schema, AsBytes("k"), beyond.row()), std::nullopt);
}

// ---- hashes

constexpr float kVector[] = {0.1F, -2.5F};

std::optional<uint64_t> HashOf(std::string_view vector, std::string_view metadata) {
  return RemoteContentHash(Schema(), vector, metadata);
}

TEST(RemoteHash, IsThatOfTheRowHoweverTheServiceSpellsIt) {
  const uint64_t hash = RemoteContentHash(Schema(), kVector, SampleRow());
  const std::string metadata = Json(Schema(), SampleRow());
  EXPECT_EQ(HashOf("[0.1,-2.5]", metadata), hash);
  EXPECT_EQ(HashOf("[ 0.10000000149011612 , -25e-1 ]", metadata), hash);
  EXPECT_EQ(HashOf("[0.1,-2.5]", R"( {"body":"\u00fc", "at":9.466848005E8, "tags":["a",7.0,false],
                                      "n":19.90, "ok":true, "title":"say \"hi\"\n"} )"),
            hash);
}

TEST(RemoteHash, DiffersWithEveryValue) {
  const uint64_t hash = RemoteContentHash(Schema(), kVector, SampleRow());
  const json metadata = json::parse(Json(Schema(), SampleRow()));
  EXPECT_NE(HashOf("[0.1,-2.4]", metadata.dump()), hash);
  for (const auto& [key, value] : metadata.items()) {
    json other = metadata;
    other.erase(key);
    EXPECT_NE(HashOf("[0.1,-2.5]", other.dump()), hash) << key;
    for (const json& instead :
         {json("a"), json(1), json(false), json::array({"a", 7}), json(nullptr), json::object()}) {
      other[key] = instead;
      EXPECT_NE(HashOf("[0.1,-2.5]", other.dump()), hash) << other;
    }
  }
  json more = metadata;
  more["somebody"] = 1;
  EXPECT_NE(HashOf("[0.1,-2.5]", more.dump()), hash);
}

TEST(RemoteHash, NoMetadataIsNoMetadata) {
  const Bytes nothing = MetadataWriter().Null().Null().Float(NAN).Null().List(0).Null().row();
  const uint64_t hash = RemoteContentHash(Schema(), kVector, nothing);
  EXPECT_NE(hash, 0u);
  for (const char* text : {"", "{}", "null", " { } "}) EXPECT_EQ(HashOf("[0.1,-2.5]", text), hash) << text;
}

TEST(RemoteHash, NegativeZerosAreZeros) {
  const Bytes row = SampleRow();
  EXPECT_EQ(RemoteContentHash(Schema(), std::vector<float>{0, -0.0F}, row),
            RemoteContentHash(Schema(), std::vector<float>{-0.0F, 0}, row));
}

TEST(RemoteHash, OfWhatIsNoVectorThereIsNone) {
  for (const char* vector : {"", "[]", "[1]", "[1,2,3]", "[1,null]", "[1,\"2\"]", "[1,1e39]", "{}", "[1,2]x", "[1,2"}) {
    EXPECT_EQ(HashOf(vector, "{}"), std::nullopt) << vector;
  }
  for (const char* metadata : {"[]", "1", "{", "{\"a\"}", "{\"a\":[[1]]}", "{}{}"}) {
    EXPECT_EQ(HashOf("[1,2]", metadata), std::nullopt) << metadata;
  }
}

}  // namespace
}  // namespace s3v
