// Small things: metadata rows, summaries, runs of masks, the primitives of binary objects, decimals.
#include <cmath>
#include <limits>

#include "base/decimal.h"
#include "format/coding.h"
#include "format/column.h"
#include "format/content_hash.h"
#include "format/half.h"
#include "format/mask_runs.h"
#include "format/samples.h"
#include "format/summary.h"
#include "fuzz/target.h"

namespace s3v::fuzz {
namespace {

const std::string kName = "input";

// ---- metadata rows

// Values of any well-formed row, in whatever form they are stored, come back as they were; a summary is true of them.
void CheckColumn(std::span<const ByteView> values) {
  Bytes range;
  const ObjectId object{};
  AppendColumnRange(range, values, 5, 3, object, 100);
  uint64_t bytes = 0;
  for (const ByteView value : values) bytes += value.size();
  Require(range.size() <= MostColumnBytes(values.size(), bytes), "a column is longer than its bound");
  const ColumnPlace place{.offset = 100, .length = static_cast<uint32_t>(range.size())};
  const Piece piece{.list_id = 5, .count = static_cast<uint32_t>(values.size())};
  const ColumnRange column(range, place, 3, piece, SegmentShape(), kName);
  Bytes again;
  for (size_t i = 0; i < values.size(); ++i) {
    again.clear();
    column.AppendValue(i, again);
    Require(std::ranges::equal(again, values[i]), "a column gives another value back");
  }
}

void CheckSummary(std::span<const ByteView> values) {
  SummaryBuilder builder;
  uint32_t nulls = 0;
  const bool is_built = Accepts([&] {
    for (const ByteView value : values) {
      builder.Add(value);
      nulls += ReadValue(value).tag == ValueTag::kNull ? 1 : 0;
    }
  });
  if (!is_built) return;  // decimals that are none
  Bytes bytes;
  builder.AppendTo(bytes);
  ColumnSummary summary;
  // Decimals are looked at only where they are compared.
  const bool is_read = Accepts([&] {
    Decoder decoder(bytes, kName);
    summary = ReadSummary(decoder, static_cast<uint32_t>(values.size()));
    Require(decoder.left() == 0, "a summary that was written is not read to its end");
  });
  if (!is_read) {
    bool has_decimals = false;
    for (const ByteView value : values) has_decimals |= ReadValue(value).tag == ValueTag::kDecimal;
    Require(has_decimals, "a summary that was written is refused");
    return;
  }
  Require(summary.nulls == nulls, "a summary counts other NULLs");
}

void RunMetadata(ByteView input) {
  const Bytes row = Copy(input);
  std::vector<ByteView> values;
  Accepts([&] {
    MetadataReader reader(row);
    while (!reader.AtEnd() && values.size() < 400) values.push_back(reader.NextEncoded());
  });
  for (const ByteView value : values) {
    const MetadataValue read = ReadValue(value);
    if (read.tag != ValueTag::kList) continue;
    uint32_t elements = 0;
    for (MetadataReader reader(read.list); !reader.AtEnd(); ++elements) reader.Next();
    Require(elements == read.list_count, "a list has other elements than it says");
  }
  if (values.empty()) return;
  CheckColumn(values);
  CheckSummary(values);
  // Whatever the address, the hash is of the bytes.
  const std::vector<float> vector(values.size() % 5, 0.5F);
  const Bytes moved = [&] {
    Bytes bytes{0};
    Append(bytes, ByteView(row));
    return bytes;
  }();
  Require(ContentHash(vector, row) == ContentHash(vector, ByteView(moved).subspan(1)), "a hash depends on the address");
}

std::vector<Bytes> MetadataSeeds() {
  std::vector<Bytes> seeds;
  for (const auto& column : testing::SampleColumnValues()) {
    Bytes all;
    for (const Bytes& value : column) Append(all, ByteView(value));
    seeds.push_back(all);
  }
  testing::MetadataWriter writer;
  for (int i = 0; i < 20; ++i) writer.Decimal(std::to_string(i) + ".50").Text(std::string(static_cast<size_t>(i), 'x'));
  seeds.push_back(writer.Time(-1).Json("{}").Boolean(true).Decimal("NaN").List(2).Integer(1).Text("a").row());
  return seeds;
}

// ---- summaries

bool IsScalar(const MetadataValue& value) {
  return value.tag != ValueTag::kNull && value.tag != ValueTag::kList && value.tag != ValueTag::kJson;
}

void RunSummary(ByteView input) {
  if (input.size() < 2) return;
  const uint32_t entries = 1 + input[0];
  const Bytes bytes = Copy(input.subspan(1));
  Accepts([&] {
    Decoder decoder(bytes, kName);
    while (decoder.left() > 0) {
      const ByteView here = decoder.rest();
      const ColumnSummary read = ReadSummary(decoder, entries);
      const ColumnSummary viewed = ViewSummary(here, entries);
      Require(read.nulls <= entries && viewed.nulls == read.nulls && viewed.counted == read.counted,
              "a summary is viewed other than read");
      uint64_t counted = 0;
      for (const auto& [value, count] : std::span(read.values).first(read.counted)) {
        Require(IsScalar(value) && count >= 1 && count <= entries - read.nulls, "a summary counts what cannot be");
        counted += count;
      }
      if (read.form == SummaryForm::kValues) Require(counted + read.nulls == entries, "counts do not add up");
    }
  });
}

std::vector<Bytes> SummarySeeds() {
  Bytes seed{19};
  Append(seed, ByteView(testing::SampleSummaries()));
  return {seed, {3, 4, 0}, {3, 0, 1, 1, 2, 4}, {0, 0, 3, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 0, 0, 0}};
}

// ---- runs of masks

void RunMask(ByteView input) {
  Choices choices(input);
  const uint32_t entries = choices.Take<uint32_t>() >> (choices.Take<uint8_t>() % 32);
  const Bytes bytes = Copy(choices.rest());
  std::vector<MaskRun> runs;
  if (!Accepts([&] { runs = DecodeMaskRuns(bytes, 7, entries, kName); })) return;
  uint64_t end = 0;
  for (const MaskRun& run : runs) {
    Require(run.count > 0 && run.first >= end && uint64_t{run.first} + run.count <= entries, "runs that cannot be");
    end = uint64_t{run.first} + run.count;
  }
  Bytes again;
  AppendMaskRuns(again, runs);
  Require(again == bytes, "a mask is written other than it was read");
}

std::vector<Bytes> MaskSeeds() {
  return {{0xff, 0xff, 0xff, 0xff, 0, 3, 2, 0xa7, 2, 1}, {0, 0, 0, 0x80, 4, 0, 1, 1, 1, 0xff, 0x7f, 5}};
}

// ---- primitives

void RunCoding(ByteView input) {
  Choices choices(input);
  const auto pattern = choices.Take<uint64_t>();
  const Bytes bytes = Copy(choices.rest());
  Accepts([&] {
    Decoder decoder(bytes, kName, 11);
    for (uint64_t step = pattern; decoder.left() > 0; step = step >> 3 | step << 61) {
      const size_t left = decoder.left();
      switch (step & 7) {
        case 0: {
          const ByteView before = decoder.rest();
          Bytes again;
          AppendVarint(again, decoder.ReadVarint());
          Require(std::ranges::equal(again, before.first(again.size())), "a varint is written other than it was read");
          break;
        }
        case 1:
          decoder.Read<uint64_t>();
          break;
        case 2:
          decoder.ReadArray<uint32_t>(decoder.Read<uint64_t>());
          break;
        case 3:
          decoder.Take(decoder.Read<uint64_t>());
          break;
        case 4:
          decoder.RequireZero(decoder.Read<uint8_t>());
          break;
        case 5:
          Require(decoder.ReadNumber(3, 200, "number") >= 3, "a number out of range");
          break;
        default:
          decoder.Read<uint8_t>();
      }
      Require(decoder.left() < left && decoder.offset() == 11 + bytes.size() - decoder.left(), "a lost offset");
    }
  });

  const size_t floats = bytes.size() / sizeof(float);
  size_t no_length = floats, not_finite = floats;
  for (size_t i = floats; i > 0; --i) {
    float value;
    std::memcpy(&value, bytes.data() + (i - 1) * sizeof value, sizeof value);
    if (std::isnan(value) || std::signbit(value)) no_length = i - 1;
    if (!std::isfinite(value)) not_finite = i - 1;
  }
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Require(FindNoLength(bytes.data(), floats, kInfinity) == no_length, "a factor that is none is not found");
  Require(FindNotFinite(bytes.data(), floats) == not_finite, "an element that is not finite is not found");
  std::vector<float> values(bytes.size() / sizeof(uint16_t));
  FromHalves(bytes.data(), values);
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t half;
    std::memcpy(&half, bytes.data() + i * sizeof half, sizeof half);
    if (std::isfinite(values[i])) Require(ToHalf(values[i]) == half, "a half is another when written again");
  }
}

std::vector<Bytes> CodingSeeds() {
  Bytes varints(8);
  for (const uint32_t number : {0U, 127U, 128U, 300U, 65'536U, UINT32_MAX}) AppendVarint(varints, number);
  Bytes floats{0x76, 0x54, 0x32, 0x10, 1, 2, 3, 4};
  for (int i = 0; i < 40; ++i) Append(floats, static_cast<float>(i) / 7);
  return {varints, floats};
}

// ---- decimals

void RunDecimal(ByteView input) {
  const std::vector<ByteView> parts = PartsOf(input, 3);
  std::vector<std::string> texts;
  for (const ByteView part : parts) {
    const std::string text(AsText(part));
    if (Accepts([&] { CompareDecimalTexts(text, "0"); })) texts.push_back(text);
  }
  for (const std::string& a : texts) {
    Require(CompareDecimalTexts(a, a) == 0, "a number is not equal to itself");
    for (const std::string& b : texts) {
      const auto order = CompareDecimalTexts(a, b);
      Require((order < 0) == (CompareDecimalTexts(b, a) > 0), "an order that depends on the side");
      // What double tells apart lies the same way round.
      const double x = std::strtod(a.c_str(), nullptr), y = std::strtod(b.c_str(), nullptr);
      if (x < y) Require(order < 0, "numbers are out of order");
      for (const std::string& c : texts) {
        if (order <= 0 && CompareDecimalTexts(b, c) <= 0) Require(CompareDecimalTexts(a, c) <= 0, "no order at all");
      }
    }
  }
}

std::vector<Bytes> DecimalSeeds() {
  const auto joined = [](std::initializer_list<std::string_view> texts) {
    std::vector<Bytes> parts;
    for (const std::string_view text : texts) parts.push_back(Copy(AsBytes(text)));
    return Joined(parts);
  };
  return {joined({"1.50", "1.5", "-2"}), joined({"NaN", "Infinity", "-Infinity"}),
          joined({"0.00", "-0", "123456789012345678901234567890.5"}), joined({"0.001", ".5", "5."})};
}

}  // namespace

std::vector<Target> ValueTargets() {
  return {
      {.name = "metadata", .run = RunMetadata, .seeds = MetadataSeeds, .memory_per_byte = 256},
      {.name = "summary", .run = RunSummary, .seeds = SummarySeeds},
      {.name = "mask", .run = RunMask, .seeds = MaskSeeds},
      {.name = "coding", .run = RunCoding, .seeds = CodingSeeds},
      {.name = "decimal",
       .run = RunDecimal,
       .seeds = DecimalSeeds,
       .words = {"NaN", "Infinity", "-", ".", "0000000000", "9999999999", "e5"}},
  };
}

}  // namespace s3v::fuzz
