#include "engine/unite.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "engine/live_map.h"
#include "format/names.h"

namespace s3v {
namespace {

// Ids are random.
struct IdHash {
  size_t operator()(const ObjectId& id) const {
    size_t hash;
    std::memcpy(&hash, id.data(), sizeof hash);
    return hash;
  }
};

// Places of lists by their ids.
class PlacesById {
 public:
  static constexpr uint32_t kNowhere = std::numeric_limits<uint32_t>::max();

  explicit PlacesById(const NavigationBase& base) : count_(static_cast<uint32_t>(base.tables.lists.count)) {
    uint32_t list = 0;
    while (list < count_ && base.list_id(list) == list) ++list;
    if (list == count_) return;  // as a build leaves them
    for (list = 0; list < count_; ++list) by_id_.emplace_back(base.list_id(list), list);
    std::ranges::sort(by_id_);
  }

  uint32_t Find(uint32_t id) const {
    if (by_id_.empty()) return id < count_ ? id : kNowhere;
    const auto found = std::ranges::lower_bound(by_id_, id, {}, &Place::first);
    return found != by_id_.end() && found->first == id ? found->second : kNowhere;
  }

 private:
  using Place = std::pair<uint32_t, uint32_t>;  // id, list

  const uint32_t count_;
  std::vector<Place> by_id_;  // empty: every list is its own place
};

class Union {
 public:
  explicit Union(Navigation& navigation) : navigation_(navigation), places_(*navigation.base) {}

  void Unite() {
    CheckThatTheyFit();
    for (const auto& delta : navigation_.deltas) {
      for (const SegmentMask& mask : delta->masks) masks_[mask.segment].push_back(&mask);
    }
    for (size_t i = 0; i < navigation_.deltas.size(); ++i) AddSegments(i);
    SortPieces();
    if (entries_ != navigation_.state.entries) {
      Fail(navigation_.deltas.size() - 1, "The version has " + std::to_string(navigation_.state.entries) +
                                              " entries, its segments hold " + std::to_string(entries_) + ".");
    }
  }

 private:
  void CheckThatTheyFit() {
    const NavigationDelta& last = *navigation_.deltas.back();
    navigation_.state = last.state;
    navigation_.shape = last.shape;
    const size_t last_number = navigation_.deltas.size() - 1;
    if (last.state.base != navigation_.names.base.id) {
      Fail(last_number, "It belongs to navigation base " + IdText(last.state.base) + ", the version to " +
                            IdText(navigation_.names.base.id) + ".");
    }
    if (last.shape.dimensions != navigation_.base->space.dimensions) {
      Fail(last_number, "It has " + std::to_string(last.shape.dimensions) + " dimensions, its navigation base " +
                            std::to_string(navigation_.base->space.dimensions) + ".");
    }
    for (size_t i = 0; i < last_number; ++i) {
      if (navigation_.deltas[i]->shape != last.shape) Fail(i, "Codes or keys are of another kind than the version's.");
    }
  }

  // The live segments of a delta, and their live pieces.
  void AddSegments(size_t number) {
    const NavigationDelta& delta = *navigation_.deltas[number];
    auto piece = delta.pieces.begin();
    for (uint32_t ordinal = 0; ordinal < delta.segments.size(); ++ordinal) {
      const auto first = piece;
      while (piece != delta.pieces.end() && piece->segment == ordinal) ++piece;
      const SegmentInfo& info = delta.segments[ordinal];
      if (!seen_.insert(info.id).second) Fail(number, "Segment " + IdText(info.id) + " is named a second time.");
      LiveSegment segment{
          .info = info, .key = SegmentKey(navigation_.names.index, info.id), .masked = {}, .live = info.entries};
      if (!ApplyMasks(segment, number)) continue;
      navigation_.segments.push_back(std::move(segment));
      AddPieces({first, piece}, number);
    }
  }

  // False when nothing of the segment is live.
  bool ApplyMasks(LiveSegment& segment, size_t number) const {
    const auto found = masks_.find(segment.info.id);
    if (found == masks_.end()) return segment.live > 0;
    std::vector<MaskRun> runs;
    for (const SegmentMask* mask : found->second) {
      if (mask->whole) return false;
      runs.insert(runs.end(), mask->runs.begin(), mask->runs.end());
    }
    for (const MaskRun& run : runs) {
      if (uint64_t{run.first} + run.count > segment.info.entries)
        Fail(number, "A mask leaves segment " + IdText(segment.info.id) + ".");
    }
    segment.masked = UniteRuns(std::move(runs));
    segment.live -= CountCovered(segment.masked, 0, segment.info.entries);
    return segment.live > 0;
  }

  // Of the segment that was added last.
  void AddPieces(std::span<const Piece> pieces, size_t number) {
    const std::vector<MaskRun>& masked = navigation_.segments.back().masked;
    for (Piece piece : pieces) {
      const uint32_t live = piece.count - CountCovered(masked, piece.first, piece.count);
      if (live == 0) continue;
      piece.list = places_.Find(piece.list_id);
      piece.segment = static_cast<uint32_t>(navigation_.segments.size() - 1);
      piece.delta = static_cast<uint32_t>(number);
      if (piece.list == PlacesById::kNowhere) {
        Fail(number, "Segment " + IdText(navigation_.segments.back().info.id) + " has entries of list " +
                         std::to_string(piece.list_id) + ", which the navigation base does not have.");
      }
      unsorted_.push_back(piece);
      live_.push_back(live);
      entries_ += live;
    }
  }

  // By list; those of one list stay in their order.
  void SortPieces() {
    const size_t lists = navigation_.base->tables.lists.count;
    navigation_.first_piece.assign(lists + 1, 0);
    navigation_.list_sizes.assign(lists, 0);
    for (size_t i = 0; i < unsorted_.size(); ++i) {
      ++navigation_.first_piece[unsorted_[i].list + 1];
      navigation_.list_sizes[unsorted_[i].list] += live_[i];
    }
    for (size_t list = 0; list < lists; ++list) navigation_.first_piece[list + 1] += navigation_.first_piece[list];
    std::vector<uint32_t> next(navigation_.first_piece.begin(), navigation_.first_piece.end() - 1);
    navigation_.pieces.resize(unsorted_.size());
    for (const Piece& piece : unsorted_) navigation_.pieces[next[piece.list]++] = piece;
  }

  [[noreturn]] void Fail(size_t number, const std::string& detail) const {
    throw Error(Code::kCorrupted,
                "navigation object \"" + NavigationKey(navigation_.names.index, navigation_.names.deltas[number].id) +
                    "\" does not fit its version",
                detail);
  }

  Navigation& navigation_;
  const PlacesById places_;
  std::unordered_map<ObjectId, std::vector<const SegmentMask*>, IdHash> masks_;
  std::unordered_set<ObjectId, IdHash> seen_;  // segments
  std::vector<Piece> unsorted_;
  std::vector<uint32_t> live_;  // entries of each
  uint64_t entries_ = 0;
};

}  // namespace

void UniteDeltas(Navigation& navigation) { Union(navigation).Unite(); }

}  // namespace s3v
