// Answers of Amazon S3 Vectors, or of whoever speaks its protocol; and filters in its spelling.
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "filter/json_tree.h"
#include "fuzz/filter_input.h"
#include "fuzz/target.h"
#include "s3vectors/index_calls.h"
#include "s3vectors/json_cursor.h"
#include "s3vectors/names.h"
#include "s3vectors/remote_filter.h"
#include "s3vectors/remote_row.h"
#include "s3vectors/service_answer.h"
#include "s3vectors/service_retry.h"
#include "s3vectors/utf8.h"
#include "s3vectors/vector_answer.h"
#include "support/metadata_rows.h"
#include "support/service_rules.h"

namespace s3v::fuzz {
namespace {

using nlohmann::json;

Bytes BytesOf(std::string_view text) { return Copy(AsBytes(text)); }

// ---- JSON read from front to back, against a parser that makes a tree

constexpr int kMostDepth = 60;

// Reads the value that is next and says whether it is the expected one.
bool IsSame(JsonCursor& cursor, const json& expected) {
  switch (expected.type()) {
    case json::value_t::object: {
      std::map<std::string, bool> last;  // of members of one name, the tree has the last
      const bool is_read = cursor.ReadObject([&](std::string_view key) {
        const auto found = expected.find(std::string(key));
        if (found == expected.end()) return false;
        const std::string name(key);
        std::string_view raw;
        if (!cursor.SkipValue(&raw)) return false;
        JsonCursor value(raw);
        last[name] = IsSame(value, *found);
        return true;
      });
      return is_read && std::ranges::all_of(last, [](const auto& member) { return member.second; });
    }
    case json::value_t::array: {
      size_t i = 0;
      const bool is_read = cursor.ReadList([&] { return i < expected.size() && IsSame(cursor, expected[i++]); });
      return is_read && i == expected.size();
    }
    case json::value_t::string: {
      std::string text;
      return cursor.ReadString(&text) && text == expected.get<std::string>();
    }
    case json::value_t::boolean: {
      bool value = false;
      return cursor.ReadBoolean(&value) && value == expected.get<bool>();
    }
    case json::value_t::null:
      return cursor.ReadNull();
    default: {
      double value = 0;
      return cursor.ReadNumber(&value) && value == expected.get<double>();
    }
  }
}

void RunJson(ByteView input) {
  const Bytes bytes = Copy(input);
  const std::string_view text = AsText(bytes);
  JsonCursor cursor(text);
  std::string_view raw;
  const bool is_skipped = cursor.SkipValue(&raw) && cursor.AtEnd();
  int deepest = 0;
  const auto measure = [&](int level, json::parse_event_t, json&) {
    deepest = std::max(deepest, level);
    return true;
  };
  const json parsed = json::parse(text.begin(), text.end(), measure, false);
  // That parser takes a NUL for the end.
  if (!Takes(!parsed.is_discarded() && deepest <= kMostDepth && text.find('\0') == text.npos)) return;
  Require(is_skipped, "JSON that is not read");
  JsonCursor again(text);
  Require(IsSame(again, parsed), "JSON that is read as something else");
}

std::vector<Bytes> JsonSeeds() {
  return {BytesOf(R"({"a":[1,-2.5e3,true,null,"x\u00e9\ud83d\ude00\n"],"b":{"c":{}},"a":0})"), BytesOf(" [ ] "),
          BytesOf(R"("\"\\\/\b\f\r\t")"), BytesOf("0.1"), BytesOf("[[[[[[[[]]]]]]]]")};
}

// ---- pages of vectors

const RemoteSchema& Schema() {
  static const auto* schema = new RemoteSchema{.key_kind = KeyKind::kInteger, .dimensions = 3, .columns = {{"x"}}};
  return *schema;
}

void RunPage(ByteView input) {
  ServiceCall call{.operation = Operation::kListVectors, .subject = "idx", .answer = Copy(input)};
  Accepts([&] {
    size_t vectors = 0;
    ReadVectorPage(call, [&](const AnsweredVector& vector) {
      ++vectors;
      for (const KeyKind kind : {KeyKind::kInteger, KeyKind::kUuid, KeyKind::kText}) {
        const auto key = KeyFromText(kind, vector.key);
        if (Takes(key.has_value())) Require(KeyText(kind, *key) == vector.key, "a key is another when written again");
      }
      const auto hash = RemoteContentHash(Schema(), vector.vector, vector.metadata);
      if (Takes(hash.has_value())) Require(*hash != 0, "a hash that means that there is none");
    });
    Require(vectors <= input.size() / 2, "more vectors than there are");
  });
  Accepts([&] {
    const JsonValue answer = ReadAnswer(call);
    Require(answer.type == JsonValue::Type::kObject, "an answer that is none");
    CreationTimeOf(answer);
  });
  Takes(LooksLikeJsonObject(call.answer));
}

std::vector<Bytes> PageSeeds() {
  return {BytesOf(R"({"vectors":[{"key":"12","data":{"float32":[0.1,1,-2.5]},"metadata":{"x":"a","n":[1,2]},)"
                  R"("distance":0.25},{"key":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"}],"nextToken":"t"})"),
          BytesOf(R"({"nextToken":null,"vectors":[]})"),
          BytesOf(R"({"creationTime":1.795273899343E9,"vectors":[{"metadata":{"x":null},"key":"007"}]})")};
}

