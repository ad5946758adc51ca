// What the wall's opaque handles hold.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "api/guard.h"
#include "api/s3v_c.h"
#include "base/error.h"
#include "engine/contents.h"
#include "engine/search.h"
#include "engine/snapshot.h"
#include "filter/expression.h"
#include "s3vectors/remote_contents.h"
#include "s3vectors/service_client.h"
#include "store/object_store.h"

struct s3v_store {
  std::unique_ptr<s3v::ServiceClient> service;  // of s3vectors://; null: a store of objects
  std::unique_ptr<s3v::ObjectStore> objects;    // of a service: owner markers and names of generations only
  s3v::NavigationCache navigation;
};

namespace s3v {

// For calls on versions, which only a store of objects has. Throws kNotSupported.
inline ObjectStore& ObjectsOf(s3v_store* store) {
  if (store->service != nullptr) {
    throw Error(Code::kNotSupported, store->service->Where() + " keeps no versions of indexes");
  }
  return *store->objects;
}

// For calls on remote indexes, which only a service has. Throws kNotSupported.
inline ServiceClient& ServiceOf(s3v_store* store) {
  if (store->service == nullptr) {
    throw Error(Code::kNotSupported, "the server keeps no remote indexes", "Only those with a url s3vectors:// do.");
  }
  return *store->service;
}

}  // namespace s3v

struct s3v_filter {
  std::unique_ptr<const s3v::Expression> expression;
};

struct s3v_keys {
  s3v::KeySet set;
};

// What a version holds, on a store or with a service: one of the two is there.
struct s3v_contents {
  explicit s3v_contents(const s3v_env* env) : stop(env), spill(env) {}

  s3v::EnvStop stop;
  s3v::EnvSpillFactory spill;
  std::vector<s3v::ObjectId> damaged;  // segments, left out
  std::optional<s3v::IndexContents> stored;
  std::unique_ptr<s3v::RemoteContents> remote;

  bool Next(s3v::ByteView* key, uint64_t* content_hash) {
    return stored ? stored->Next(key, content_hash, stop) : remote->Next(key, content_hash, stop);
  }
};
