// AWS Signature Version 4, pure: the time is an argument and nothing is read from anywhere else.
// Source: "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API reference. S3 signs the path exactly as it
// goes over the wire, every other service normalises it and encodes it once more: hence the two switches.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/stop.h"

namespace s3v {

using Headers = std::vector<std::pair<std::string, std::string>>;
using QueryParameters = std::vector<std::pair<std::string, std::string>>;  // neither side encoded

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token = {};  // empty: none
};

struct SigningOptions {
  std::string region;
  std::string service = "s3";
  bool normalize_path = false;      // S3: off
  bool double_encode_path = false;  // S3: off
  bool sign_payload_hash = true;    // send and sign x-amz-content-sha256; S3: on
  bool sign_session_token = true;   // off: the token is sent, but not part of the signature
};

struct SigningRequest {
  std::string method;
  std::string host;  // as in the Host header: with the port unless it is the scheme's own
  std::string path;  // as on the wire, see EncodePath
  QueryParameters query = {};
  Headers headers = {};           // signed besides those that the signer adds
  std::string payload_hash = {};  // lower-case hexadecimal SHA-256 of the body, or kUnsignedPayload
};

// What a signature is made of; canonical_request and string_to_sign are there to be compared when a server disagrees.
struct Signature {
  std::string canonical_query;  // what stands behind '?' in the url; with SignUrl complete, signature included
  std::string canonical_request;
  std::string string_to_sign;
  std::string signature;
  std::string signed_headers;
  Headers headers;  // with SignHeaders: everything to send, authorization included, names in lower case
};

inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

// Signs by the Authorization header. `now`: seconds since 1970, UTC. Throws kInvalidArgument for a header value that
// holds CR, LF or NUL.
Signature SignHeaders(const SigningRequest& request, const Credentials& credentials, const SigningOptions& options,
                      int64_t now);

// Signs by query parameters, valid for `expires_seconds`.
Signature SignUrl(const SigningRequest& request, const Credentials& credentials, const SigningOptions& options,
                  int64_t now, int64_t expires_seconds);

// Percent-encodes everything but A-Z a-z 0-9 - _ . ~ (EncodePath: and '/').
std::string EncodeQueryPart(std::string_view text);
std::string EncodePath(std::string_view path);

// Throws kInvalidArgument if a value that goes into a header would end the line.
void CheckHeaderValue(std::string_view name, std::string_view value);

std::string Sha256Hex(ByteView bytes);
// Polls `stop` meanwhile, for bodies of many megabytes.
std::string Sha256Hex(ByteView bytes, Stop& stop);

// As in Content-MD5.
std::string Md5Base64(ByteView bytes);

}  // namespace s3v
