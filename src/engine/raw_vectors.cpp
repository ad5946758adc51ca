#include "engine/raw_vectors.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ivf/distance.h"

namespace s3v {
namespace {

// binary16 has eleven significant bits; below 2^-14, its least bit is 2^-24. Beyond 65504 it is cut down.
constexpr double kRounding = 0x1p-11;
constexpr double kLeastRounding = 0x1p-25;
constexpr float kGreatest = 65504;

}  // namespace

double LowerBoundOfRounded(Metric metric, std::span<const float> query, std::span<const float> rounded) {
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  if (std::ranges::any_of(rounded, [](float x) { return std::abs(x) >= kGreatest; })) return kNone;
  const double norm = Norm(rounded);
  // No element is farther from what it was than kRounding of what it was, or kLeastRounding.
  const double moved =
      norm * kRounding / (1 - kRounding) + kLeastRounding * std::sqrt(static_cast<double>(rounded.size()));
  const double distance = ExactDistance(metric, query, rounded);
  switch (metric) {
    case Metric::kL2:
      return std::max(0.0, distance - moved);
    case Metric::kInnerProduct:
      return distance - moved * Norm(query);
    case Metric::kCosine:
      break;
  }
  if (moved >= norm) return kNone;
  // How far apart the two are at unit length: they enclose an angle whose sine is at most moved / norm.
  return std::max(0.0, distance - 2 * std::sin(0.5 * std::asin(moved / norm)));
}

RawVectors::RawVectors(const Navigation& navigation, ObjectStore& store)
    : navigation_(navigation),
      store_(store),
      vector_bytes_(RawBytes(navigation.shape.raw, navigation.shape.dimensions)),
      vector_(navigation.shape.dimensions) {}

std::optional<RawDistance> RawVectors::FindLocal(const EntryPlace& place, std::span<const float> query) {
  if (!exist()) return std::nullopt;
  const Piece& piece = navigation_.pieces[place.piece];
  plane_.key = navigation_.segments[piece.segment].key;
  plane_.offset = piece.raw_offset;
  plane_.length = piece.count * vector_bytes_;
  bytes_.resize(vector_bytes_);
  const ObjectStore::Part part{.from = place.entry * vector_bytes_, .out = bytes_};
  if (!store_.GetLocalParts(plane_, {&part, 1})) return std::nullopt;
  try {
    return Measure(bytes_, place, query, Trust::kVerified);
  } catch (const Error& error) {
    if (error.code() != Code::kCorrupted) throw;
    store_.Forget({&plane_, 1});
    return std::nullopt;
  }
}

void RawVectors::Fetch(std::span<const EntryPlace> places, std::span<const float> query, const Sink& sink, Stop& stop) {
  std::vector<size_t> wanted(places.size());
  for (size_t i = 0; i < places.size(); ++i) wanted[i] = i;
  for (const bool is_last_try : {false, true}) {
    std::vector<RangeRequest> requests;
    for (const size_t i : wanted) {
      const LiveSegment& segment = navigation_.segments[navigation_.pieces[places[i].piece].segment];
      requests.push_back({segment.key, OffsetOf(places[i]), vector_bytes_});
    }
    std::vector<size_t> damaged;
    store_.GetRanges(
        requests,
        [&](size_t number, ByteView bytes) {
          stop.Check();
          const size_t i = wanted[number];
          try {
            const auto distance = Measure(bytes, places[i], query, Trust::kVerify);
            if (distance.has_value()) sink(i, *distance);
          } catch (const Error& error) {
            if (error.code() != Code::kCorrupted || is_last_try) throw;
            damaged.push_back(i);
            store_.Forget({&requests[number], 1});  // here: what a sink accepts is kept, and taken for checked
          }
        },
        stop);
    if (damaged.empty()) return;
    wanted = std::move(damaged);
  }
}

std::optional<RawDistance> RawVectors::Measure(ByteView bytes, const EntryPlace& place, std::span<const float> query,
                                               Trust trust) {
  const LiveSegment& segment = navigation_.segments[navigation_.pieces[place.piece].segment];
  DecodeRaw(bytes, OffsetOf(place), navigation_.segment_shape(segment), segment.key, vector_, trust);
  const Metric metric = navigation_.base->space.metric;
  const double distance = ExactDistance(metric, query, vector_);
  if (std::isnan(distance)) return std::nullopt;  // of a zero vector under cosine: rounded, or not ours
  if (navigation_.shape.raw == RawPlane::kFloat32) return RawDistance{distance, distance};
  const double lower_bound = LowerBoundOfRounded(metric, query, vector_);
  if (!std::isfinite(lower_bound)) return std::nullopt;
  return RawDistance{distance, lower_bound};
}

}  // namespace s3v
