// Names of what s3v makes in a vector bucket, built and parsed in this one place.
//
//   s3v-<32 hex digits>-<8 hex digits>   a generation of the index with that uuid: its vectors
//   s3v-<32 hex digits>o<8 digits>       owner marker (docs/design/fence.md), numbered from 1
//
// At most 45 characters of a-z, 0-9 and '-': every server that speaks the protocol takes them.
#pragma once

#include <cstdint>
#include <string>

#include "base/random.h"

namespace s3v {

inline constexpr uint64_t kMaxOwnerNumber = 99'999'999;

struct RemoteName {
  bool is_owner = false;
  ObjectId index{};
  uint32_t generation = 0;  // not of owner markers
  uint64_t number = 0;      // owner markers only
};

std::string RemotePrefix(const ObjectId& index);  // "s3v-<32 hex digits>"
std::string GenerationName(const ObjectId& index, uint32_t generation);
std::string OwnerName(const ObjectId& index, uint64_t number);

// Answers false for a name that does not fit the grammar exactly.
bool ParseRemoteName(const std::string& text, RemoteName* name);

}  // namespace s3v
