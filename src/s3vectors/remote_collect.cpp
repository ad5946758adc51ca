#include "s3vectors/remote_collect.h"

#include <algorithm>
#include <set>
#include <span>

#include "base/error.h"
#include "s3vectors/index_calls.h"
#include "s3vectors/names.h"
#include "s3vectors/remote_index.h"

namespace s3v {
namespace {

constexpr size_t kBatch = 64;

// Besides the head: whoever claims looks at the head only. Each marker is an index, of which a bucket holds 10,000.
constexpr uint64_t kMarkersKept = 1;

// Ages by the service's own clock, in which the marker `owner_number` was made just now. What has no creation time
// counts as new.
class Ages {
 public:
  Ages(const std::vector<RemoteListing>& listed, const ObjectId& index, uint64_t owner_number) {
    const std::string marker = OwnerName(index, owner_number);
    const auto found = std::ranges::find(listed, marker, &RemoteListing::name);
    if (found == listed.end()) {
      throw Error(Code::kConflict, "owner marker \"" + marker + "\" is missing",
                  "It tells the service's own time, and that this server may delete.");
    }
    now_ = found->created;
  }

  int64_t Of(const RemoteListing& listed) const { return now_ == 0 || listed.created == 0 ? 0 : now_ - listed.created; }

 private:
  int64_t now_ = 0;
};

void RequireAll(const std::vector<std::string>& retained, const std::vector<RemoteListing>& listed,
                const ObjectId& index) {
  for (const std::string& generation : retained) {
    RemoteName name;
    if (!ParseRemoteName(generation, &name) || name.is_owner || name.index != index) {
      throw Error(Code::kInvalidArgument, "\"" + generation + "\" is no remote index of this index");
    }
    if (std::ranges::find(listed, generation, &RemoteListing::name) == listed.end()) {
      throw Error(Code::kObjectMissing, "remote index \"" + generation + "\" does not exist",
                  "A version is kept there. Nothing was deleted.");
    }
  }
}

class Deletion {
 public:
  Deletion(ServiceClient& service, const std::function<void()>& before_delete, CollectResult& result, Stop& stop)
      : service_(service), before_delete_(before_delete), result_(result), stop_(stop) {}

  void Run(std::span<const std::string> names) {
    for (size_t begin = 0; begin < names.size(); begin += kBatch) {
      const auto batch = names.subspan(begin, std::min(kBatch, names.size() - begin));
      before_delete_();
      DeleteIndexes(service_, batch, stop_);
      result_.deleted += batch.size();
    }
  }

 private:
  ServiceClient& service_;
  const std::function<void()>& before_delete_;
  CollectResult& result_;
  Stop& stop_;
};

}  // namespace

CollectResult CollectRemote(ServiceClient& service, const ObjectId& index, IndexState state,
                            const std::vector<std::string>& retained, int64_t keep_seconds, uint64_t owner_number,
                            const std::function<void()>& before_delete, Stop& stop) {
  if (state == IndexState::kDropped && !retained.empty()) {
    throw Error(Code::kInternal, "a dropped index retains " + std::to_string(retained.size()) + " versions");
  }
  const std::vector<RemoteListing> listed = ListRemote(service, RemotePrefix(index), stop);
  const Ages ages(listed, index, owner_number);
  RequireAll(retained, listed, index);

  CollectResult result;
  std::vector<std::string> unnamed;
  std::vector<std::string> markers;
  for (const RemoteListing& remote : listed) {
    const bool is_young = ages.Of(remote) < keep_seconds;
    RemoteName name;
    if (!ParseRemoteName(remote.name, &name)) {
      ++result.foreign_objects;
    } else if (name.is_owner) {
      const bool is_old = !is_young && name.number + kMarkersKept < owner_number;
      (is_old ? unnamed : markers).push_back(remote.name);
    } else if (is_young || std::ranges::find(retained, remote.name) != retained.end()) {
      ++result.kept;
    } else {
      unnamed.push_back(remote.name);
    }
  }

  Deletion deletion(service, before_delete, result, stop);
  deletion.Run(unnamed);
  if (state == IndexState::kLiving || result.kept > 0) {
    result.kept += markers.size();
    return result;
  }
  // A dropped index of which nothing is left. Our own marker goes alone and last: until then it is what before_delete
  // looks for.
  const std::string own = OwnerName(index, owner_number);
  std::erase(markers, own);
  deletion.Run(markers);
  deletion.Run({&own, 1});
  return result;
}

void RetireMarkers(ServiceClient& service, const ObjectId& index, uint64_t owner_number, Stop& stop) {
  const std::vector<RemoteListing> listed = ListRemote(service, RemotePrefix(index) + "o", stop);
  const Ages ages(listed, index, owner_number);
  std::vector<std::string> retired;
  for (const RemoteListing& listing : listed) {
    RemoteName name;
    if (retired.size() == kBatch) break;
    if (!ParseRemoteName(listing.name, &name) || !name.is_owner || name.index != index) continue;
    if (name.number + kMarkersKept < owner_number && ages.Of(listing) >= kMarkerAgeSeconds) {
      retired.push_back(listing.name);
    }
  }
  DeleteIndexes(service, retired, stop);
}

StoredIndexes FindRemoteIndexes(ServiceClient& service, Stop& stop) {
  StoredIndexes found;
  std::set<ObjectId> indexes;
  std::vector<std::string> others;
  for (RemoteListing& listed : ListRemote(service, "", stop)) {
    RemoteName name;
    if (ParseRemoteName(listed.name, &name)) {
      indexes.insert(name.index);
    } else {
      others.push_back(std::move(listed.name));
    }
  }
  // Those that begin as an index of ours does are counted when that index is collected.
  found.foreign_objects = static_cast<uint64_t>(std::ranges::count_if(others, [&](const std::string& other) {
    return std::ranges::none_of(indexes, [&](const ObjectId& index) { return other.starts_with(RemotePrefix(index)); });
  }));
  found.indexes.assign(indexes.begin(), indexes.end());
  return found;
}

}  // namespace s3v
