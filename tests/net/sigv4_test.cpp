#include "net/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"

namespace s3v {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

json ReadJson(const std::string& path) {
  std::ifstream file(path);
  return file ? json::parse(file) : json();
}

int64_t ParseTime(const std::string& text, const char* format) {
  std::tm utc{};
  EXPECT_NE(strptime(text.c_str(), format, &utc), nullptr) << text;
  return timegm(&utc);
}

std::string FromBase64(const std::string& text) {
  static const std::string kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(kAlphabet.find(c));
    count += 6;
    if (count >= 8) bytes.push_back(static_cast<char>(bits >> (count -= 8) & 255));
  }
  return bytes;
}

std::string HeaderOf(const Headers& headers, const std::string& name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

std::string FromHex(char high, char low) {
  return std::string(1, static_cast<char>(std::stoi(std::string{high, low}, nullptr, 16)));
}

std::string PercentDecode(const std::string& text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    decoded += FromHex(text[i + 1], text[i + 2]);
    i += 2;
  }
  return decoded;
}

// --- the S3 flavour ---

SigningRequest RequestOf(const json& item, std::string* body) {
  SigningRequest request{.method = item["method"], .host = item["host"], .path = EncodePath(std::string(item["path"]))};
  for (const auto& pair : item.value("query", json::array())) request.query.emplace_back(pair[0], pair[1]);
  const json headers = item.value("headers", json::object());
  for (const auto& [name, value] : headers.items()) request.headers.emplace_back(name, value);
  *body = item.contains("body_base64") ? FromBase64(item["body_base64"]) : item.value("body", "");
  const bool is_unsigned = item.value("payload", "signed") == "unsigned" || item.value("mode", "") == "presign";
  request.payload_hash = is_unsigned ? std::string(kUnsignedPayload) : Sha256Hex(AsBytes(*body));
  return request;
}

TEST(SigV4, AllCasesOfTheS3Flavour) {
  const json file = ReadJson(S3V_TEST_DIR "/net/s3_cases.json");
  ASSERT_EQ(file["cases"].size(), 58u);
  for (const json& item : file["cases"]) {
    SCOPED_TRACE(item["name"].get<std::string>());
    std::string body;
    const SigningRequest request = RequestOf(item, &body);
    const Credentials credentials{.access_key_id = file["credentials"]["access_key_id"],
                                  .secret_access_key = file["credentials"]["secret_access_key"],
                                  .session_token = item.value("token", "")};
    const SigningOptions options{.region = item["region"]};
    const int64_t now = ParseTime(item["timestamp"], "%Y%m%dT%H%M%SZ");
    const json& expect = item["expect"];

    EXPECT_EQ(request.path, expect["encoded_path"]);
    EXPECT_EQ(request.payload_hash, expect["payload_hash"]);
    const bool presign = item.value("mode", "") == "presign";
    const Signature signature = presign ? SignUrl(request, credentials, options, now, item["expires"])
                                        : SignHeaders(request, credentials, options, now);
    EXPECT_EQ(signature.canonical_request, expect["canonical_request"]);
    EXPECT_EQ(signature.string_to_sign, expect["string_to_sign"]);
    EXPECT_EQ(signature.signature, expect["signature"]);
    EXPECT_EQ(signature.signed_headers, expect["signed_headers"]);
    if (presign) {
      const std::string url = std::string(item["scheme"]) + "://" + request.host + request.path + "?";
      EXPECT_EQ(url + signature.canonical_query, expect["url"]);
    } else {
      EXPECT_EQ(signature.canonical_query, expect["canonical_query"]);
      EXPECT_EQ(HeaderOf(signature.headers, "authorization"), expect["authorization"]);
    }
  }
}

// --- the flavour of S3 Vectors ---

constexpr char kVectorsHost[] = "s3vectors.us-east-1.api.aws";
constexpr char kShortQuery[] =
    R"({"vectorBucketName":"bkt-a","indexName":"idx-a","topK":3,"queryVector":{"float32":[0.1,1,-2.5]}})";
