#include "engine/contents.h"

#include <algorithm>
#include <deque>
#include <optional>

#include "engine/key_reading.h"
#include "engine/live_map.h"
#include "format/coding.h"

namespace s3v {
namespace {

// What is read ahead, of all segments together and of one.
constexpr uint64_t kReadAhead = 16u << 20;
constexpr uint64_t kMostOfSegment = 1u << 20;
constexpr uint64_t kLeastOfSegment = 64u << 10;

// Live entries of one segment in key order, out of blocks that somebody else reads.
class SegmentKeys {
 public:
  SegmentKeys(const Navigation& navigation, const LiveSegment& segment) : navigation_(navigation), segment_(segment) {}

  const LiveSegment& segment() const { return segment_; }
  void SetIndex(ByteView bytes) { places_ = OpenKeyIndex(navigation_, segment_, bytes); }

  uint64_t bytes_ahead() const { return bytes_ahead_; }
  bool has_unread() const { return opened_ + ahead_.size() < places_.size(); }
  // The next block that nobody has read yet. Advance comes to it after others; it has to be Put until then.
  size_t Expect() {
    const size_t block = opened_ + ahead_.size();
    ahead_.emplace_back();
    bytes_ahead_ += places_[block].length;
    return block;
  }
  RangeRequest RangeOf(size_t block) const { return KeyBlockRange(segment_, places_[block]); }
  void Put(size_t block, ByteView bytes) {
    ReadBlock& to = ahead_[block - opened_];
    to.bytes.assign(bytes.begin(), bytes.end());
    to.keys = OpenKeyBlock(navigation_, segment_, places_[block], to.bytes);
  }

  enum class Step { kEntry, kMustRead, kEnd };
  Step Advance(Stop& stop) {
    do {
      if (next_ == count_) {
        if (opened_ == places_.size()) return Step::kEnd;
        if (ahead_.empty()) return Step::kMustRead;
        stop.Check();
        OpenNext();
      }
      current_ = open_.keys->entry(next_++);
    } while (CountCovered(segment_.masked, current_.position, 1) > 0);
    return Step::kEntry;
  }
  // Its key lives until the next Advance.
  const KeyEntry& current() const { return current_; }

 private:
  struct ReadBlock {
    Bytes bytes;
    std::optional<KeyBlock> keys;  // a view of it
  };

  void OpenNext() {
    ReadBlock next = std::move(ahead_.front());
    ahead_.pop_front();
    const KeyBlockPlace& place = places_[opened_++];
    bytes_ahead_ -= place.length;
    // A merge with the source would take unsorted keys for missing rows.
    if (count_ > 0 && AsText(next.keys->entry(0).key) < AsText(open_.keys->entry(count_ - 1).key))
      ThrowCorrupted(segment_.key, place.offset, "the block's keys are below those of the block before");
    open_ = std::move(next);
    count_ = open_.keys->count();
    next_ = 0;
  }

  const Navigation& navigation_;
  const LiveSegment& segment_;
  std::vector<KeyBlockPlace> places_;
  size_t opened_ = 0;
  std::deque<ReadBlock> ahead_;  // those after the opened ones
  uint64_t bytes_ahead_ = 0;
  ReadBlock open_;
  size_t count_ = 0;  // entries of the open block
  size_t next_ = 0;   // of them
  KeyEntry current_;
};

}  // namespace

// A heap of segments by their next keys.
class IndexContents::Impl {
 public:
  Impl(std::shared_ptr<const Navigation> navigation, const std::vector<ObjectId>& skip, ObjectStore& store)
      : navigation_(std::move(navigation)), store_(store) {
    for (const LiveSegment& segment : navigation_->segments) {
      if (std::ranges::find(skip, segment.info.id) == skip.end()) segments_.emplace_back(*navigation_, segment);
    }
    const uint64_t share = kReadAhead / std::max<size_t>(segments_.size(), 1);
    read_ahead_ = std::clamp(share, kLeastOfSegment, kMostOfSegment);
  }

  bool Next(ByteView* key, uint64_t* content_hash, Stop& stop) {
    if (!is_open_) Open(stop);
    if (by_key_.empty()) return false;
    SegmentKeys* segment = PopLeast();
    key_.assign(AsText(segment->current().key));
    const uint64_t hash = segment->current().content_hash;
    size_t entries = 1;
    bool is_one_row = true;
    for (Push(segment, stop); !by_key_.empty() && AsText(by_key_.front()->current().key) == key_; Push(segment, stop)) {
      segment = PopLeast();
      is_one_row = is_one_row && segment->current().content_hash == hash;
      ++entries;
    }
    // Entries that a row cannot have, so it is none of the source, whatever the source says: found, it is written anew.
    is_one_row = is_one_row && entries <= (navigation_->shape.has_duplicates ? 2U : 1U);
    *key = AsBytes(key_);
    *content_hash = is_one_row ? hash : ~hash;
    return true;
  }

 private:
  void Open(Stop& stop) {
    is_open_ = true;
    std::vector<RangeRequest> indexes;
    for (const SegmentKeys& segment : segments_) indexes.push_back(KeyIndexRange(segment.segment()));
    ReadDecoded(
        indexes, [&](size_t i, ByteView bytes) { segments_[i].SetIndex(bytes); }, store_, stop);
    for (SegmentKeys& segment : segments_) Push(&segment, stop);
  }

  // One wave for all that run low.
  void ReadAhead(Stop& stop) {
    std::vector<RangeRequest> ranges;
    std::vector<std::pair<SegmentKeys*, size_t>> blocks;
    for (SegmentKeys& segment : segments_) {
      if (segment.bytes_ahead() > read_ahead_ / 2) continue;
      while (segment.has_unread() && segment.bytes_ahead() < read_ahead_) {
        blocks.emplace_back(&segment, segment.Expect());
        ranges.push_back(segment.RangeOf(blocks.back().second));
      }
    }
    ReadDecoded(
        ranges, [&](size_t i, ByteView bytes) { blocks[i].first->Put(blocks[i].second, bytes); }, store_, stop);
  }

  static bool IsAfter(const SegmentKeys* a, const SegmentKeys* b) {
    return AsText(b->current().key) < AsText(a->current().key);
  }

  SegmentKeys* PopLeast() {
    std::ranges::pop_heap(by_key_, IsAfter);
    SegmentKeys* least = by_key_.back();
    by_key_.pop_back();
    return least;
  }

  // With its next entry, if it has one.
  void Push(SegmentKeys* segment, Stop& stop) {
    SegmentKeys::Step step = segment->Advance(stop);
    for (; step == SegmentKeys::Step::kMustRead; step = segment->Advance(stop)) ReadAhead(stop);
    if (step == SegmentKeys::Step::kEnd) return;
    by_key_.push_back(segment);
    std::ranges::push_heap(by_key_, IsAfter);
  }

  const std::shared_ptr<const Navigation> navigation_;
  ObjectStore& store_;
  std::deque<SegmentKeys> segments_;
  uint64_t read_ahead_ = 0;
  bool is_open_ = false;
  std::vector<SegmentKeys*> by_key_;
  std::string key_;  // that Next gave last
};

IndexContents::IndexContents(std::shared_ptr<const Navigation> navigation, std::vector<ObjectId> skip,
                             ObjectStore& store)
    : impl_(std::make_unique<Impl>(std::move(navigation), skip, store)) {}
IndexContents::~IndexContents() = default;

bool IndexContents::Next(ByteView* key, uint64_t* content_hash, Stop& stop) {
  return impl_->Next(key, content_hash, stop);
}

}  // namespace s3v
