#include "engine/wave_scan.h"

#include <algorithm>
#include <cmath>

#include "format/coding.h"
#include "format/names.h"

namespace s3v {
namespace {

using Selection = std::vector<uint8_t>;  // one flag for each entry of a piece

class Wave {
 public:
  Wave(ScanTarget& target, std::span<const Piece* const> pieces, ObjectStore& store, Stop& stop)
      : target_(target), pieces_(pieces), store_(store), stop_(stop), parts_(pieces.size()) {}

  // Answers the pieces that arrived damaged; with `is_last_try` it throws instead.
  std::vector<const Piece*> Run(bool is_last_try) {
    std::vector<const Piece*> damaged;
    store_.GetRanges(
        Requests(),
        [&](size_t request, ByteView bytes) {
          stop_.Check();
          const size_t ordinal = request % pieces_.size();
          Part& part = parts_[ordinal];
          if (part.is_damaged) return;
          try {
            Take(*pieces_[ordinal], part, IsMetadata(request), bytes);
          } catch (const Error& error) {
            if (error.code() != Code::kCorrupted || is_last_try) throw;
            part.is_damaged = true;
            damaged.push_back(pieces_[ordinal]);
          }
        },
        stop_);
    return damaged;
  }

 private:
  // What arrived of a piece before the rest of it.
  struct Part {
    bool is_damaged = false;
    bool is_matched = false;
    Selection passing;  // once matched
    Bytes scan;         // while not matched
  };

  bool HasFilter() const { return target_.filter != nullptr; }
  bool IsMetadata(size_t request) const { return HasFilter() && request < pieces_.size(); }
  const SegmentInfo& SegmentOf(const Piece& piece) const { return target_.navigation.delta.segments[piece.segment]; }
  std::string KeyOf(const Piece& piece) const {
    return SegmentKey(target_.navigation.names.index, SegmentOf(piece).id);
  }
  SegmentShape ShapeOf(const Piece& piece) const {
    const Navigation& navigation = target_.navigation;
    return {.index = navigation.names.index,
            .object = SegmentOf(piece).id,
            .dimensions = navigation.base->space.dimensions,
            .key_kind = navigation.delta.key_kind,
            .has_metadata = navigation.delta.has_metadata};
  }

  // Metadata first: whichever arrives in that order needs no copy, because a selection is small.
  std::vector<RangeRequest> Requests() const {
    std::vector<RangeRequest> requests;
    if (HasFilter()) {
      for (const Piece* piece : pieces_)
        requests.push_back({KeyOf(*piece), piece->metadata_offset, piece->metadata_length});
    }
    for (const Piece* piece : pieces_) requests.push_back({KeyOf(*piece), piece->scan_offset, piece->scan_length});
    return requests;
  }

  void Take(const Piece& piece, Part& part, bool is_metadata, ByteView bytes) {
    if (is_metadata) {
      part.passing = MatchMetadata(piece, bytes);
      part.is_matched = true;
      if (part.scan.empty()) return;
      const Bytes scan = std::move(part.scan);
      ScanPiece(piece, scan, &part.passing);
    } else if (!HasFilter()) {
      ScanPiece(piece, bytes, nullptr);
    } else if (part.is_matched) {
      ScanPiece(piece, bytes, &part.passing);
    } else {
      part.scan.assign(bytes.begin(), bytes.end());
    }
  }

  Selection MatchMetadata(const Piece& piece, ByteView bytes) const {
    const std::string key = KeyOf(piece);
    const MetadataRange rows(bytes, piece, ShapeOf(piece), key);
    Selection passing(piece.count);
    for (size_t i = 0; i < passing.size(); ++i) {
      try {
        passing[i] = target_.filter->Match(rows.row(i)) ? 1 : 0;
      } catch (const Error& error) {
        if (error.code() != Code::kCorrupted) throw;
        ThrowCorrupted(key, piece.metadata_offset, error.message());
      }
    }
    return passing;
  }

