// What s3v needs of an object store, and nothing more. Every store passes tests/store/conformance_test.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/stop.h"

namespace s3v {

// A key relative to the server's url: segments of [A-Za-z0-9._-] and other printable bytes joined by '/', no empty
// segment, no "." or "..", at most 900 bytes. Everything else is refused, not escaped.
using ObjectKey = std::string;

struct RangeRequest {
  ObjectKey key;
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct ObjectInfo {
  ObjectKey key;
  uint64_t size = 0;
  int64_t modified = 0;  // the store's own clock, seconds since 1970
};

// What was asked of the store since it was opened. `requests` counts every HTTP request sent, retries included; on
// file:// every call that would be one. `bytes_read` are payload bytes received, `waves` the calls of GetRanges, Get
// that sent anything.
struct StoreCounters {
  uint64_t waves = 0;
  uint64_t get_requests = 0;
  uint64_t put_requests = 0;  // PUT, and LIST, which costs the same
  uint64_t delete_requests = 0;
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t retries = 0;
  uint64_t cache_hits = 0;      // ranges and navigation objects that the local cache had
  uint64_t cache_failures = 0;  // times that the local cache could not write
};

// Bytes of a whole object, in memory or mapped; gone with the last owner.
class MappedObject {
 public:
  virtual ~MappedObject() = default;
  virtual ByteView bytes() const = 0;
};

// A flat namespace of byte strings. A Put is seen whole or not at all. Used from one thread at a time; every call polls
// `stop` while it waits (at least every 50 ms) and throws kCancelled once asked to stop.
// All throw kUnavailable once retries are used up, kPermissionDenied, kStoreMissing for a bucket that
// is not there (a directory that is not there is an empty store).
class ObjectStore {
 public:
  enum class PutMode { kOverwrite, kCreateOnly };
  enum class PutOutcome { kStored, kAlreadyExists };  // losing a race is an answer, not an error
  // Called once for every range, in the order of arrival; `bytes` is valid during the call only, and has exactly the
  // requested length. What it throws ends the batch and reaches the caller of GetRanges.
  using RangeSink = std::function<void(size_t index, ByteView bytes)>;

  virtual ~ObjectStore() = default;

  // One wave: all ranges at once. Ranges of one object that are neighbours (gap <= coalesce_gap) share a request.
  // Throws kObjectMissing if an object is missing, kCorrupted if it is shorter than the range.
  virtual void GetRanges(std::span<const RangeRequest> ranges, const RangeSink& sink, Stop& stop) = 0;

  // The range, if it can be had without sending anything; counts as a cache hit. Stores without a cache have none.
  virtual bool GetLocal(const RangeRequest& range, Bytes* bytes);

  // Some parts of such a range, without the bytes between them. False: none of them was read, or not all.
  struct Part {
    uint64_t from = 0;  // from the beginning of the range
    std::span<uint8_t> out;
  };
  virtual bool GetLocalParts(const RangeRequest& range, std::span<const Part> parts);

  // Whether ranges that were read stay at hand for GetLocal.
  virtual bool KeepsRanges() const { return false; }

  // Around many calls of GetLocal: what they read from stays open in between. See LocalReads.
  virtual void BeginLocalReads() {}
  virtual void EndLocalReads() {}

  // What the caller found damaged: no cache answers it from what it has, the next call asks the store. Called inside a
  // sink of GetRanges, it has the range (that one, or any of the wave) not kept in the first place: whatever a sink
  // accepts is kept, and other processes take it for checked.
  virtual void Forget(std::span<const RangeRequest> ranges);

  // Whole objects in one wave, kept on this machine and shared with its other processes where there is a cache. Each
  // request must cover its object from offset 0. `verify` throws kCorrupted for bytes that are not the object; what
  // comes from the store damaged is asked for once more.
  virtual std::vector<std::shared_ptr<const MappedObject>> GetMapped(
      std::span<const RangeRequest> objects, const std::function<void(size_t index, ByteView bytes)>& verify,
      Stop& stop);

  // The whole object. Throws kObjectMissing; kLimitExceeded if larger than `max_size`.
  virtual Bytes Get(const ObjectKey& key, uint64_t max_size, Stop& stop) = 0;

  // Durable when it returns. A create whose answer was lost and that is found to be our own counts as stored.
  virtual PutOutcome Put(const ObjectKey& key, ByteView data, PutMode mode, Stop& stop) = 0;

  // All objects whose key starts with `prefix`, in byte order, all pages. Empty prefix: everything below the url.
  virtual std::vector<ObjectInfo> List(const std::string& prefix, Stop& stop) = 0;

  // Deleting a missing object succeeds, so that a repeated clean-up is harmless.
  virtual void Delete(std::span<const ObjectKey> keys, Stop& stop) = 0;

  virtual const StoreCounters& counters() const = 0;

  // For reading what is really there, past any cache.
  virtual ObjectStore& uncached() { return *this; }

  // Neighbours closer than this share a request; more of them where requests are too many for one wave (see
  // store/coalesce.h). 0: only what touches or overlaps.
  uint64_t coalesce_gap = 64 * 1024;
};

// For the length of a scope.
class LocalReads {
 public:
  explicit LocalReads(ObjectStore* store) : store_(*store) { store_.BeginLocalReads(); }
  ~LocalReads() { store_.EndLocalReads(); }
  LocalReads(const LocalReads&) = delete;
  LocalReads& operator=(const LocalReads&) = delete;

 private:
  ObjectStore& store_;
};

// Throws kInvalidArgument unless `key` is a valid ObjectKey.
void CheckObjectKey(const ObjectKey& key);

}  // namespace s3v
