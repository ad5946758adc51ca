#include "engine/fork.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "engine/contents.h"
#include "engine/read_manifest.h"
#include "engine/snapshot.h"
#include "format/coding.h"
#include "format/names.h"

namespace s3v {
namespace {

class Fork {
 public:
  Fork(ObjectStore& from, const ObjectId& from_index, const ObjectId& manifest, ObjectStore& to,
       const ObjectId& to_index, const BuildProgress& progress, Stop& stop)
      : from_(from.uncached()),
        to_(to.uncached()),
        manifest_(ReadManifest(from_, from_index, manifest, stop)),
        to_index_(to_index),
        progress_(progress),
        stop_(stop) {
    total_ = manifest_.base.length;
    for (const ObjectName& name : manifest_.deltas) total_ += name.length;
    for (const ObjectName& name : manifest_.segments) total_ += name.length;
  }

  ForkResult Run() {
    // Opened as queries open it: base and deltas are checked, and fit each other.
    NavigationCache cache;
    const auto navigation = cache.Open(NamesOf(manifest_), from_, stop_);
    for (const Piece& piece : navigation->pieces) {
      pieces_[navigation->segments[piece.segment].info.id].push_back(&piece);
    }
    CopyNavigation('B', manifest_.base);
    for (const ObjectName& name : manifest_.deltas) CopyNavigation('D', name);
    for (const ObjectName& name : manifest_.segments) CopySegment(*navigation, name);
    Manifest copy = manifest_;
    copy.index = to_index_;
    Put(ManifestKey(to_index_, copy.id), EncodeManifest(copy));
    Confirm(copy);
    return result_;
  }

 private:
  Bytes Read(const std::string& key, char kind, const ObjectName& name) {
    Bytes object = from_.Get(key, name.length, stop_);
    if (object.size() != name.length) {
      ThrowCorrupted(key, object.size(),
                     "the object has " + std::to_string(object.size()) + " bytes, its version says " +
                         std::to_string(name.length));
    }
    CheckHeader(object, {.kind = kind, .index = manifest_.index, .object = name.id}, key);
    return object;
  }

  void Put(const std::string& key, const Bytes& object) {
    to_.Put(key, object, ObjectStore::PutMode::kOverwrite, stop_);
    ++result_.objects;
    result_.bytes += object.size();
    if (progress_) progress_("copying", result_.bytes, total_);
  }

  // Makes it an object of the other index.
  void Readdress(Bytes& object, char kind, const ObjectId& id) const {
    Bytes header;
    AppendHeader(header, {.kind = kind, .index = to_index_, .object = id});
    std::ranges::copy(header, object.begin());
  }

  void CopyNavigation(char kind, const ObjectName& name) {
    Bytes object = Read(NavigationKey(manifest_.index, name.id), kind, name);
    Readdress(object, kind, name.id);
    Put(NavigationKey(to_index_, name.id), object);
  }

  void CopySegment(const Navigation& navigation, const ObjectName& name) {
    const std::string key = SegmentKey(manifest_.index, name.id);
    Bytes object = Read(key, 'G', name);
    CheckRawVectors(navigation, object, name.id, key);
    Readdress(object, 'G', name.id);
    Put(SegmentKey(to_index_, name.id), object);
  }

  // Everything else has its checksums compared where the copy is read again; raw vectors only here.
  void CheckRawVectors(const Navigation& navigation, ByteView object, const ObjectId& id, const std::string& key) {
    const uint64_t vector = RawBytes(navigation.shape.raw, navigation.shape.dimensions);
    if (vector == 0) return;
    for (const Piece* piece : pieces_[id]) {
      stop_.Check();
      for (uint64_t i = 0; i < piece->count; ++i) {
        const uint64_t offset = piece->raw_offset + i * vector;
        if (offset > object.size() || object.size() - offset < vector) {
          ThrowCorrupted(key, object.size(), "the object ends inside its raw vectors");
        }
        CheckRange(object.subspan(offset, vector), id, offset, key);
      }
    }
  }

  void Confirm(const Manifest& copy) {
    if (progress_) progress_("verifying", 0, 0);
    const Damage damage = Verify(NamesOf(copy), copy.id, to_, stop_);
    if (damage.objects > 0) {
      throw Error(Code::kCorrupted, "the copy of the version is damaged", damage.first_complaint);
    }
  }

  ObjectStore& from_;
  ObjectStore& to_;
  const Manifest manifest_;
  const ObjectId to_index_;
  const BuildProgress& progress_;
  Stop& stop_;
  std::map<ObjectId, std::vector<const Piece*>> pieces_;  // of live segments
  uint64_t total_ = 0;
  ForkResult result_;
};

}  // namespace

ForkResult ForkVersion(ObjectStore& from, const ObjectId& from_index, const ObjectId& manifest, ObjectStore& to,
                       const ObjectId& to_index, const BuildProgress& progress, Stop& stop) {
  return Fork(from, from_index, manifest, to, to_index, progress, stop).Run();
}

}  // namespace s3v
