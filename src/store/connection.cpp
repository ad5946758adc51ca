#include "store/connection.h"

#include <cstring>

#include "base/random.h"

namespace s3v {

HttpOptions HttpOptionsOf(const StoreConfig& config, const Endpoint& endpoint) {
  const bool is_listed = IsFixedHost(endpoint.host) && MatchesAny(endpoint, config.allowed_endpoints);
  return {.ca_file = config.ca_file,
          .allow_plain = !endpoint.is_https,
          .only_loopback = !endpoint.is_https && !config.allow_http,
          .refuse_special = config.check_address && !is_listed,
          .max_parallel = config.max_parallel_requests};
}

std::string SchemeOf(const Endpoint& endpoint) { return endpoint.is_https ? "https://" : "http://"; }

uint64_t JitterSeed() {
  const ObjectId id = RandomId();
  uint64_t seed;
  std::memcpy(&seed, id.data(), sizeof(seed));
  return seed;
}

std::string TransportHint(Transport transport) {
  if (transport == Transport::kAddressRefused) {
    return "Only a superuser can allow this address, by listing it in s3v.allowed_endpoints, and only where the "
           "endpoint is that address.";
  }
  if (transport == Transport::kUntrusted) return "Set the server's option ca_file if its certificate is private.";
  return {};
}

}  // namespace s3v
