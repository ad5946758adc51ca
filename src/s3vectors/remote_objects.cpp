#include "s3vectors/remote_objects.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "format/names.h"
#include "s3vectors/index_calls.h"
#include "s3vectors/names.h"
#include "s3vectors/remote_index.h"
#include "store/answers.h"

namespace s3v {
namespace {

// RFC 4648 section 5, without padding: letters, digits, '-' and '_' alone are keys that every server takes.
constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string ToBase64(ByteView bytes) {
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    for (count += 8; count >= 6; count -= 6) text.push_back(kDigits[bits >> (count - 6) & 63]);
  }
  if (count > 0) text.push_back(kDigits[bits << (6 - count) & 63]);
  return text;
}

std::optional<Bytes> FromBase64(std::string_view text) {
  Bytes bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<uint8_t>(bits >> count));
  }
  return bytes;
}

// A marker's bytes as non-filterable keys. The first letter, 'a' to 'j', is a key's place: the service may answer them
// in any order, and takes each but once.
constexpr size_t kPieceSize = kMaxColumnNameBytes - 1;

std::vector<std::string> CutIntoKeys(ByteView bytes, const ObjectKey& key) {
  const std::string text = ToBase64(bytes);
  std::vector<std::string> keys;
  for (size_t begin = 0; begin < text.size(); begin += kPieceSize) {
    keys.push_back(static_cast<char>('a' + keys.size()) + text.substr(begin, kPieceSize));
  }
  if (keys.size() > kMaxNonFilterableKeys) {
    throw Error(Code::kInternal, "owner marker \"" + key + "\" of " + std::to_string(bytes.size()) +
                                     " bytes does not fit into an index");
  }
  return keys;
}

// Empty for keys that no marker of ours has: whoever reads the marker then finds that it is none.
Bytes JoinKeys(std::vector<std::string> keys) {
  std::ranges::sort(keys);
  std::string text;
  for (size_t place = 0; place < keys.size(); ++place) {
    if (keys[place].empty() || keys[place][0] != static_cast<char>('a' + place)) return {};
    text += keys[place].substr(1);
  }
  return FromBase64(text).value_or(Bytes());
}

constexpr size_t kUuidSize = 36;
constexpr std::string_view kOwnerFolder = "owner/";
constexpr std::string_view kGenerationFolder = "generation/";

ObjectKey KeyOf(const std::string& remote) {
  RemoteName name;
  if (!ParseRemoteName(remote, &name)) return remote;
  if (name.is_owner) return OwnerKey(name.index, name.number);
  return IndexPrefix(name.index).append(kGenerationFolder) + remote.substr(remote.size() - 8);
}

// The name of an owner marker's or a generation's index. Nothing for an owner number that no index can have; kInternal
// for other keys.
std::optional<std::string> NameOf(const ObjectKey& key) {
  ObjectId index;
  if (ParseUuid(key.substr(0, kUuidSize), &index)) {
    ParsedKey parsed;
    if (ParseKey(index, key, &parsed) && parsed.kind == ObjectKind::kOwner) {
      if (parsed.number > kMaxOwnerNumber) return std::nullopt;
      return OwnerName(index, parsed.number);
    }
    const std::string folder = IndexPrefix(index).append(kGenerationFolder);
    std::string name = RemotePrefix(index) + "-";
    name += key.substr(std::min(key.size(), folder.size()));
    RemoteName remote;
    if (key.starts_with(folder) && ParseRemoteName(name, &remote)) return name;
  }
  throw Error(Code::kInternal, "\"" + key + "\" is not the key of a remote index");
}

bool IsOwner(const ObjectKey& key) {
  return key.size() > kUuidSize && std::string_view(key).substr(kUuidSize + 1).starts_with(kOwnerFolder);
}

