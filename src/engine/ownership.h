// The fence: who may write to an index's prefix (docs/design/fence.md).
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/stop.h"
#include "format/owner.h"
#include "store/object_store.h"

namespace s3v {

// Claims the next number. `recorded` is the number in the version row (0: none yet), `known_tokens` those of this
// cluster's own attempts, which may have aborted. `mine` carries identity and the new token. Answers the number
// claimed. Throws kConflict when the chain's head belongs to another identity, or to an attempt that is neither
// recorded nor known, or when somebody else wins the number. With `adopt`, whatever the head is, the next number is
// taken. `before_write` hears the number when its marker is about to be written: from then on, it may be there whatever
// the call throws.
uint64_t ClaimOwnership(ObjectStore& store, const ObjectId& index, uint64_t recorded,
                        std::span<const ObjectId> known_tokens, const OwnerMarker& mine, bool adopt, Stop& stop,
                        const std::function<void(uint64_t number)>& before_write = {});

// Throws kConflict unless `number` is still the head of the chain.
void VerifyOwnership(ObjectStore& store, const ObjectId& index, uint64_t number, Stop& stop);

}  // namespace s3v
