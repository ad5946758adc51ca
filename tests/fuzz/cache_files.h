// The files of a local cache as an input's parts: state, journal, up to two packs.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"

namespace s3v::fuzz {

// Files under the names that the state and the journal's directories give them; what names nothing is left out.
void WriteCache(const std::string& directory, const std::vector<Bytes>& parts);
std::vector<Bytes> ReadCache(const std::string& directory);
void SealCacheState(Bytes& state);

}  // namespace s3v::fuzz
