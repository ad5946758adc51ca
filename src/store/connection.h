// What clients of remote services share.
#pragma once

#include <cstdint>
#include <string>

#include "net/address.h"
#include "net/http.h"
#include "store/open_store.h"

namespace s3v {

HttpOptions HttpOptionsOf(const StoreConfig& config, const Endpoint& endpoint);

// "https://" or "http://".
std::string SchemeOf(const Endpoint& endpoint);

// For the jitter of retries: differs from process to process.
uint64_t JitterSeed();

// What helps against a transfer that ended so; empty: nothing in particular.
std::string TransportHint(Transport transport);

}  // namespace s3v
