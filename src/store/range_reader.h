// The answer to a request for a range: takes what belongs to the range and refuses what cannot be trusted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "net/http.h"

namespace s3v {

// Source: RFC 9110, sections 14.2 to 14.4. A 206 must be exactly the range asked for, or its beginning where the object
// ends early. A server that ignores the range answers 200 and the whole object, of which the range is cut out, but only
// if it says how long the object is.
class RangeReader {
 public:
  RangeReader(uint64_t offset, uint64_t length) : offset_(offset), length_(length) {}

  void Reset();
  // False: nothing more is needed, or nothing good will come.
  bool Take(const HttpResponse& head, ByteView piece);
  // After the answer ended: why it is of no use; nothing if bytes() holds the range or is_too_short() says that the
  // object ends before it does. Then bytes() holds what a 200 brought, if that is short enough to be an error document.
  std::optional<std::string> Problem(const HttpResponse& head);

  bool is_too_short() const { return is_too_short_; }
  const Bytes& bytes() const { return bytes_; }

 private:
  void Begin(const HttpResponse& head);

  uint64_t offset_;
  uint64_t length_;
  bool has_begun_ = false;
  uint64_t position_ = 0;  // in the object, of the next byte to come
  uint64_t end_ = 0;       // in the object, where the answer should end
  bool is_too_short_ = false;
  std::string problem_;
  Bytes bytes_;
};

// Why the body is not what was stored, encoded for transport; nothing if it is plain.
std::optional<std::string> EncodingProblem(const HttpResponse& head);

}  // namespace s3v
