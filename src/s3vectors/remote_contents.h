// What a remote index holds: keys and content hashes in key order, for comparing it with its source.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/spill.h"
#include "base/stop.h"
#include "s3vectors/remote_row.h"
#include "s3vectors/service_client.h"

namespace s3v {

class RemoteContents {
 public:
  // Lists the whole index, vectors and metadata included, in 16 segments side by side, and sorts within memory_bytes.
  RemoteContents(ServiceClient& service, const std::string& name, const RemoteSchema& schema, size_t memory_bytes,
                 SpillFactory& spill, Stop& stop);
  ~RemoteContents();

  // False at the end; the view lives until the next call. Each key once. A hash of 0 differs from every row's.
  bool Next(ByteView* key, uint64_t* content_hash, Stop& stop);
  // Keys that no row of ours can have: somebody else wrote them. At most 1,000 are kept.
  const std::vector<std::string>& foreign_keys() const { return foreign_keys_; }
  uint64_t foreign_count() const { return foreign_count_; }

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
  std::vector<std::string> foreign_keys_;
  uint64_t foreign_count_ = 0;
};

}  // namespace s3v
