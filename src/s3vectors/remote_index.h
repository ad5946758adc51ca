// Remote indexes: made, described, listed, deleted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/stop.h"
#include "ivf/distance.h"
#include "s3vectors/names.h"
#include "s3vectors/remote_row.h"
#include "s3vectors/service_client.h"

namespace s3v {

struct RemoteShape {
  Metric metric = Metric::kCosine;
  size_t dimensions = 0;
  std::vector<std::string> nonfilterable;
  std::string mode;     // CLASSIC, ENHANCED; empty: the service did not say
  int64_t created = 0;  // seconds since 1970
};

struct RemoteCreation {
  Metric metric = Metric::kCosine;
  size_t dimensions = 0;
  std::vector<std::string> nonfilterable;
  bool create_bucket = false;
  std::string mode;  // CLASSIC or ENHANCED; empty: as the bucket's default says
};

// Throws kNotSupported for inner product, kInvalidArgument for dimensions and keys beyond the service's limits: what
// s3v_create_index checks before anything is made.
void CheckRemoteCreation(const RemoteCreation& creation);

// The vector bucket, unless it is there.
void MakeVectorBucket(ServiceClient& service, Stop& stop);

// A new generation under a random number; the vector bucket first, when it is missing and wanted. A lost answer whose
// index turns out to exist is our own. Answers the name.
std::string CreateGeneration(ServiceClient& service, const ObjectId& index, const RemoteCreation& creation, Stop& stop);

// Throws kObjectMissing, kStoreMissing; kCorrupted for an answer without what every index has.
RemoteShape Describe(ServiceClient& service, const std::string& name, Stop& stop);

struct RemoteListing {
  std::string name;
  int64_t created = 0;
};
// All pages, by name.
std::vector<RemoteListing> ListRemote(ServiceClient& service, const std::string& prefix, Stop& stop);

// An index that is not there is deleted.
void DeleteRemote(ServiceClient& service, const std::string& name, Stop& stop);

// The newest generation of the index that is none of `published` and has that shape: what an attempt that did not
// finish left behind.
std::optional<std::string> FindUnfinished(ServiceClient& service, const ObjectId& index,
                                          const std::vector<std::string>& published, const RemoteCreation& shape,
                                          Stop& stop);

}  // namespace s3v
