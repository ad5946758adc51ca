// QueryVectors with all its pages, for one query or many at once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/stop.h"
#include "s3vectors/remote_filter.h"
#include "s3vectors/service_client.h"

namespace s3v {

inline constexpr uint64_t kMaxTopK = 10000;

struct RemoteQuery {
  std::span<const float> vector;
  uint64_t top_k = 10;  // 1 to kMaxTopK
};

struct RemoteHit {
  std::string key;
  float distance = 0;    // NaN: the service did not say
  std::string metadata;  // JSON, when it was asked for; empty: none
};

struct RemoteAnswer {
  std::vector<RemoteHit> hits;  // nearest first, each key once
  bool is_whole = false;        // there is no more: fewer than top_k came, and nothing hints at others
};

struct RemoteSearchOptions {
  RemoteFilter filter;
  bool with_metadata = false;  // needs the permission s3vectors:GetVectors, as a filter does
};

// All queries' first pages at once, then page after page as each asks for. A token that expired begins its query anew,
// once. With a filter, queryMode ENHANCED is asked for, so that a CLASSIC index does not thin out its answer; a server
// that does not know the member is asked without it, and one that takes no topK above 100 for so many: their answers
// are not whole. Throws what ServiceClient::Run throws.
std::vector<RemoteAnswer> SearchRemote(ServiceClient& service, const std::string& name,
                                       std::span<const RemoteQuery> queries, const RemoteSearchOptions& options,
                                       Stop& stop);

}  // namespace s3v
