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

  piece_number_ = scope_.NumberOf(piece);
  FindRuns(range.count());
  if (!runs_.empty()) scope_.navigation.base->tables.lists.Dequantize(piece.list, centroid_);
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
    if (scope_.is_narrowed()) visit.query->matched_in[piece.list] += static_cast<uint32_t>(passed_);
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
  const bool all_match = scope_.matches == nullptr || scope_.matches->AreAll(scope_.NumberOf(piece));
  is_selective_ = !all_match || scope_.options.only != nullptr || !masks.empty();
  drops_pending_ = is_selective_ && scope_.is_narrowed();
  if (!is_selective_) return true;
  passing_.assign(range.count(), 1);
  if (scope_.matches != nullptr) {
    if (scope_.NeedsColumns(piece)) {
      const std::vector<ByteView>* columns = source.Columns();
      if (columns == nullptr) return false;
      DecideByColumns(scope_.navigation, scope_.NumberOf(piece), *columns, source.trust(), *scope_.matches);
    }
    scope_.matches->Get(scope_.NumberOf(piece), passing_);
  }
  DropMasked(piece, masks);
  if (scope_.options.only != nullptr) SelectOnly(range);
  if (drops_pending_) DropPending(range);
  passed_ = static_cast<uint64_t>(std::count(passing_.begin(), passing_.end(), 1));
  return true;
}

// Entries are scored in blocks, as they are stored: those in which nothing passes are left out.
void PieceScanner::FindRuns(size_t count) {
  runs_.clear();
  if (!is_selective_) return runs_.push_back({0, count});
  for (size_t first = 0; first < count; first += kSignBlock) {
    const size_t size = std::min(kSignBlock, count - first);
    if (std::memchr(passing_.data() + first, 1, size) == nullptr) continue;
    if (!runs_.empty() && runs_.back().first + runs_.back().count == first) {
      runs_.back().count += size;
    } else {
      runs_.push_back({first, size});
    }
  }
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
  const float limit = query.candidates.limit();
  size_t survivors = 0;
  float least_dropped = std::numeric_limits<float>::infinity();
  for (const Run& run : runs_) {
    float* bounds = query.lower_bounds.data() + run.first;
    query.list_query.ScoreSigns(range.sign_plane() + run.first * scope_.navigation.codes().sign_bytes(),
                                range.residual_norms() + run.first, range.sign_scales() + run.first, run.count,
                                kSignSigmas, bounds, has_one_bit ? query.upper_bounds.data() + run.first : nullptr,
                                query.sign_sums.data() + run.first);
    uint32_t* found = query.survivors.data() + survivors;
    const size_t kept = kernels::SelectAtMost(bounds, run.count, limit, found, &least_dropped);
    for (size_t i = 0; i < kept; ++i) found[i] += static_cast<uint32_t>(run.first);
    survivors += kept;
  }
  query.survivors.resize(survivors);
  if (!is_selective_) {
    query.candidates.Drop(least_dropped);
    return;
  }
  // What did not pass was not dropped.
  for (const Run& run : runs_) {
    if (least_dropped == std::numeric_limits<float>::infinity()) break;
    for (size_t i = run.first; i < run.first + run.count; ++i) {
      if (passing_[i] == 1 && query.lower_bounds[i] > limit) query.candidates.Drop(query.lower_bounds[i]);
    }
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
    if (!drops_pending_ && IsPending(AsText(key))) {
      --query.matched;
      if (scope_.is_narrowed()) --query.matched_in[scope_.navigation.pieces[piece_number_].list];
      continue;
    }
    candidates.Offer(found.lower_bound, found.score, found.upper_bound, {piece_number_, i}, key);
  }
}

}  // namespace s3v
