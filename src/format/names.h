// Every name under a server's url, built and parsed in this one place.
//
//   <index uuid>/owner/<20 digits>     who may write; create-only, never reused
//   <index uuid>/manifest/<id>         one version
//   <index uuid>/nav/<id>              navigation base or delta
//   <index uuid>/segment/<id>          lists
//
// <index uuid> is a uuid in PostgreSQL's text form, <id> 32 lower-case hexadecimal digits (128 random bits).
#pragma once

#include <cstdint>
#include <string>

#include "base/random.h"

namespace s3v {

enum class ObjectKind { kOwner, kManifest, kNavigation, kSegment };

struct ParsedKey {
  ObjectKind kind = ObjectKind::kManifest;
  ObjectId id{};        // not for owner markers
  uint64_t number = 0;  // owner markers only
};

std::string UuidText(const ObjectId& uuid);
bool ParseUuid(const std::string& text, ObjectId* uuid);

std::string IndexPrefix(const ObjectId& index);  // "<uuid>/"
std::string OwnerPrefix(const ObjectId& index);  // "<uuid>/owner/"
std::string OwnerKey(const ObjectId& index, uint64_t number);
std::string ManifestKey(const ObjectId& index, const ObjectId& id);
std::string NavigationKey(const ObjectId& index, const ObjectId& id);
std::string SegmentKey(const ObjectId& index, const ObjectId& id);

// Answers false for a key that does not fit the grammar above exactly, or belongs to another index.
bool ParseKey(const ObjectId& index, const std::string& key, ParsedKey* name);

}  // namespace s3v