// The longest prefix that all remote indexes have whose keys begin with `prefix`.
std::string RemotePrefixOf(const std::string& prefix) {
  ObjectId index;
  if (prefix.size() <= kUuidSize || prefix[kUuidSize] != '/' || !ParseUuid(prefix.substr(0, kUuidSize), &index)) {
    return "";
  }
  const std::string_view rest = std::string_view(prefix).substr(kUuidSize + 1);
  if (rest.starts_with(kOwnerFolder)) return RemotePrefix(index) + "o";
  if (rest.starts_with(kGenerationFolder)) return RemotePrefix(index) + "-";
  return RemotePrefix(index);
}

class RemoteObjects final : public ObjectStore {
 public:
  explicit RemoteObjects(ServiceClient* service) : service_(*service) {}

  void GetRanges(std::span<const RangeRequest> ranges, const RangeSink&, Stop&) override {
    throw Error(Code::kInternal, "remote indexes have no ranges to read",
                ranges.empty() ? "" : "\"" + ranges.front().key + "\" was asked for.");
  }

  Bytes Get(const ObjectKey& key, uint64_t max_size, Stop& stop) override {
    RequireOwner(key, "read");
    const std::optional<std::string> name = NameOf(key);
    if (!name) ThrowMissing(key);
    Bytes bytes;
    try {
      bytes = JoinKeys(Describe(service_, *name, stop).nonfilterable);
    } catch (const Error& error) {
      if (error.code() == Code::kObjectMissing) ThrowMissing(key);
      throw;
    }
    if (bytes.size() > max_size) ThrowLarger(key, max_size);
    return bytes;
  }

  PutOutcome Put(const ObjectKey& key, ByteView data, PutMode mode, Stop& stop) override {
    RequireOwner(key, "put");
    if (mode != PutMode::kCreateOnly) throw Error(Code::kInternal, "\"" + key + "\" is not to be overwritten");
    const std::optional<std::string> name = NameOf(key);
    if (!name) {
      throw Error(Code::kLimitExceeded, "owner marker \"" + key + "\" has too large a number",
                  "A vector bucket takes numbers up to " + std::to_string(kMaxOwnerNumber) + ".");
    }
    ServiceCall call = NewCreateIndex(service_, *name, Metric::kL2, 1, CutIntoKeys(data, key));
    service_.Run(call, stop);
    if (call.outcome == Outcome::kNotFound) ThrowBucketMissing(service_);
    if (call.outcome == Outcome::kDone) return PutOutcome::kStored;
    // A name taken at the first try is someone else's; after a lost answer it may be what that try made.
    const bool is_ours =
        call.answer_was_lost && std::ranges::equal(JoinKeys(Describe(service_, *name, stop).nonfilterable), data);
    return is_ours ? PutOutcome::kStored : PutOutcome::kAlreadyExists;
  }

  std::vector<ObjectInfo> List(const std::string& prefix, Stop& stop) override {
    std::vector<ObjectInfo> objects;
    for (const RemoteListing& listed : ListRemote(service_, RemotePrefixOf(prefix), stop)) {
      ObjectKey key = KeyOf(listed.name);
      if (key.starts_with(prefix)) objects.push_back({.key = std::move(key), .modified = listed.created});
    }
    std::ranges::sort(objects, {}, &ObjectInfo::key);
    return objects;
  }

  void Delete(std::span<const ObjectKey> keys, Stop& stop) override {
    std::vector<std::string> names;
    for (const ObjectKey& key : keys) {
      if (std::optional<std::string> name = NameOf(key)) names.push_back(*std::move(name));
    }
    DeleteIndexes(service_, names, stop);
  }

  const StoreCounters& counters() const override { return service_.counters(); }

 private:
  static void RequireOwner(const ObjectKey& key, const char* verb) {
    if (IsOwner(key)) return;
    throw Error(Code::kInternal, "\"" + key + "\" is no owner marker and cannot be " + verb + " as an object");
  }

  ServiceClient& service_;
};

}  // namespace

std::unique_ptr<ObjectStore> MakeRemoteObjects(ServiceClient* service) {
  return std::make_unique<RemoteObjects>(service);
}

}  // namespace s3v
