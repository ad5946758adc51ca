// Objects that are read by clean-up and recovery, and by people: a header, JSON, a checksum.
//
//   object := header | length u32 | json{length} | crc32c u32
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/bytes.h"
#include "format/coding.h"

namespace s3v {

// Text that is not UTF-8 (a column name of a database in another encoding) is stored with replacement characters.
Bytes EncodeJsonObject(const ObjectHeader& header, const nlohmann::json& json);

// The members of one JSON object, each checked when read. All throw kCorrupted; unknown members are never looked at.
class JsonMembers {
 public:
  JsonMembers(const nlohmann::json& json, const std::string& key);
  uint64_t Unsigned(const char* name, uint64_t max = UINT64_MAX) const;
  int64_t Integer(const char* name) const;
  bool Flag(const char* name) const;
  std::string Text(const char* name) const;
  ObjectId Id(const char* name) const;
  JsonMembers Object(const char* name) const;
  const nlohmann::json& Array(const char* name) const;
  [[noreturn]] void Fail(const std::string& what) const;

 private:
  const nlohmann::json& Member(const char* name) const;

  const nlohmann::json& json_;
  const std::string& key_;
};

// Throws kCorrupted, kNotSupported.
nlohmann::json DecodeJsonObject(ByteView object, const ObjectHeader& expected, const std::string& key);

}  // namespace s3v
