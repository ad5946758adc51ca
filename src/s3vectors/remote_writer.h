// Vectors into and out of a remote index: batches by count and bytes, several at once, paced, halved where the service
// asks for less. docs/design/s3vectors.md, "Writing".
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/stop.h"
#include "s3vectors/remote_row.h"
#include "s3vectors/service_client.h"

namespace s3v {

struct RemoteWritten {
  uint64_t put = 0;
  uint64_t removed = 0;
  uint64_t logical_bytes = 0;  // of what was put: vectors, keys, metadata, as the service bills them
  uint64_t requests = 0;
  uint64_t refusals = 0;  // 429 and 503
};

class RemoteWriter {
 public:
  // Each key at most once. `service` and `schema` must outlive it.
  RemoteWriter(ServiceClient& service, std::string name, const RemoteSchema& schema);
  ~RemoteWriter();

  // May send what was gathered, and wait. Throws what ServiceClient::Run throws; then nothing more may be called.
  void Put(ByteView key, std::span<const float> vector, ByteView row, Stop& stop);
  void Remove(ByteView key, Stop& stop);
  void RemoveText(std::string key, Stop& stop);  // a vector that somebody else wrote
  // Everything is answered when it returns.
  RemoteWritten Finish(Stop& stop);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace s3v
