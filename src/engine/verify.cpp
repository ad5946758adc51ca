#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "engine/contents.h"
#include "engine/key_reading.h"
#include "engine/read_manifest.h"
#include "format/coding.h"
#include "format/column.h"
#include "format/names.h"

namespace s3v {
namespace {

constexpr uint64_t kWaveBytes = 16u << 20;
constexpr size_t kSegmentsAtOnce = 64;  // whose key indexes are in memory together

bool IsDamage(const Error& error) { return error.code() == Code::kObjectMissing || error.code() == Code::kCorrupted; }

// Runs `read`; tells what it found damaged, if it did.
template <class Read>
std::optional<Error> DamageOf(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    if (!IsDamage(error)) throw;
    return error;
  }
  return std::nullopt;
}

// What was found, in the words of the first complaint.
class Findings {
 public:
  void AddUnusable(const Error& error) {
    damage_.is_unusable = true;
    Add(error);
  }
  void AddSegment(const ObjectId& id, const Error& error) {
    damage_.segments.push_back(id);
    Add(error);
  }
  const Damage& damage() const { return damage_; }

 private:
  void Add(const Error& error) {
    ++damage_.objects;
    if (!damage_.first_complaint.empty()) return;
    damage_.first_complaint = error.message();
    if (!error.detail().empty()) damage_.first_complaint += ": " + error.detail();
  }
  Damage damage_;
};

// Ranges of segments and what decodes them, read in bounded waves. A range that did not pass is read once more, alone
// with the others of its segment, before the segment is called damaged: a missing object ends the whole wave, and bytes
// can be damaged on their way.
class SegmentReading {
 public:
  SegmentReading(Findings& findings, ObjectStore& store, Stop& stop)
      : findings_(findings), store_(store), stop_(stop) {}

  // What `decode` refers to must live until Flush. Nothing more is read of a segment that is damaged.
  void Add(const LiveSegment& segment, RangeRequest range, std::function<void(ByteView)> decode) {
    if (range.length == 0 || damaged_.contains(&segment)) return;
    bytes_ += range.length;
    ranges_.push_back(std::move(range));
    checks_.push_back({&segment, std::move(decode), false});
    if (bytes_ >= kWaveBytes) Flush();
  }

  void Flush() {
    std::vector<size_t> all(ranges_.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = i;
    DamageOf([&] { Read(all, /*is_last_try=*/false); });
    for (size_t first = 0; first < checks_.size();) {
      const LiveSegment* segment = checks_[first].segment;
      std::vector<size_t> failed;
      for (; first < checks_.size() && checks_[first].segment == segment; ++first) {
        if (!checks_[first].is_passed) failed.push_back(first);
      }
      if (failed.empty()) continue;
      if (const auto damage = DamageOf([&] { Read(failed, /*is_last_try=*/true); })) {
        findings_.AddSegment(segment->info.id, *damage);
        damaged_.insert(segment);
      }
    }
    ranges_.clear();
    checks_.clear();
    bytes_ = 0;
  }

 private:
  struct Check {
    const LiveSegment* segment;
    std::function<void(ByteView)> decode;
    bool is_passed;
  };

  void Read(const std::vector<size_t>& which, bool is_last_try) {
    std::vector<RangeRequest> wave;
    for (const size_t i : which) wave.push_back(ranges_[i]);
    const auto check = [&](size_t i, ByteView bytes) {
      stop_.Check();
      Check& of_range = checks_[which[i]];
      const auto damage = DamageOf([&] { of_range.decode(bytes); });
      if (damage && is_last_try) throw *damage;
      of_range.is_passed = !damage;
    };
    store_.GetRanges(wave, check, stop_);
  }

  Findings& findings_;
  ObjectStore& store_;
  Stop& stop_;
  std::vector<RangeRequest> ranges_;  // of the wave that is being collected
  std::vector<Check> checks_;
  uint64_t bytes_ = 0;
  std::set<const LiveSegment*> damaged_;
};

class Verification {
 public:
  Verification(const VersionNames& names, const ObjectId& manifest, ObjectStore& store, Stop& stop)
      : names_(names), manifest_(manifest), store_(store), stop_(stop) {}

  Damage Run() {
    OpenNavigation();
    CheckManifest();
    if (navigation_ != nullptr) CheckSegments();
    return findings_.damage();
  }

 private:
  // Opening reads all of base and deltas, and fits them together. Where that fails, each is looked at alone.
  void OpenNavigation() {
    const auto damage = DamageOf([&] { navigation_ = NavigationCache().Open(names_, store_, stop_); });
    if (!damage) return;
    CheckNavigation(names_.base, [&](ByteView bytes, const std::string& key) {
      DecodeBase(bytes, names_.index, names_.base.id, key);
    });
    for (const ObjectName& delta : names_.deltas) {
      CheckNavigation(delta,
                      [&](ByteView bytes, const std::string& key) { DecodeDelta(bytes, names_.index, delta.id, key); });
    }
    if (!findings_.damage().is_unusable) findings_.AddUnusable(*damage);
  }

  void CheckNavigation(const ObjectName& object, const std::function<void(ByteView, const std::string&)>& decode) {
    const RangeRequest whole = {NavigationKey(names_.index, object.id), 0, object.length};
    const auto damage = DamageOf([&] {
      ReadDecoded(
          {&whole, 1}, [&](size_t, ByteView bytes) { decode(bytes, whole.key); }, store_, stop_);
    });
    if (damage) findings_.AddUnusable(*damage);
  }