constexpr char kLongQuery[] =
    R"({"vectorBucketName": "bkt-a", "indexName": "idx-a", "topK": 3, "queryVector": {"float32": [0.1, 1, -2.5]}})";

struct VectorsCase {
  std::string name;
  std::string method;
  std::string path;
  QueryParameters query;
  std::string body;
  std::string token;
  bool sign_payload_hash;
  std::string signed_headers;
  std::string signature;
};

Signature SignVectors(const VectorsCase& item) {
  SigningRequest request{.method = item.method, .host = kVectorsHost, .path = item.path, .query = item.query};
  if (!item.body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.payload_hash = Sha256Hex(AsBytes(item.body));
  const Credentials credentials{.access_key_id = "AKIDEXAMPLE",
                                .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                .session_token = item.token};
  const SigningOptions options{.region = "us-east-1",
                               .service = "s3vectors",
                               .normalize_path = true,
                               .double_encode_path = true,
                               .sign_payload_hash = item.sign_payload_hash};
  return SignHeaders(request, credentials, options, ParseTime("20260102T030405Z", "%Y%m%dT%H%M%SZ"));
}

// Computed by two independent signers, one of them the service's own.
TEST(SigV4, AllCasesOfS3Vectors) {
  const std::string bucket_arn = "arn:aws:s3vectors:us-east-1:123456789012:bucket/bkt-a";
  const std::vector<VectorsCase> cases = {{"A",
                                           "POST",
                                           "/QueryVectors",
                                           {},
                                           kShortQuery,
                                           "",
                                           false,
                                           "content-type;host;x-amz-date",
                                           "a6d77a372b52448e8b5aee710384cba875bc748042fc62277b30ba0bb28782cf"},
                                          {"B",
                                           "GET",
                                           "/tags/" + EncodeQueryPart(bucket_arn + "/index/idx-a"),
                                           {},
                                           "",
                                           "",
                                           false,
                                           "host;x-amz-date",
                                           "4da90f566317ca7045c32182aba7ff3b44e52ece01cc639db340e02d0317ac0c"},
                                          {"C",
                                           "DELETE",
                                           "/tags/" + EncodeQueryPart(bucket_arn),
                                           {{"tagKeys", "c"}, {"tagKeys", "a b"}},
                                           "",
                                           "",
                                           false,
                                           "host;x-amz-date",
                                           "471e375db3f31c505fe0711510c2bf824876bde152a069af23418a09b25fcc8d"},
                                          {"D",
                                           "POST",
                                           "/ListVectorBuckets",
                                           {},
                                           "{}",
                                           "TOKEN",
                                           true,
                                           "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token",
                                           "3f5ce8e870a3cf5475f0a724ede61890d4bd6ba4196b560ebbabd3abaf3f4b53"},
                                          {"E",
                                           "POST",
                                           "/QueryVectors",
                                           {},
                                           kLongQuery,
                                           "",
                                           false,
                                           "content-type;host;x-amz-date",
                                           "deb6df5b697aac5470532628dfacf3506ae867e763ef8094536650b35de9ef11"},
                                          {"F",
                                           "POST",
                                           "/ListVectorBuckets",
                                           {},
                                           "{}",
                                           "",
                                           false,
                                           "content-type;host;x-amz-date",
                                           "7b1f57ee2d3a9008595ffe7f98ecefceb0facaab4ebbaff2737002647e64a728"},
                                          {"G",
                                           "POST",
                                           "/ListVectorBuckets",
                                           {},
                                           "{}",
                                           "TOKEN",
                                           false,
                                           "content-type;host;x-amz-date;x-amz-security-token",
                                           "74e6ad81ab315ab769ef4bd969ba0239c12af48ebfd8f3c3fef4602cced8f605"}};
  for (const VectorsCase& item : cases) {
    SCOPED_TRACE(item.name);
    const Signature signature = SignVectors(item);
    EXPECT_EQ(signature.signed_headers, item.signed_headers);
    EXPECT_EQ(signature.signature, item.signature);
    EXPECT_EQ(HeaderOf(signature.headers, "x-amz-content-sha256").empty(), !item.sign_payload_hash);
    EXPECT_THAT(HeaderOf(signature.headers, "authorization"), HasSubstr("/20260102/us-east-1/s3vectors/aws4_request"));
  }
}

TEST(SigV4, CanonicalRequestsOfS3Vectors) {
  const VectorsCase query{"E", "POST", "/QueryVectors", {}, kLongQuery, "", false, "", ""};
  EXPECT_EQ(Sha256Hex(AsBytes(query.body)), "30373606c59c92faf5ea50b1089a1dbecef2ae046209aac95ea1b5ee3973957f");
  EXPECT_EQ(Sha256Hex(AsBytes(SignVectors(query).canonical_request)),
            "1ebeb8a7a5e619eb0d25067d312dfd9fed2df47a7b22f8ae040e22318e1d531a");
  const VectorsCase list{"F", "POST", "/ListVectorBuckets", {}, "{}", "", false, "", ""};
  EXPECT_EQ(Sha256Hex(AsBytes(SignVectors(list).canonical_request)),
            "23bfd8118ae17e92f85e1a76c1ca6e6e575503b596cf50722c585985cb444a92");
  const VectorsCase tags{"B", "GET", "/tags/arn%3Aaws%3As3vectors", {}, "", "", false, "", ""};
  EXPECT_THAT(SignVectors(tags).canonical_request, HasSubstr("GET\n/tags/arn%253Aaws%253As3vectors\n"));
}

// --- the generic suite ---

// "GET /path?a=b HTTP/1.1", header lines, an empty line, the body; a folded line belongs to the header before it.
SigningRequest ParseRequest(const std::string& text, std::string* body) {
  SigningRequest request;
  const size_t split = text.find("\n\n");
  *body = split == std::string::npos ? "" : text.substr(split + 2);
  std::istringstream lines(text.substr(0, split));
  std::string line;
  std::getline(lines, line);
  const size_t path_begin = line.find(' ') + 1;
  const std::string target = line.substr(path_begin, line.rfind(' ') - path_begin);
  request.method = line.substr(0, path_begin - 1);
  const size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string::npos) {
    std::istringstream parts(target.substr(question + 1));
    for (std::string part; std::getline(parts, part, '&');) {
      const size_t equals = part.find('=');
      request.query.emplace_back(PercentDecode(part.substr(0, equals)), PercentDecode(part.substr(equals + 1)));
    }
  }
  while (std::getline(lines, line)) {
    if (line.empty()) continue;
    if (line[0] == ' ') {
      request.headers.back().second += "\n" + line;
      continue;
    }
    const size_t colon = line.find(':');
    request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 1));
  }
  std::erase_if(request.headers, [&](const auto& header) {
    if (header.first != "Host") return false;
    request.host = header.second;
    return true;
  });
  return request;
}

