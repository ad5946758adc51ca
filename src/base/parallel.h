// Threads that live inside one call. Signals are blocked before they start, each body runs in a catch-all whose
// exception the caller rethrows, and all are joined on every path.
#pragma once

#include <cstddef>
#include <functional>

#include "base/stop.h"

namespace s3v {

// Runs body(begin, end) over [0, count) in chunks of at most `chunk`, on up to `threads` threads; with one thread, on
// the caller's own. The calling thread polls `stop` at least every 50 ms meanwhile; a body already started runs to its
// end, so keep chunks below 50 ms of work. Throws what the first failing body threw, or kCancelled.
void ParallelFor(size_t count, size_t chunk, int threads, Stop& stop, const std::function<void(size_t, size_t)>& body);

}  // namespace s3v