// ---- refusals

// Parts: status, three headers, body.
void RunRefusal(ByteView input) {
  const std::vector<ByteView> parts = PartsOf(input, 5);
  if (parts.size() < 5) return;
  constexpr int kStatuses[] = {301, 302, 400, 401, 402, 403, 404, 405, 408, 409, 413, 429, 500, 503};
  Choices choices(parts[0]);
  HttpResponse response;
  response.status = kStatuses[choices.Below(std::size(kStatuses))];
  constexpr const char* kNames[] = {"x-amzn-errortype", "x-amzn-requestid", "x-amz-retry-after"};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (!parts[i + 1].empty()) response.headers.emplace_back(kNames[i], std::string(AsText(parts[i + 1])));
  }
  response.body = Copy(parts[4]);
  const std::vector<std::string> secrets = {"s3cr3t", "t0ken/+"};
  const ServiceFault fault = ReadFault(response, secrets);
  const auto is_fit = [](const std::string& text, size_t most) {
    return text.size() <= most && std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  };
  Require(is_fit(fault.code, 64) && is_fit(fault.message, 310) && is_fit(fault.fields, 5 * 400) &&
              is_fit(fault.request_id, 64),
          "a text that no message can show");
  const auto wait = AmzRetryAfter(response);
  if (Takes(wait.has_value())) Require(*wait >= 0, "a wait that is none");
  const ServiceVerdict verdict = JudgeReply({.status = response.status, .code = fault.code, .message = fault.message});
  Random random(1);
  const auto delay = NextServiceDelay(ServiceRetryPolicy(), verdict.is_throttling, 1, {.amz_retry_after_ms = wait}, 0,
                                      60'000, &random);
  if (Takes(delay.has_value())) Require(*delay >= 0 && *delay < 60'000, "a wait that is none");
  for (const std::string& secret : secrets) {
    for (const std::string* told : {&fault.code, &fault.message, &fault.fields, &fault.request_id}) {
      Require(told->find(secret) == std::string::npos, "a secret that is told");
    }
  }
  RemoteName name;
  const std::string text(AsText(parts[1]));
  if (Takes(ParseRemoteName(text, &name))) {
    const std::string again =
        name.is_owner ? OwnerName(name.index, name.number) : GenerationName(name.index, name.generation);
    Require(again == text, "a name is another when written again");
  }
}

std::vector<Bytes> RefusalSeeds() {
  const auto seed = [](uint8_t status, std::initializer_list<std::string_view> texts) {
    std::vector<Bytes> parts{{status, 0}};
    for (const std::string_view text : texts) parts.push_back(BytesOf(text));
    return Joined(parts);
  };
  return {seed(2, {"aws.protocols#ValidationException:http://x", "REQ-1", "250",
                   R"({"message":"1 error. [1, 2, 3.5]","fieldList":[{"path":"/topK","message":"too large"}]})"}),
          seed(13, {GenerationName({1, 2}, 77), "", "9223372036854775807",
                    R"({"__type":"x","Message":"slow down, s3cr3t"})"}),
          seed(5, {OwnerName({1, 2}, 9), "", "-1", "<Error><Code>SignatureDoesNotMatch</Code></Error>"})};
}

// ---- filters

bool Fits(ColumnKind kind, const MetadataValue& value, bool may_be_list = true) {
  const ValueTag tag = value.tag;
  const bool is_boolean = tag == ValueTag::kTrue || tag == ValueTag::kFalse;
  const bool is_number = tag == ValueTag::kInteger || tag == ValueTag::kFloat || tag == ValueTag::kDecimal;
  if (tag == ValueTag::kList && may_be_list && (kind == ColumnKind::kList || kind == ColumnKind::kJson)) {
    for (MetadataReader elements(value.list); !elements.AtEnd();) {
      if (!Fits(kind, elements.Next(), false)) return false;
    }
    return true;
  }
  switch (kind) {
    case ColumnKind::kText:
    case ColumnKind::kLabel:
      return tag == ValueTag::kText;
    case ColumnKind::kBoolean:
      return is_boolean;
    case ColumnKind::kNumber:
      return is_number;
    case ColumnKind::kTime:
      return tag == ValueTag::kTime;
    case ColumnKind::kList:
      return !may_be_list && (tag == ValueTag::kText || is_boolean || is_number);
    case ColumnKind::kJson:
      // Numbers of jsonb are decimals, and numbers.
      return tag == ValueTag::kText || is_boolean || tag == ValueTag::kJson ||
             (tag == ValueTag::kDecimal && value.text.find_first_of("NI") == std::string_view::npos);
  }
  return false;
}

// As the server's types have them: what no such column can hold becomes NULL.
Bytes Typed(ByteView row) {
  Bytes typed;
  MetadataReader reader(row);
  for (const FilterColumn& column : FilterInputColumns()) {
    const ByteView value = reader.NextEncoded();
    if (Fits(column.kind, ReadValue(value))) {
      Append(typed, value);
    } else {
      typed.push_back(static_cast<uint8_t>(ValueTag::kNull));
    }
  }
  return typed;
}

std::vector<RemoteColumn> RemoteColumns() {
  std::vector<RemoteColumn> columns;
  for (const FilterColumn& column : FilterInputColumns()) columns.push_back({column.name, column.kind});
  return columns;
}

// Both ends of what documents leave open.
std::vector<testing::ServiceFilter> Services() {
  return {testing::ServiceFilter({}), testing::ServiceFilter({.numbers_are_doubles = false}),
          testing::ServiceFilter({.not_equal_without_key = true,
                                  .in_looks_into_lists = false,
                                  .order_looks_into_lists = true,
                                  .prefix_looks_into_lists = true})};
}

// Parts: document, rows. No row that matches is left behind by what the service is asked for.
void RunRemoteFilter(ByteView input) {
  const std::vector<ByteView> parts = PartsOf(input, 2);
  if (parts.size() < 2) return;
  const Bytes text = Copy(parts[0]);
  Accepts(
      [&] {
        const RemoteFilter spelled = SpellFilter(AsText(text));
        if (!spelled.json.empty()) ReadJson(spelled.json);
      },
      {Code::kInvalidArgument});
  const auto filter = CompileInput(AsText(text));
  if (filter == nullptr) return;
  const RemoteFilter translated = TranslateFilter(*filter, RemoteColumns());
  if (!Takes(!translated.json.empty())) return Require(!translated.is_exact, "nothing said is exact");
  const JsonNode said = ReadJson(translated.json);
  const RemoteSchema schema{.key_kind = KeyKind::kText, .dimensions = 1, .columns = RemoteColumns()};
  for (const Bytes& encoded : RowsOfInput(parts[1])) {
    const Bytes row = Typed(encoded);
    std::string metadata;
    AppendMetadata(schema, row, &metadata);
    Require(IsUtf8(metadata), "metadata that is no JSON");
    const JsonNode stored = ReadJson(metadata);
    const bool matches = filter->Match(row);
    for (const testing::ServiceFilter& service : Services()) {
      const bool comes = service.Match(said, stored);
      Require(comes || !matches, "the service keeps a matching row");
      Require(comes == matches || !translated.is_exact, "an exact filter that is not");
    }
  }
}

}  // namespace