TEST(SigV4, AllCasesOfTheGenericSuiteByHeaderAndByUrl) {
  const json file = ReadJson(S3V_SHARED_DIR "/data/aws-sigv4-test-suite/sigv4-cases.json");
  if (file.is_null()) GTEST_SKIP() << "SKIPPED: the generic SigV4 suite is not at " S3V_SHARED_DIR;
  ASSERT_EQ(file["cases"].size(), 38u);
  int signatures = 0;
  int refused = 0;
  for (const json& item : file["cases"]) {
    SCOPED_TRACE(item["name"].get<std::string>());
    const json& context = item["context"];
    std::string body;
    SigningRequest request = ParseRequest(item["request"], &body);
    request.payload_hash = Sha256Hex(AsBytes(body));
    const Credentials credentials{.access_key_id = context["credentials"]["access_key_id"],
                                  .secret_access_key = context["credentials"]["secret_access_key"],
                                  .session_token = context["credentials"].value("token", "")};
    const SigningOptions options{.region = context["region"],
                                 .service = context["service"],
                                 .normalize_path = context["normalize"],
                                 .double_encode_path = true,
                                 .sign_payload_hash = context["sign_body"],
                                 .sign_session_token = !context.value("omit_session_token", false)};
    const int64_t now = ParseTime(context["timestamp"], "%Y-%m-%dT%H:%M:%SZ");
    const int64_t expires = context["expiration_in_seconds"];
    if (item["name"] == "get-header-value-multiline") {
      EXPECT_THROW(SignHeaders(request, credentials, options, now), Error);
      EXPECT_THROW(SignUrl(request, credentials, options, now, expires), Error);
      ++refused;
      continue;
    }
    const Signature by_header = SignHeaders(request, credentials, options, now);
    EXPECT_EQ(by_header.canonical_request, item["header"]["canonical_request"]);
    EXPECT_EQ(by_header.string_to_sign, item["header"]["string_to_sign"]);
    EXPECT_EQ(by_header.signature, item["header"]["signature"]);
    const Signature by_url = SignUrl(request, credentials, options, now, expires);
    EXPECT_EQ(by_url.canonical_request, item["query"]["canonical_request"]);
    EXPECT_EQ(by_url.string_to_sign, item["query"]["string_to_sign"]);
    EXPECT_EQ(by_url.signature, item["query"]["signature"]);
    EXPECT_EQ(HeaderOf(by_header.headers, "x-amz-security-token"), credentials.session_token);
    EXPECT_EQ(by_url.canonical_query.find("X-Amz-Security-Token") != std::string::npos,
              !credentials.session_token.empty());
    ++signatures;
  }
  EXPECT_EQ(signatures, 37);
  EXPECT_EQ(refused, 1);
}

