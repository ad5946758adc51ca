#include "engine/ownership.h"

#include <algorithm>
#include <string>

#include "format/names.h"

namespace s3v {
namespace {

constexpr uint64_t kMaxMarkerBytes = 64 * 1024;
constexpr const char* kHint =
    "Queries go on. If no other server uses this index any more, take its objects over with s3v_adopt; else give this "
    "one a copy of its own with s3v_fork.";

[[noreturn]] void ThrowConflict(const ObjectId& index, const std::string& detail) {
  throw Error(Code::kConflict, "the objects under \"" + IndexPrefix(index) + "\" are not this index's to change",
              detail, kHint);
}

// The greatest number of the chain, 0 when nobody ever claimed.
uint64_t FindHead(ObjectStore& store, const ObjectId& index, Stop& stop) {
  uint64_t head = 0;
  for (const ObjectInfo& object : store.List(OwnerPrefix(index), stop)) {
    ParsedKey name;
    if (ParseKey(index, object.key, &name)) head = std::max(head, name.number);
  }
  return head;
}

void RequireOurs(ObjectStore& store, const ObjectId& index, uint64_t head, uint64_t recorded,
                 std::span<const ObjectId> known_tokens, const OwnerMarker& mine, Stop& stop) {
  const std::string key = OwnerKey(index, head);
  const OwnerMarker marker = DecodeOwner(store.Get(key, kMaxMarkerBytes, stop), index, head, key);
  const std::string who = "Owner marker " + std::to_string(head) + " ";
  if (marker.system_identifier != mine.system_identifier || marker.database != mine.database ||
      marker.timeline != mine.timeline) {
    ThrowConflict(index, who + "was written by system " + std::to_string(marker.system_identifier) + ", database " +
                             std::to_string(marker.database) + ", timeline " + std::to_string(marker.timeline) +
                             "; this is system " + std::to_string(mine.system_identifier) + ", database " +
                             std::to_string(mine.database) + ", timeline " + std::to_string(mine.timeline) + ".");
  }
  const bool is_own_attempt = std::ranges::find(known_tokens, marker.token) != known_tokens.end();
  if (head != recorded && !is_own_attempt) {
    ThrowConflict(index, who + "was written by an attempt that this server does not know; its own last one is " +
                             std::to_string(recorded) + ".");
  }
}

bool Exists(ObjectStore& store, const std::string& key, Stop& stop) {
  try {
    store.Get(key, kMaxMarkerBytes, stop);
  } catch (const Error& error) {
    if (error.code() == Code::kObjectMissing) return false;
    if (error.code() != Code::kLimitExceeded) throw;  // too large for a marker, but there
  }
  return true;
}

}  // namespace

uint64_t ClaimOwnership(ObjectStore& store, const ObjectId& index, uint64_t recorded,
                        std::span<const ObjectId> known_tokens, const OwnerMarker& mine, bool adopt, Stop& stop,
                        const std::function<void(uint64_t number)>& before_write) {
  const uint64_t head = FindHead(store, index, stop);
  // An empty chain holds nobody's objects: a first version, or a bucket that was emptied.
  if (head > 0 && !adopt) RequireOurs(store, index, head, recorded, known_tokens, mine, stop);

  OwnerMarker marker = mine;
  marker.number = std::max(head, recorded) + 1;
  const Bytes bytes = EncodeOwner(marker, index);
  if (before_write) before_write(marker.number);
  const auto outcome = store.Put(OwnerKey(index, marker.number), bytes, ObjectStore::PutMode::kCreateOnly, stop);
  if (outcome == ObjectStore::PutOutcome::kAlreadyExists) {
    ThrowConflict(index, "Somebody else claimed owner marker " + std::to_string(marker.number) + " at the same time.");
  }
  return marker.number;
}

void VerifyOwnership(ObjectStore& store, const ObjectId& index, uint64_t number, Stop& stop) {
  // Two small requests instead of a listing: whoever saw our marker took the next number.
  if (Exists(store, OwnerKey(index, number + 1), stop)) {
    ThrowConflict(index, "Owner marker " + std::to_string(number + 1) + " follows ours.");
  }
  if (!Exists(store, OwnerKey(index, number), stop)) {
    ThrowConflict(index, "Our owner marker " + std::to_string(number) + " is gone.");
  }
}

}  // namespace s3v
