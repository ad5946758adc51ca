#include "store/object_store.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "base/error.h"
#include "store/mapped_object.h"

namespace s3v {
namespace {

constexpr size_t kMaxKeyBytes = 900;

// The length of the well-formed UTF-8 character at the beginning of `text`; 0 if there is none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const int first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first < 0xf0) {
    const bool overlong = first == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = first == 0xed && byte(1) >= 0xa0;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first < 0xf5) {
    const bool overlong = first == 0xf0 && byte(1) < 0x90;
    const bool too_high = first == 0xf4 && byte(1) >= 0x90;
    return follows(1) && follows(2) && follows(3) && !overlong && !too_high ? 4 : 0;
  }
  return 0;
}

// Says what is wrong with a key, or nothing. The key itself is shown only when it is fit to be shown.
const char* CharacterProblem(std::string_view key) {
  for (size_t i = 0; i < key.size();) {
    const size_t length = Utf8Length(key.substr(i));
    if (length == 0) return "is not valid UTF-8";
    if (length == 1 && (static_cast<uint8_t>(key[i]) < 0x20 || key[i] == 0x7f)) return "contains a control character";
    i += length;
  }
  return nullptr;
}

bool HasBadSegment(std::string_view key) {
  for (size_t begin = 0; begin <= key.size();) {
    const size_t end = std::min(key.find('/', begin), key.size());
    const std::string_view segment = key.substr(begin, end - begin);
    if (segment.empty() || segment == "." || segment == "..") return true;
    begin = end + 1;
  }
  return false;
}

// Fetches the objects that are in `wanted`, in one wave; the answer is those that `verify` refused.
std::vector<size_t> FetchObjects(ObjectStore* store, std::span<const RangeRequest> objects,
                                 const std::vector<size_t>& wanted,
                                 const std::function<void(size_t index, ByteView bytes)>& verify, bool is_last_try,
                                 Stop& stop, std::vector<std::shared_ptr<const MappedObject>>* fetched) {
  std::vector<RangeRequest> requests;
  for (const size_t index : wanted) requests.push_back(objects[index]);
  std::vector<size_t> damaged;
  store->GetRanges(
      requests,
      [&](size_t place, ByteView bytes) {
        const size_t index = wanted[place];
        try {
          verify(index, bytes);
        } catch (const Error& error) {
          if (is_last_try || error.code() != Code::kCorrupted) throw;
          damaged.push_back(index);
          return;
        }
        (*fetched)[index] = std::make_shared<OwnedObject>(Bytes(bytes.begin(), bytes.end()));
      },
      stop);
  return damaged;
}

}  // namespace

bool ObjectStore::GetLocal(const RangeRequest&, Bytes*) { return false; }

bool ObjectStore::GetLocalParts(const RangeRequest&, std::span<const Part>) { return false; }

void ObjectStore::Forget(std::span<const RangeRequest>) {}

std::vector<std::shared_ptr<const MappedObject>> ObjectStore::GetMapped(
    std::span<const RangeRequest> objects, const std::function<void(size_t index, ByteView bytes)>& verify,
    Stop& stop) {
  std::vector<std::shared_ptr<const MappedObject>> fetched(objects.size());
  std::vector<size_t> wanted(objects.size());
  std::iota(wanted.begin(), wanted.end(), size_t{0});
  const std::vector<size_t> damaged = FetchObjects(this, objects, wanted, verify, false, stop, &fetched);
  // What was damaged on the way is whole the next time; what lies damaged is not.
  if (!damaged.empty()) FetchObjects(this, objects, damaged, verify, true, stop, &fetched);
  return fetched;
}

void CheckObjectKey(const ObjectKey& key) {
  if (key.size() > kMaxKeyBytes) {
    throw Error(Code::kInvalidArgument, "object key of " + std::to_string(key.size()) + " bytes is too long",
                "At most " + std::to_string(kMaxKeyBytes) + " bytes are possible.");
  }
  if (const char* problem = CharacterProblem(key)) {
    throw Error(Code::kInvalidArgument, std::string("object key ") + problem);
  }
  if (HasBadSegment(key)) {
    throw Error(Code::kInvalidArgument, "invalid object key \"" + key + "\"",
                "Segments between slashes must not be empty, \".\" or \"..\".");
  }
}

}  // namespace s3v
