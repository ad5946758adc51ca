// The scan of one piece: filter and keys, then sign codes of the entries that pass, whole codes for those that are
// left.
#pragma once

#include <functional>
#include <vector>

#include "engine/wave_scan.h"
#include "format/segment.h"

namespace s3v {

// Where the planes of a piece come from.
class PieceSource {
 public:
  virtual ~PieceSource() = default;
  // Views that live until the next piece; null when the plane is not at hand.
  virtual const ByteView* Scan() = 0;
  // Only the codes of the entries `wanted` need be there.
  virtual const ByteView* Extension(std::span<const uint32_t> wanted) = 0;
  virtual const std::vector<ByteView>* Columns() = 0;  // those of the filter
  virtual Trust trust() const = 0;
};

// Reuses its memory from piece to piece.
class PieceScanner {
 public:
  explicit PieceScanner(const ScanScope& scope) : scope_(scope), centroid_(scope.navigation.base->space.dimensions) {}

  // `piece` is one of the navigation's. False, and nothing is changed, when a plane that is needed is not at hand.
  bool Scan(const Piece& piece, std::span<const Visit> visits, PieceSource& source, Stop& stop);

 private:
  struct Run {
    size_t first;
    size_t count;
  };
  bool Select(const Piece& piece, const ScanRange& range, PieceSource& source);
  void DropMasked(const Piece& piece, std::span<const MaskRun> masks);
  void FindRuns(size_t count);
  void ScoreSigns(const ScanRange& range, QueryScan& query);
  void ScoreCodes(const ScanRange& range, const ExtensionRange* extension, QueryScan& query);
  void SelectOnly(const ScanRange& range);
  void DropPending(const ScanRange& range);
  bool IsPending(std::string_view key) const;

  const ScanScope& scope_;
  std::vector<float> centroid_;
  uint32_t piece_number_ = 0;
  bool is_selective_ = false;     // some entries of the piece may not pass
  bool drops_pending_ = false;    // all that pending keys have; else only those that would be candidates
  std::vector<uint8_t> passing_;  // then one flag an entry
  std::vector<Run> runs_;         // what is scored: whole blocks of entries, some of which pass
  uint64_t masked_ = 0;
  uint64_t passed_ = 0;
  std::vector<const std::string*> keys_seen_;  // of `only`
  std::vector<uint32_t> survivors_;            // of all visits
};

}  // namespace s3v
