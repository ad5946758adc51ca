#include "net/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <memory>
#include <new>

#include "base/error.h"

namespace s3v {
namespace {

constexpr size_t kHashSlice = 4 * 1024 * 1024;

using Digest = std::array<uint8_t, 32>;

Digest Sha256(ByteView bytes) {
  Digest digest;
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) {
    throw Error(Code::kInternal, "could not compute SHA-256");
  }
  return digest;
}

Digest HmacSha256(ByteView key, std::string_view text) {
  Digest digest;
  unsigned int length = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), AsBytes(text).data(), text.size(), digest.data(),
           &length) == nullptr) {
    throw Error(Code::kInternal, "could not compute HMAC-SHA-256");
  }
  return digest;
}

std::string Encode(std::string_view text, bool keep_slash) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                            c == '_' || c == '.' || c == '~' || (keep_slash && c == '/');
    if (unreserved) {
      encoded.push_back(c);
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    encoded.push_back('%');
    encoded.push_back(kDigits[byte >> 4]);
    encoded.push_back(kDigits[byte & 15]);
  }
  return encoded;
}

// Removes empty and "." segments and resolves "..", keeping a slash at the end (RFC 3986, section 5.2.4).
std::string NormalizePath(std::string_view path) {
  std::vector<std::string_view> kept;
  std::string_view last;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    last = path.substr(begin, end - begin);
    if (last == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!last.empty() && last != ".") {
      kept.push_back(last);
    }
    begin = end + 1;
  }
  std::string normal;
  for (const std::string_view segment : kept) normal.append("/").append(segment);
  const bool is_directory = last.empty() || last == "." || last == "..";
  if (normal.empty() || is_directory) normal.push_back('/');
  return normal;
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// Trimmed, and inner runs of blanks made one.
std::string CanonicalValue(std::string_view value) {
  std::string canonical;
  for (const char c : value) {
    const bool blank = c == ' ' || c == '\t';
    if (blank && (canonical.empty() || canonical.back() == ' ')) continue;
    canonical.push_back(blank ? ' ' : c);
  }
  if (!canonical.empty() && canonical.back() == ' ') canonical.pop_back();
  return canonical;
}

struct CanonicalHeaders {
  std::string lines;
  std::string names;
};

CanonicalHeaders Canonicalize(const Headers& headers) {
  std::map<std::string, std::string> sorted;
  for (const auto& [name, value] : headers) {
    const auto [place, is_new] = sorted.try_emplace(LowerCase(name));
    if (!is_new) place->second.push_back(',');
    place->second += CanonicalValue(value);
  }
  CanonicalHeaders canonical;
  for (const auto& [name, value] : sorted) {
    canonical.lines.append(name).append(":").append(value).append("\n");
    if (!canonical.names.empty()) canonical.names.push_back(';');
    canonical.names += name;
  }
  return canonical;
}

// Sorted by encoded name, then by encoded value.
std::string CanonicalQuery(const QueryParameters& query) {
  std::vector<std::pair<std::string, std::string>> encoded;
  encoded.reserve(query.size());
  for (const auto& [name, value] : query) encoded.emplace_back(EncodeQueryPart(name), EncodeQueryPart(value));
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded) {
    if (!text.empty()) text.push_back('&');
    text.append(name).append("=").append(value);
  }
  return text;
}

std::string CanonicalPath(const std::string& path, const SigningOptions& options) {
  const std::string normal = options.normalize_path ? NormalizePath(path) : path;
  return options.double_encode_path ? EncodePath(normal) : normal;
}

std::string Timestamp(int64_t now) {
  const auto seconds = static_cast<std::time_t>(now);
  std::tm utc{};
  char text[32];
  if (gmtime_r(&seconds, &utc) == nullptr || std::strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &utc) == 0) {
    throw Error(Code::kInternal, "time " + std::to_string(now) + " cannot be written as a date");
  }
  return text;
}

// The part of the credential that says where a key is good: date/region/service/aws4_request.
std::string ScopeOf(const std::string& timestamp, const SigningOptions& options) {
  return timestamp.substr(0, 8) + "/" + options.region + "/" + options.service + "/aws4_request";
}

// Fills in canonical_request, string_to_sign and signature from everything that is signed.
void Compute(const SigningRequest& request, const CanonicalHeaders& headers, const std::string& secret,
             const SigningOptions& options, const std::string& timestamp, Signature* result) {
  result->signed_headers = headers.names;
  result->canonical_request = request.method + "\n" + CanonicalPath(request.path, options) + "\n" +
                              result->canonical_query + "\n" + headers.lines + "\n" + headers.names + "\n" +
                              request.payload_hash;
  result->string_to_sign = "AWS4-HMAC-SHA256\n" + timestamp + "\n" + ScopeOf(timestamp, options) + "\n" +
                           Sha256Hex(AsBytes(result->canonical_request));

  std::string first_key = "AWS4" + secret;
  const Digest date_key = HmacSha256(AsBytes(first_key), timestamp.substr(0, 8));
  OPENSSL_cleanse(first_key.data(), first_key.size());
  const Digest region_key = HmacSha256(date_key, options.region);
  const Digest service_key = HmacSha256(region_key, options.service);
  const Digest signing_key = HmacSha256(service_key, "aws4_request");
  result->signature = ToHex(HmacSha256(signing_key, result->string_to_sign));
}