std::vector<Target> RemoteTargets() {
  const std::vector<std::string_view> words = {"{",
                                               "}",
                                               "[",
                                               "]",
                                               ",",
                                               ":",
                                               "\"",
                                               "\\u",
                                               "\\ud800",
                                               "1e999",
                                               "-0",
                                               "true",
                                               "null",
                                               "\"key\":",
                                               "\"vectors\":[",
                                               "\"float32\":[",
                                               "\"metadata\":{",
                                               "\"nextToken\":",
                                               "\"distance\":",
                                               "\xc3\xbc",
                                               "\xed\xa0\x80",
                                               "s3cr3t",
                                               "t0ken/+"};
  return {
      {.name = "json", .run = RunJson, .seeds = JsonSeeds, .words = words, .memory_per_byte = 512},
      {.name = "page", .run = RunPage, .seeds = PageSeeds, .words = words, .memory_per_byte = 512},
      {.name = "refusal", .run = RunRefusal, .seeds = RefusalSeeds, .words = words, .memory_per_byte = 512},
      {.name = "remote_filter",
       .run = RunRemoteFilter,
       .seeds = FilterSeeds,
       .words = FilterWords(),
       .memory = 1 << 20,
       .memory_per_byte = 1024},
  };
}

}  // namespace s3v::fuzz
