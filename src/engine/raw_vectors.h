// Vectors beside their codes: exact distances of entries without their source rows.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/stop.h"
#include "engine/snapshot.h"
#include "store/object_store.h"

namespace s3v {

// Of navigation.pieces, and of the piece.
struct EntryPlace {
  uint32_t piece = 0;
  uint32_t entry = 0;
};

// What is known of a row's distance, in the user's units, from its stored vector: of one kept as it is, both are the
// distance; of one that was rounded, the distance of what it was rounded to, and a bound that allows for the rounding.
struct RawDistance {
  double estimate = 0;
  double lower_bound = 0;
};

// REQUIRES: finite; all of one size. `query` and `rounded` as users know them; `rounded` as FromHalf gives it. Minus
// infinity where rounding may have cut an element down.
double LowerBoundOfRounded(Metric metric, std::span<const float> query, std::span<const float> rounded);

// Reads raw planes for one search. Reuses its memory.
class RawVectors {
 public:
  // Both must outlive it.
  RawVectors(const Navigation& navigation, ObjectStore& store);

  // Whether the index has any.
  bool exist() const { return vector_bytes_ > 0; }
  uint64_t bytes() const { return vector_bytes_; }  // of one

  // Nothing when it cannot be had without sending anything, or helps nothing.
  std::optional<RawDistance> FindLocal(const EntryPlace& place, std::span<const float> query);

  // One wave. `sink` is called once for each place that helps. What arrives damaged is asked for once more before
  // kCorrupted is thrown.
  using Sink = std::function<void(size_t i, const RawDistance& distance)>;
  void Fetch(std::span<const EntryPlace> places, std::span<const float> query, const Sink& sink, Stop& stop);

 private:
  std::optional<RawDistance> Measure(ByteView bytes, const EntryPlace& place, std::span<const float> query,
                                     Trust trust);
  uint64_t OffsetOf(const EntryPlace& place) const {
    return navigation_.pieces[place.piece].raw_offset + place.entry * vector_bytes_;
  }

  const Navigation& navigation_;
  ObjectStore& store_;
  const uint64_t vector_bytes_;
  RangeRequest plane_;
  Bytes bytes_;
  std::vector<float> vector_;
};

}  // namespace s3v