  void ScanPiece(const Piece& piece, ByteView bytes, Selection* passing) {
    const std::string key = KeyOf(piece);
    const ScanRange range(bytes, piece, ShapeOf(piece), key);
    scores_.resize(std::max(scores_.size(), range.count()));
    target_.scanned += range.count();
    if (!target_.is_narrowed()) {
      ScanRun(piece, key, range, 0, range.count());
      return;
    }
    Selection all;
    if (passing == nullptr) {
      all.assign(range.count(), 1);
      passing = &all;
    }
    SelectKeys(range, *passing);
    // Vectors of entries that did not pass are not looked at.
    const auto end = passing->end();
    for (auto run = std::find(passing->begin(), end, 1); run != end;) {
      const auto run_end = std::find(run, end, 0);
      ScanRun(piece, key, range, static_cast<size_t>(run - passing->begin()), static_cast<size_t>(run_end - run));
      run = std::find(run_end, end, 1);
    }
  }

  void SelectKeys(const ScanRange& range, Selection& passing) {
    const KeySet* only = target_.only;
    for (size_t i = 0; i < range.count(); ++i) {
      const std::string_view key = AsText(range.key(i));
      if (only != nullptr) {
        const auto found = only->find(key);
        if (found == only->end()) {
          passing[i] = 0;
          continue;
        }
        target_.only_seen.insert(&*found);
      }
      if (passing[i] == 1 && IsExcluded(key)) passing[i] = 0;
    }
  }

  bool IsExcluded(std::string_view key) const {
    return target_.without != nullptr && !target_.without->empty() && target_.without->contains(key);
  }

  void ScanRun(const Piece& piece, const std::string& object, const ScanRange& range, size_t begin, size_t count) {
    ScoreRows(target_.query, range.vectors() + begin * target_.query.values.size(), range.norms() + begin, count,
              scores_.data());
    target_.matched += count;
    if (target_.query.metric == Metric::kInnerProduct) ScoreOptimistically(range, begin, count);
    const bool must_look_up = !target_.is_narrowed();
    for (size_t i = 0; i < count; ++i) {
      // ScoreRows gives finite scores for finite vectors, and the query was checked.
      if (std::isnan(scores_[i])) ThrowCorrupted(object, piece.scan_offset, "a vector is not finite");
      if (!target_.candidates.Wants(scores_[i])) continue;
      const ByteView key = range.key(begin + i);
      if (must_look_up && IsExcluded(AsText(key))) {
        --target_.matched;
        continue;
      }
      float norm;
      std::memcpy(&norm, reinterpret_cast<const uint8_t*>(range.norms()) + (begin + i) * sizeof norm, sizeof norm);
      target_.candidates.Offer(scores_[i], norm, key);
    }
  }

  // Under the inner product the error of a score grows with the row's length, so that bounds would not ascend with the
  // scores. Ranked by their bounds instead, no row comes after one that it might beat.
  void ScoreOptimistically(const ScanRange& range, size_t begin, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      float norm;
      std::memcpy(&norm, reinterpret_cast<const uint8_t*>(range.norms()) + (begin + i) * sizeof norm, sizeof norm);
      const double lowest = std::numeric_limits<float>::lowest();
      const double bound = std::max(LowerBound(target_.query, scores_[i], norm), lowest);
      scores_[i] = std::nextafter(static_cast<float>(bound), -std::numeric_limits<float>::infinity());
    }
  }

  ScanTarget& target_;
  const std::span<const Piece* const> pieces_;
  ObjectStore& store_;
  Stop& stop_;
  std::vector<Part> parts_;
  std::vector<float> scores_;
};

}  // namespace

void ScanWave(ScanTarget& target, std::span<const Piece* const> pieces, ObjectStore& store, Stop& stop) {
  if (pieces.empty()) return;
  const std::vector<const Piece*> damaged = Wave(target, pieces, store, stop).Run(false);
  if (!damaged.empty()) Wave(target, damaged, store, stop).Run(true);
}

}  // namespace s3v
