#include "format/content_hash.h"

// Shows the size of the state, so that it can live on the stack.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

namespace s3v {

uint64_t ContentHash(std::span<const float> vector, ByteView metadata) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, vector.data(), vector.size_bytes());
  XXH3_64bits_update(&state, metadata.data(), metadata.size());
  return XXH3_64bits_digest(&state);
}

}  // namespace s3v
