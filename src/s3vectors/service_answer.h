// What an answer of the service says of an error, whatever form it has: the code in a header or in the body, a message,
// the members that were refused; or nothing of that. Texts come from outside: they are cut and cleaned for messages.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/http.h"

namespace s3v {

struct ServiceFault {
  std::string code;        // as the service spells it; empty: it gave none
  std::string message;     // without a full stop at its end; empty: it gave none
  std::string fields;      // of a ValidationException: "/path: message; ..."
  std::string request_id;  // empty: it gave none
};

// The service may repeat what it was sent: each of `secrets` is made unreadable. REQUIRES: the answer is no 2xx.
ServiceFault ReadFault(const HttpResponse& response, std::span<const std::string> secrets);

// The first line, at most 300 bytes, printable ASCII. Lists of numbers are left out: a vector may be private.
std::string FitSentence(std::string_view text);

// The header x-amz-retry-after, in milliseconds.
std::optional<int64_t> AmzRetryAfter(const HttpResponse& response);

// By its first and last byte: what else there is, its reader finds.
bool LooksLikeJsonObject(ByteView body);

}  // namespace s3v
