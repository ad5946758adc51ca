#include "base/random.h"

#include <sys/random.h>

#include <cerrno>

#include "base/bytes.h"
#include "base/error.h"

namespace s3v {

ObjectId RandomId() {
  ObjectId id;
  size_t have = 0;
  while (have < id.size()) {
    const ssize_t got = getrandom(id.data() + have, id.size() - have, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      throw Error(Code::kInternal, "could not obtain random bytes from the operating system");
    }
    have += static_cast<size_t>(got);
  }
  return id;
}

std::string IdText(const ObjectId& id) { return ToHex(id); }

bool ParseId(const std::string& text, ObjectId* id) {
  if (text.size() != 2 * id->size()) return false;
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  for (size_t i = 0; i < id->size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    (*id)[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace s3v
