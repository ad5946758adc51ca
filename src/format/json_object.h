// Objects that are read by clean-up and recovery, and by people: a header, JSON, a checksum.
//
//   object := header | length u32 | json{length} | crc32c u32
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "format/coding.h"
#include "format/json_value.h"

namespace s3v {

// `text` is JSON in UTF-8.
Bytes EncodeJsonObject(const ObjectHeader& header, std::string_view text);

// The members of one JSON object, each checked when read. All throw kCorrupted; unknown members are never looked at.
class JsonMembers {
 public:
  JsonMembers(const JsonValue& json, const std::string& key);
  uint64_t Unsigned(const char* name, uint64_t max = UINT64_MAX) const;
  int64_t Integer(const char* name) const;
  bool Flag(const char* name) const;
  std::string Text(const char* name) const;
  ObjectId Id(const char* name) const;
  JsonMembers Object(const char* name) const;
  const JsonValue::Array& Array(const char* name) const;
  [[noreturn]] void Fail(const std::string& what) const;

 private:
  const JsonValue& Member(const char* name) const;

  const JsonValue& json_;
  const std::string& key_;
};

// A view of the object. Throws kCorrupted, kNotSupported.
std::string_view JsonTextOf(ByteView object, const ObjectHeader& expected, const std::string& key);

// The same, read.
JsonValue DecodeJsonObject(ByteView object, const ObjectHeader& expected, const std::string& key);

}  // namespace s3v
