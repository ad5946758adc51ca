// Answers of servers and words of users: XML, headers, dates, ranges, urls, endpoints, names of objects.
#include <netinet/in.h>

#include <algorithm>

#include "format/names.h"
#include "fuzz/seal.h"
#include "fuzz/target.h"
#include "net/address.h"
#include "net/http.h"
#include "net/retry.h"
#include "store/open_store.h"
#include "store/range_reader.h"
#include "store/s3_xml.h"
#include "store/store_url.h"

namespace s3v::fuzz {
namespace {

Bytes BytesOf(std::string_view text) { return Copy(AsBytes(text)); }

bool IsFit(const std::string& text) {
  return text.size() <= 64 && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

// ---- XML

void RunXml(ByteView input) {
  const Bytes body = Copy(input);
  if (const auto error = ParseS3Error(body); Takes(error.has_value())) {
    Require(IsFit(error->code) && IsFit(error->request_id) && IsFit(error->region), "a text that no message can show");
  }
  if (const auto page = ParseS3List(body); Takes(page.has_value())) {
    Require(!page->is_truncated || !page->next_token.empty(), "a page without a next one");
    std::vector<std::string> keys;
    for (const ObjectInfo& object : page->objects) {
      Require(!object.key.empty() && object.key.size() <= body.size(), "a key that was not there");
      keys.push_back(object.key);
    }
    WriteS3Delete(keys);
  }
  if (const auto failures = ParseS3DeleteResult(body); Takes(failures.has_value())) {
    for (const S3DeleteFailure& failure : *failures) Require(IsFit(failure.code), "a text that no message can show");
  }
}

std::vector<Bytes> XmlSeeds() {
  return {
      BytesOf(
          "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><RequestId>r-1</RequestId><Region>eu</Region></Error>"),
      BytesOf("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>true</IsTruncated>"
              "<EncodingType>url</EncodingType><NextContinuationToken>t</NextContinuationToken><Contents><Key>a%2Fb+c"
              "</Key><Size>12</Size><LastModified>2009-10-12T17:50:30.000Z</LastModified></Contents><Contents><Key>"
              "&lt;&#x41;</Key><Size>0</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
              "</ListBucketResult>"),
      BytesOf("<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code></Error><Deleted/></DeleteResult>"),
      BytesOf("<!DOCTYPE a [<!ENTITY x \"y\"><!ENTITY z SYSTEM "
              "\"file:///etc/passwd\">]><Error><Code>&x;&z;</Code></Error>"),
  };
}

// ---- headers and ranges

HttpResponse ResponseOf(std::span<const ByteView> parts) {
  constexpr const char* kNames[] = {"content-length", "content-range", "content-encoding", "retry-after", "date"};
  HttpResponse response;
  Choices choices(parts[0]);
  constexpr int kStatuses[] = {200, 206, 416, 503};
  response.status = kStatuses[choices.Below(std::size(kStatuses))];
  for (size_t i = 1; i < parts.size() && i <= std::size(kNames); ++i) {
    if (!parts[i].empty()) response.headers.emplace_back(kNames[i - 1], std::string(AsText(parts[i])));
  }
  return response;
}

// Parts: status, offset, length, size of pieces; five headers; the body.
void RunHttp(ByteView input) {
  const std::vector<ByteView> parts = PartsOf(input, 7);
  if (parts.size() < 7) return;
  const HttpResponse response = ResponseOf(parts);
  Choices choices(parts[0]);
  choices.Take<uint16_t>();
  const auto offset = choices.Take<uint16_t>();
  const auto length = uint64_t{1} + choices.Take<uint16_t>() % 512;
  const size_t step = 1 + choices.Take<uint8_t>();

  response.ContentLength();
  EncodingProblem(response);
  RangeReader reader(offset, length);
  for (int round = 0; round < 2; ++round) {
    const Bytes body = Copy(parts[6]);
    for (size_t at = 0; at < body.size(); at += step) {
      if (!reader.Take(response, ByteView(body).subspan(at, std::min(step, body.size() - at)))) break;
      // Of an object that is too short the answer may be an error document, which is kept as far as 64 KiB.
      Require(reader.bytes().size() <= (reader.is_too_short() ? uint64_t{64} << 10 : length),
              "more bytes than were asked for");
    }
    const auto problem = reader.Problem(response);
    if (Takes(!problem && !reader.is_too_short())) {
      Require(reader.bytes().size() == length, "another range than was asked for");
      const size_t begin = response.status == 200 ? offset : 0;
      Require(
          begin + length <= body.size() && std::ranges::equal(reader.bytes(), ByteView(body).subspan(begin, length)),
          "bytes that are not the range");
    }
    reader.Reset();
  }

  for (const auto& [name, value] : response.headers) {
    if (value.find('\0') != std::string::npos) continue;  // no header has one
    const auto wait = ParseRetryAfter(value, 1'800'000'000);
    if (Takes(wait.has_value())) Require(*wait >= 0 && *wait <= 86'400'000, "a wait that is none");
    if (const auto date = ParseHttpDate(value); Takes(date.has_value())) Require(*date >= 0, "a date before all dates");
    Random random(1);
    NextDelay({}, 1, wait, 1000, 31'000, &random);
  }
}

std::vector<Bytes> HttpSeeds() {
  const auto seed = [](std::initializer_list<uint8_t> head, std::initializer_list<std::string_view> texts) {
    std::vector<Bytes> parts{Bytes(head)};
    for (const std::string_view text : texts) parts.push_back(BytesOf(text));
    return Joined(parts);
  };
  return {
      seed({1, 0, 5, 0, 3, 0, 2}, {"4", "bytes 5-8/100", "", "3", "Sun, 06 Nov 1994 08:49:37 GMT", "abcd"}),
      seed({0, 0, 2, 0, 3, 0, 1}, {"10", "", "identity", "Sun, 06 Nov 2044 08:49:37 GMT", "", "0123456789"}),
      seed({3, 0, 0, 0, 3, 0, 1}, {"0", "bytes 0-3/*", "gzip", "86401", "Sunday, 06-Nov-94 08:49:37 GMT", ""}),
  };
}

// ---- urls

void RunUrl(ByteView input) {
  const std::vector<ByteView> parts = PartsOf(input, 4);
  std::vector<std::string> texts(4);
  // From SQL, which knows no NUL.
  for (size_t i = 0; i < parts.size(); ++i) texts[i] = std::string(AsText(parts[i])).c_str();
  Accepts(
      [&] {
        const Endpoint endpoint = ParseEndpoint(texts[0]);
        const Endpoint again = ParseEndpoint(endpoint.Text());
        Require(again.host == endpoint.host && again.port == endpoint.port && again.is_https == endpoint.is_https,
                "an endpoint is another when written again");
        Require(endpoint.host.find_first_of("/@?# \r\n") == std::string::npos, "a host that is none");
        IsLoopbackHost(endpoint.host);
        Require(MatchesAny(endpoint, {endpoint.host}), "an endpoint does not match its own host");
        MatchesAny(endpoint, {texts[1], texts[2]});
      },
      {Code::kInvalidArgument});
  Accepts(
      [&] {
        const StoreUrl url = ParseStoreUrl(texts[1]);
        for (const std::string* path : {&url.directory, &url.prefix}) {
          Require(("/" + *path + "/").find("/../") == std::string::npos, "a path that leaves its directory");
        }
      },
      {Code::kInvalidArgument});
  Accepts(
      [&] {
        StoreConfig config;
        config.url = texts[1];
        config.region = texts[2];
        config.allowed_endpoints = {texts[3]};
        CheckStoreConfig(config);
        config.region = "us-east-1";
        config.endpoint = texts[0];
        config.sse = texts[2];
        config.kms_key_id = texts[3];
        CheckStoreConfig(config);
      },
      {Code::kInvalidArgument, Code::kNotSupported});
}

std::vector<Bytes> UrlSeeds() {
  const auto seed = [](std::initializer_list<std::string_view> texts) {
    std::vector<Bytes> parts;
    for (const std::string_view text : texts) parts.push_back(BytesOf(text));
    return Joined(parts);
  };
  return {seed({"https://s3.example.com:8443", "s3://bucket/prefix/more", "aws:kms", "arn:aws:kms:eu-west-1:1:key/2"}),
          seed({"http://[::1]:9000", "file:///data/s3v", "*.example.com:443", "*.suffix"}),
          seed({"http://127.0.0.1", "file://./below", "eu-central-1", "localhost"}),
          seed({"https://a.b/", "s3vectors://vector-bucket", "AES256", ""}),
          seed({"https://user@host", "memory://x", "", ""})};
}

// ---- names

void RunName(ByteView input) {
  const std::string text(AsText(input));
  ParsedKey name;
  if (Takes(ParseKey(kIndex, text, &name))) {
    const std::string again = name.kind == ObjectKind::kOwner      ? OwnerKey(kIndex, name.number)
                              : name.kind == ObjectKind::kManifest ? ManifestKey(kIndex, name.id)
                              : name.kind == ObjectKind::kSegment  ? SegmentKey(kIndex, name.id)
                                                                   : NavigationKey(kIndex, name.id);
    Require(again == text, "a name is another when written again");
  }
  ObjectId id;
  if (Takes(ParseId(text, &id))) Require(IdText(id) == text, "an id is another when written again");
  if (Takes(ParseUuid(text, &id))) Require(UuidText(id) == text, "a uuid is another when written again");
  Accepts([&] { CheckObjectKey(text); }, {Code::kInvalidArgument});

  // Any address can come from a resolver.
  sockaddr_in6 address{};
  Choices choices(input);
  address.sin6_family = choices.Take<uint8_t>() % 2 == 0 ? AF_INET : AF_INET6;
  std::ranges::copy(choices.rest().first(std::min(choices.rest().size(), sizeof address - sizeof address.sin6_family)),
                    reinterpret_cast<uint8_t*>(&address) + sizeof address.sin6_family);
  const auto& any = reinterpret_cast<const sockaddr&>(address);
  if (IsLoopbackAddress(any)) Require(IsSpecialAddress(any), "loopback that is not special");
  Require(!AddressText(any).empty(), "an address without a text");
}

std::vector<Bytes> NameSeeds() {
  const ObjectId id = {0xab, 0xcd, 1};
  return {BytesOf(OwnerKey(kIndex, 12)),
          BytesOf(ManifestKey(kIndex, id)),
          BytesOf(SegmentKey(kIndex, id)),
          BytesOf(NavigationKey(kIndex, id)),
          BytesOf(IdText(id)),
          BytesOf(UuidText(id))};
}

}  // namespace

std::vector<Target> TextTargets() {
  return {
      {.name = "xml",
       .run = RunXml,
       .seeds = XmlSeeds,
       .words = {"<Contents>", "</Contents>", "<Key>", "</Key>", "<Size>", "&#x10ffff;", "&amp;", "<![CDATA[", "]]>",
                 "<!--", "-->", "<?", "?>", "%00", "%2", "18446744073709551616", "99999-99-99T99:99:99"},
       .memory_per_byte = 256},
      {.name = "http",
       .run = RunHttp,
       .seeds = HttpSeeds,
       .words = {"bytes ", "-", "/*", "18446744073709551615", "9223372036854775807", "GMT", "1970", "99999999999"}},
      {.name = "url",
       .run = RunUrl,
       .seeds = UrlSeeds,
       .words = {"http://", "https://", "s3://", "file://", "s3vectors://", "..", "//", "@", "%2e",
                 "[::", "]:", ":65536", "*."},
       .memory_per_byte = 256},
      {.name = "name",
       .run = RunName,
       .seeds = NameSeeds,
       .words = {"/owner/", "/nav/", "/segment/", "/manifest/", "18446744073709551616"}},
  };
}

}  // namespace s3v::fuzz