void CheckHeaders(const SigningRequest& request, const Credentials& credentials) {
  CheckHeaderValue("host", request.host);
  CheckHeaderValue("x-amz-security-token", credentials.session_token);
  CheckHeaderValue("authorization", credentials.access_key_id);
  for (const auto& [name, value] : request.headers) {
    CheckHeaderValue("header name", name);
    CheckHeaderValue(name, value);
  }
}

}  // namespace

std::string EncodeQueryPart(std::string_view text) { return Encode(text, false); }
std::string EncodePath(std::string_view path) { return Encode(path, true); }
std::string Sha256Hex(ByteView bytes) { return ToHex(Sha256(bytes)); }

std::string Sha256Hex(ByteView bytes, Stop& stop) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (!context) throw std::bad_alloc();
  bool good = EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (size_t done = 0; done < bytes.size() && good; done += kHashSlice) {
    stop.Check();
    good = EVP_DigestUpdate(context.get(), bytes.data() + done, std::min(kHashSlice, bytes.size() - done)) == 1;
  }
  Digest digest;
  unsigned int length = 0;
  if (!good || EVP_DigestFinal_ex(context.get(), digest.data(), &length) != 1) {
    throw Error(Code::kInternal, "could not compute SHA-256");
  }
  return ToHex(digest);
}

std::string Md5Base64(ByteView bytes) {
  std::array<uint8_t, 16> digest;
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_md5(), nullptr) != 1) {
    throw Error(Code::kNotSupported, "this machine's OpenSSL does not compute MD5");
  }
  std::array<uint8_t, 25> text;  // 24 characters and NUL
  EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(digest.size()));
  return reinterpret_cast<const char*>(text.data());
}

void CheckHeaderValue(std::string_view name, std::string_view value) {
  if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
    throw Error(Code::kInvalidArgument, "value of " + std::string(name) + " must not contain line breaks or NUL");
  }
}

Signature SignHeaders(const SigningRequest& request, const Credentials& credentials, const SigningOptions& options,
                      int64_t now) {
  CheckHeaders(request, credentials);
  const std::string timestamp = Timestamp(now);
  Signature result;
  result.canonical_query = CanonicalQuery(request.query);
  for (const auto& [name, value] : request.headers) result.headers.emplace_back(LowerCase(name), value);
  result.headers.emplace_back("host", request.host);
  result.headers.emplace_back("x-amz-date", timestamp);
  if (options.sign_payload_hash) result.headers.emplace_back("x-amz-content-sha256", request.payload_hash);

  Headers unsigned_headers;
  if (!credentials.session_token.empty()) {
    (options.sign_session_token ? result.headers : unsigned_headers)
        .emplace_back("x-amz-security-token", credentials.session_token);
  }
  Compute(request, Canonicalize(result.headers), credentials.secret_access_key, options, timestamp, &result);

  result.headers.insert(result.headers.end(), unsigned_headers.begin(), unsigned_headers.end());
  result.headers.emplace_back(
      "authorization", "AWS4-HMAC-SHA256 Credential=" + credentials.access_key_id + "/" + ScopeOf(timestamp, options) +
                           ", SignedHeaders=" + result.signed_headers + ", Signature=" + result.signature);
  return result;
}

Signature SignUrl(const SigningRequest& request, const Credentials& credentials, const SigningOptions& options,
                  int64_t now, int64_t expires_seconds) {
  CheckHeaders(request, credentials);
  const std::string timestamp = Timestamp(now);
  Signature result;
  for (const auto& [name, value] : request.headers) result.headers.emplace_back(LowerCase(name), value);
  result.headers.emplace_back("host", request.host);
  const CanonicalHeaders headers = Canonicalize(result.headers);

  QueryParameters query = request.query;
  query.emplace_back("X-Amz-Algorithm", "AWS4-HMAC-SHA256");
  query.emplace_back("X-Amz-Credential", credentials.access_key_id + "/" + ScopeOf(timestamp, options));
  query.emplace_back("X-Amz-Date", timestamp);
  query.emplace_back("X-Amz-Expires", std::to_string(expires_seconds));
  query.emplace_back("X-Amz-SignedHeaders", headers.names);
  QueryParameters unsigned_parameters;
  if (!credentials.session_token.empty()) {
    (options.sign_session_token ? query : unsigned_parameters)
        .emplace_back("X-Amz-Security-Token", credentials.session_token);
  }
  result.canonical_query = CanonicalQuery(query);
  Compute(request, headers, credentials.secret_access_key, options, timestamp, &result);

  unsigned_parameters.emplace_back("X-Amz-Signature", result.signature);
  result.canonical_query += "&" + CanonicalQuery(unsigned_parameters);
  return result;
}

}  // namespace s3v