// --- what no suite covers ---

TEST(SigV4, RefusesValuesThatWouldEndTheHeaderLine) {
  const Credentials credentials{.access_key_id = "id", .secret_access_key = "s3cr3t"};
  const SigningOptions options{.region = "us-east-1"};
  for (const std::string& bad : {std::string("a\rb"), std::string("a\nb"), std::string("a\0b", 3)}) {
    const SigningRequest in_value{.method = "GET", .host = "h", .path = "/", .headers = {{"range", bad}}};
    const SigningRequest in_name{.method = "GET", .host = "h", .path = "/", .headers = {{bad, "x"}}};
    const SigningRequest in_host{.method = "GET", .host = bad, .path = "/"};
    const SigningRequest fine{.method = "GET", .host = "h", .path = "/"};
    Credentials bad_token = credentials;
    bad_token.session_token = bad;
    Credentials bad_id = credentials;
    bad_id.access_key_id = bad;
    EXPECT_THROW(SignHeaders(in_value, credentials, options, 0), Error);
    EXPECT_THROW(SignHeaders(in_name, credentials, options, 0), Error);
    EXPECT_THROW(SignHeaders(in_host, credentials, options, 0), Error);
    EXPECT_THROW(SignHeaders(fine, bad_token, options, 0), Error);
    EXPECT_THROW(SignHeaders(fine, bad_id, options, 0), Error);
    EXPECT_NO_THROW(SignHeaders(fine, credentials, options, 0));
  }
}

TEST(SigV4, TheSecretAppearsNowhereInTheResult) {
  const Credentials credentials{.access_key_id = "id", .secret_access_key = "s3cr3t"};
  const Signature signature =
      SignHeaders({.method = "GET", .host = "h", .path = "/"}, credentials, {.region = "us-east-1"}, 1);
  for (const auto& [name, value] : signature.headers) EXPECT_THAT(value, Not(HasSubstr("s3cr3t"))) << name;
  EXPECT_THAT(signature.string_to_sign, Not(HasSubstr("s3cr3t")));
}

TEST(SigV4, EncodesEveryByteButTheUnreserved) {
  EXPECT_EQ(EncodePath("/a b/\xc3\xa9+%~-_.Z9"), "/a%20b/%C3%A9%2B%25~-_.Z9");
  EXPECT_THAT(EncodeQueryPart("a/b=c&"), EndsWith("a%2Fb%3Dc%26"));
}

}  // namespace
}  // namespace s3v
