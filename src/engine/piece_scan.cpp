#include "engine/piece_scan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "format/coding.h"
#include "ivf/kernels/kernels.h"

namespace s3v {
namespace {

// Standard deviations that bounds allow for. The error of an estimate is nearly normal (arXiv 2405.12497, theorem 3.2):
// 97 of 100 rows lie above a lower bound of 1.9. Measured in docs/design/search.md: wider ones cost rows to rerank and
// gain no recall.
constexpr double kSignSigmas = 1.9;
constexpr double kCodeSigmas = 1.9;

// With more survivors than this many times the candidates wanted, the most promising go first, so that their upper
// bounds spare the others.
constexpr size_t kManySurvivors = 4;

float Unaligned(const float* p) {
  float value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

}  // namespace

bool PieceScanner::Scan(const Piece& piece, std::span<const Visit> visits, PieceSource& source, Stop& stop) {
  const ByteView* bytes = source.Scan();
  if (bytes == nullptr) return false;
  const LiveSegment& segment = scope_.navigation.segments[piece.segment];
  const SegmentShape shape = scope_.navigation.segment_shape(segment);
  const std::string& object = segment.key;
  const ScanRange range(*bytes, piece, shape, object, source.trust());
  if (!Select(piece, range, source)) return false;

  piece_number_ = static_cast<uint32_t>(&piece - scope_.navigation.pieces.data());
  scope_.navigation.base->tables.lists.Dequantize(piece.list, centroid_);
  survivors_.clear();
  for (const Visit& visit : visits) {
    stop.Check();
    ScoreSigns(range, *visit.query);
    survivors_.insert(survivors_.end(), visit.query->survivors.begin(), visit.query->survivors.end());
  }
  std::optional<ExtensionRange> extension;
  // What just arrived is checked in any case: it may be kept for later.
  if (shape.codes.bits > 1 && (!survivors_.empty() || source.trust() == Trust::kVerify)) {
    const ByteView* planes = source.Extension(survivors_);
    if (planes == nullptr) return false;
    extension.emplace(*planes, piece, shape, object, source.trust());
  }
  for (const Visit& visit : visits) {
    stop.Check();
    visit.query->scanned += range.count();
    visit.query->masked += masked_;
    visit.query->matched += passed_;
    visit.query->only_seen.insert(keys_seen_.begin(), keys_seen_.end());
    ScoreCodes(range, extension.has_value() ? &*extension : nullptr, *visit.query);
  }
  return true;
}

// Which entries masks, filter and key sets let pass.
bool PieceScanner::Select(const Piece& piece, const ScanRange& range, PieceSource& source) {
  const std::span<const MaskRun> masks = scope_.navigation.MasksOf(piece);
  keys_seen_.clear();
  masked_ = 0;
  passed_ = range.count();
  is_selective_ = scope_.is_narrowed() || !masks.empty();
  if (!is_selective_) return true;
  passing_.assign(range.count(), 1);
  DropMasked(piece, masks);
  if (scope_.options.only != nullptr) SelectOnly(range);
  if (scope_.options.filter != nullptr) {
    const ByteView* metadata = source.Metadata();
    if (metadata == nullptr) return false;
    MatchMetadata(piece, *metadata, source.trust());
  }
  if (scope_.is_narrowed()) DropPending(range);
  passed_ = static_cast<uint64_t>(std::count(passing_.begin(), passing_.end(), 1));
  return true;
}

void PieceScanner::DropMasked(const Piece& piece, std::span<const MaskRun> masks) {
  const uint32_t end = piece.first + piece.count;
  for (const MaskRun& mask : masks) {
    const uint32_t first = std::max(mask.first, piece.first) - piece.first;
    const uint32_t last = std::min(mask.first + mask.count, end) - piece.first;
    std::fill(passing_.begin() + first, passing_.begin() + last, 0);
    masked_ += last - first;
  }
}

void PieceScanner::MatchMetadata(const Piece& piece, ByteView bytes, Trust trust) {
  const LiveSegment& segment = scope_.navigation.segments[piece.segment];
  const std::string& object = segment.key;
  const MetadataRange rows(bytes, piece, scope_.navigation.segment_shape(segment), object, trust);
  for (size_t i = 0; i < passing_.size(); ++i) {
    if (passing_[i] == 0) continue;
    try {
      passing_[i] = scope_.options.filter->Match(rows.row(i)) ? 1 : 0;
    } catch (const Error& error) {
      if (error.code() != Code::kCorrupted) throw;
      ThrowCorrupted(object, piece.metadata_offset, error.message());
    }
  }
}

void PieceScanner::SelectOnly(const ScanRange& range) {
  const KeySet& only = *scope_.options.only;
  for (size_t i = 0; i < range.count(); ++i) {
    if (passing_[i] == 0) continue;
    const auto found = only.find(AsText(range.key(i)));
    if (found == only.end()) {
      passing_[i] = 0;
    } else {
      keys_seen_.push_back(&*found);
    }
  }
}

void PieceScanner::DropPending(const ScanRange& range) {
  for (size_t i = 0; i < range.count(); ++i) {
    if (passing_[i] == 1 && IsPending(AsText(range.key(i)))) passing_[i] = 0;
  }
}

bool PieceScanner::IsPending(std::string_view key) const {
  const KeySet* without = scope_.options.without;
  return without != nullptr && !without->empty() && without->contains(key);
}

// The first step; may be repeated for a piece.
void PieceScanner::ScoreSigns(const ScanRange& range, QueryScan& query) {
  const size_t count = range.count();
  query.lower_bounds.resize(std::max(query.lower_bounds.size(), count));
  query.upper_bounds.resize(query.lower_bounds.size());
  query.sign_sums.resize(query.lower_bounds.size());
  query.survivors.resize(query.lower_bounds.size());
  query.list_query.Set(query.rotated, centroid_);
  const bool has_one_bit = scope_.navigation.shape.bits == 1;
  query.list_query.ScoreSigns(range.sign_plane(), range.residual_norms(), range.sign_scales(), count, kSignSigmas,
                              query.lower_bounds.data(), has_one_bit ? query.upper_bounds.data() : nullptr,
                              query.sign_sums.data());
  float least_dropped = std::numeric_limits<float>::infinity();
  query.survivors.resize(kernels::SelectAtMost(query.lower_bounds.data(), count, query.candidates.limit(),
                                               query.survivors.data(), &least_dropped));
  if (!is_selective_) {
    query.candidates.Drop(least_dropped);
    return;
  }
  // What did not pass was not dropped.
  for (size_t i = 0; least_dropped < std::numeric_limits<float>::infinity() && i < count; ++i) {
    if (passing_[i] == 1 && query.lower_bounds[i] > query.candidates.limit())
      query.candidates.Drop(query.lower_bounds[i]);
  }
  std::erase_if(query.survivors, [&](uint32_t i) { return passing_[i] == 0; });
}

// The second step: entries that can still matter are offered with the bounds of their whole codes.
void PieceScanner::ScoreCodes(const ScanRange& range, const ExtensionRange* extension, QueryScan& query) {
  Candidates& candidates = query.candidates;
  std::vector<uint32_t>& survivors = query.survivors;
  if (survivors.size() > kManySurvivors * candidates.wanted()) {
    std::nth_element(survivors.begin(), survivors.begin() + static_cast<ptrdiff_t>(candidates.wanted()),
                     survivors.end(),
                     [&](uint32_t a, uint32_t b) { return query.lower_bounds[a] < query.lower_bounds[b]; });
  }
  for (const uint32_t i : survivors) {
    if (query.lower_bounds[i] > candidates.limit()) {
      candidates.Drop(query.lower_bounds[i]);
      continue;
    }
    ++query.scored;
    ListQuery::Estimate found;
    if (extension != nullptr) {
      found = query.list_query.ScoreCode(query.sign_sums[i], extension->code(i), Unaligned(range.residual_norms() + i),
                                         extension->factors(i), kCodeSigmas);
    } else {
      found = {.score = 0.5F * (query.lower_bounds[i] + query.upper_bounds[i]),
               .lower_bound = query.lower_bounds[i],
               .upper_bound = query.upper_bounds[i]};
    }
    // Not comparable: looked at exactly.
    if (std::isnan(found.lower_bound)) found.lower_bound = -std::numeric_limits<float>::infinity();
    if (std::isnan(found.upper_bound)) found.upper_bound = std::numeric_limits<float>::infinity();
    if (found.lower_bound > candidates.limit()) {
      candidates.Drop(found.lower_bound);
      continue;
    }
    const ByteView key = range.key(i);
    if (!scope_.is_narrowed() && IsPending(AsText(key))) {
      --query.matched;
      continue;
    }
    candidates.Offer(found.lower_bound, found.score, found.upper_bound, {piece_number_, i}, key);
  }
}

}  // namespace s3v