  void CheckManifest() {
    const auto damage = DamageOf([&] {
      const Manifest manifest = ReadManifest(store_, names_.index, manifest_, stop_);
      const bool is_same = manifest.base == names_.base && manifest.deltas == names_.deltas;
      if (!is_same || (navigation_ != nullptr && !NamesAllSegments(manifest))) {
        throw Error(Code::kCorrupted,
                    "object \"" + ManifestKey(names_.index, manifest_) + "\" names other objects than the version");
      }
    });
    if (damage) findings_.AddUnusable(*damage);
  }

  // Clean-up deletes what it does not name.
  bool NamesAllSegments(const Manifest& manifest) const {
    std::set<std::pair<ObjectId, uint64_t>> named;
    for (const ObjectName& segment : manifest.segments) named.emplace(segment.id, segment.length);
    return std::ranges::all_of(navigation_->segments, [&](const LiveSegment& segment) {
      return named.contains({segment.info.id, segment.info.length});
    });
  }

  void CheckSegments() {
    FindPieces();
    SegmentReading reading(findings_, store_, stop_);
    const std::span<const LiveSegment> all = navigation_->segments;
    for (size_t first = 0; first < all.size(); first += kSegmentsAtOnce)
      CheckSegments(all.subspan(first, std::min(kSegmentsAtOnce, all.size() - first)), reading);
  }

  // Those without a live entry as well, which the union leaves out.
  void FindPieces() {
    for (const auto& delta : navigation_->deltas) {
      for (const Piece& piece : delta->pieces) {
        const ObjectId& id = delta->segments[piece.segment].id;
        columns_[id] = &delta->columns;
        std::span<const Piece>& pieces = pieces_[id];
        pieces = pieces.empty() ? std::span(&piece, 1) : std::span(pieces.data(), pieces.size() + 1);
      }
    }
  }

  // Headers and key indexes, then all ranges that deltas and key indexes tell of. The key index is the segment's end: a
  // segment that was cut is noticed, whatever lies before.
  void CheckSegments(std::span<const LiveSegment> segments, SegmentReading& reading) {
    std::vector<std::vector<KeyBlockPlace>> blocks(segments.size());
    for (size_t i = 0; i < segments.size(); ++i) {
      const LiveSegment& segment = segments[i];
      reading.Add(segment, {segment.key, 0, kHeaderSize}, [this, &segment](ByteView bytes) {
        CheckHeader(bytes, {.kind = 'G', .index = names_.index, .object = segment.info.id}, segment.key);
      });
      reading.Add(segment, KeyIndexRange(segment), [this, &segment, &to = blocks[i]](ByteView bytes) {
        to = OpenKeyIndex(*navigation_, segment, bytes);
      });
    }
    reading.Flush();
    for (size_t i = 0; i < segments.size(); ++i) {
      AddPieces(segments[i], reading);
      AddKeyBlocks(segments[i], blocks[i], reading);
    }
    reading.Flush();
  }

  void AddPieces(const LiveSegment& segment, SegmentReading& reading) const {
    const SegmentShape shape = navigation_->segment_shape(segment);
    const std::span<const Piece> pieces = pieces_.at(segment.info.id);
    for (const Piece& piece : pieces) {
      reading.Add(segment, {segment.key, piece.scan_offset, piece.scan_length},
                  [=, &segment, &piece](ByteView bytes) { ScanRange(bytes, piece, shape, segment.key); });
      reading.Add(segment, {segment.key, piece.extension_offset(), piece.extension_length},
                  [=, &segment, &piece](ByteView bytes) { ExtensionRange(bytes, piece, shape, segment.key); });
    }
    const ColumnTable& columns = *columns_.at(segment.info.id);
    for (uint32_t column = 0; column < shape.metadata_columns; ++column) {
      for (const Piece& piece : pieces) {
        const ColumnPlace place = columns.Of(piece, shape.metadata_columns)[column];
        reading.Add(segment, {segment.key, place.offset, place.length}, [=, &segment, &piece](ByteView bytes) {
          ColumnRange(bytes, place, column, piece, shape, segment.key);
        });
      }
    }
  }

  void AddKeyBlocks(const LiveSegment& segment, std::span<const KeyBlockPlace> blocks, SegmentReading& reading) const {
    for (const KeyBlockPlace& block : blocks) {
      reading.Add(segment, KeyBlockRange(segment, block),
                  [this, &segment, &block](ByteView bytes) { OpenKeyBlock(*navigation_, segment, block, bytes); });
    }
  }

  const VersionNames& names_;
  const ObjectId manifest_;
  ObjectStore& store_;
  Stop& stop_;
  Findings findings_;
  std::shared_ptr<const Navigation> navigation_;
  std::map<ObjectId, std::span<const Piece>> pieces_;  // of a segment
  std::map<ObjectId, const ColumnTable*> columns_;     // that they are in
};

}  // namespace

Damage Verify(const VersionNames& names, const ObjectId& manifest, ObjectStore& store, Stop& stop) {
  return Verification(names, manifest, store.uncached(), stop).Run();
}

}  // namespace s3v
