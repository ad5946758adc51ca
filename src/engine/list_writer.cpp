#include "engine/list_writer.h"

#include <algorithm>

#include "format/key_plane.h"
#include "format/names.h"

namespace s3v {
namespace {

// An entry on its way through a group: this, then extension, signs, raw vector, key, metadata, and filler up to a
// multiple of 8, so that codes stay aligned.
struct RecordHeader {
  uint32_t list;
  uint32_t key_size;
  uint32_t metadata_size;
  uint32_t reserved;
  SignFactors sign_factors;
  CodeFactors code_factors;
  uint64_t content_hash;
};
static_assert(sizeof(RecordHeader) % sizeof(uint64_t) == 0);

// What all records of an index have in common.
struct RecordShape {
  size_t sign_words;
  size_t extension_words;
  size_t dimensions;  // of the raw vector; 0: none

  explicit RecordShape(const SegmentShape& shape)
      : sign_words(shape.codes.words()),
        extension_words(shape.codes.extension_bytes() / sizeof(uint64_t)),
        dimensions(shape.raw == RawPlane::kNone ? 0 : shape.codes.dimensions) {}
  size_t fixed_bytes() const {
    return sizeof(RecordHeader) + (sign_words + extension_words) * sizeof(uint64_t) + dimensions * sizeof(float);
  }
};

// A record in a loaded group.
struct Record {
  uint32_t list;
  Entry entry;
  bool operator<(const Record& other) const {
    return list != other.list ? list < other.list : std::ranges::lexicographical_compare(entry.key, other.entry.key);
  }
};

template <class T>
void AppendSpan(Bytes& out, std::span<const T> values) {
  Append(out, ByteView(reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()));
}

uint64_t RoundUp(uint64_t size) { return (size + 7) / 8 * 8; }

// Rows of some neighbouring lists, in the order of arrival: a buffer, and the parts of it that were spilled before.
struct Group {
  struct Part {
    uint64_t offset;
    uint64_t size;
  };
  std::vector<Part> spilled;
  Bytes buffer;
};

// Groups of neighbouring lists, each of at most `limit` bytes in memory. A list that is larger has groups of its own.
// A list that turns out larger than was said stays in those.
class Grouping {
 public:
  Grouping(std::span<const ListSize> lists, const RecordShape& shape, uint64_t limit)
      : limit_(limit), first_group_(lists.size()), last_group_(lists.size()), filled_(lists.size()) {
    uint64_t filled = limit;  // of the group being filled: full, so that the first list begins one
    for (size_t list = 0; list < lists.size(); ++list) {
      const uint64_t bytes = BytesOf(lists[list], shape);
      total_ += bytes;
      if (filled + bytes > limit) {
        first_group_[list] = count_;
        const uint64_t needed = std::max<uint64_t>(1, (bytes + limit - 1) / limit);
        count_ += needed;
        filled = needed > 1 ? limit : bytes;
      } else {
        first_group_[list] = count_ - 1;
        filled += bytes;
      }
      last_group_[list] = count_ - 1;
    }
  }

  size_t count() const { return count_; }
  uint64_t total_bytes() const { return total_; }
  size_t GroupFor(uint32_t list, uint64_t record_bytes) {
    const uint64_t before = filled_[list];
    filled_[list] += record_bytes + sizeof(Record);
    return std::min(first_group_[list] + before / limit_, last_group_[list]);
  }

 private:
  static uint64_t BytesOf(const ListSize& list, const RecordShape& shape) {
    const uint64_t fixed = shape.fixed_bytes() + 7 + sizeof(Record);
    return list.entries * fixed + list.payload_bytes;
  }

  const uint64_t limit_;
  uint64_t count_ = 0;
  uint64_t total_ = 0;
  std::vector<uint64_t> first_group_;
  std::vector<uint64_t> last_group_;
  std::vector<uint64_t> filled_;
};

// What is sorted at once: no more than takes some tens of milliseconds, however much memory there is.
uint64_t GroupLimit(size_t memory_bytes) { return std::clamp<uint64_t>(memory_bytes / 2, 64u << 10, 128u << 20); }

size_t SegmentTarget(size_t memory_bytes) {
  return std::min<uint64_t>(kMaxSegmentBytes, std::max<uint64_t>(1u << 20, memory_bytes / 4));
}

}  // namespace

class ListWriter::Impl {
 public:
  Impl(const SegmentShape& shape, std::span<const ListSize> lists, std::span<const uint32_t> list_ids, bool is_settled,
       size_t memory_bytes, ObjectStore& store, SpillFactory& spill)
      : shape_(shape),
        list_ids_(list_ids.begin(), list_ids.end()),
        is_settled_(is_settled),
        record_(shape),
        segment_target_(SegmentTarget(memory_bytes)),
        store_(store),
        spill_(spill),
        grouping_(lists, record_, GroupLimit(memory_bytes)),
        groups_(grouping_.count()) {
    constexpr size_t kLeastBuffer = 4 * 1024;
    constexpr size_t kMostBuffer = 1024 * 1024;
    if (groups_.empty()) return;
    // A single group is no larger than half the memory and stays there.
    buffer_bytes_ = groups_.size() == 1 ? grouping_.total_bytes()
                                        : std::clamp(memory_bytes / 4 / groups_.size(), kLeastBuffer, kMostBuffer);
    segment_reserve_ = std::min<uint64_t>(segment_target_, grouping_.total_bytes());
  }

  void Add(uint32_t list, const Entry& entry) {
    const RecordHeader header{.list = list,
                              .key_size = static_cast<uint32_t>(entry.key.size()),
                              .metadata_size = static_cast<uint32_t>(entry.metadata.size()),
                              .reserved = 0,
                              .sign_factors = entry.sign_factors,
                              .code_factors = entry.code_factors,
                              .content_hash = entry.content_hash};
    const uint64_t size = RoundUp(record_.fixed_bytes() + entry.key.size() + entry.metadata.size());
    Group& group = groups_[grouping_.GroupFor(list, size)];
    if (group.buffer.size() + size > buffer_bytes_) Spill(group);
    if (group.buffer.empty()) group.buffer.reserve(std::max<uint64_t>(buffer_bytes_, size));
    const size_t start = group.buffer.size();
    Append(group.buffer, header);
    AppendSpan(group.buffer, entry.signs);
    AppendSpan(group.buffer, entry.extension);
    if (record_.dimensions > 0) AppendSpan(group.buffer, entry.vector);
    Append(group.buffer, entry.key);
    Append(group.buffer, entry.metadata);
    group.buffer.resize(start + size);
  }

  WrittenLists Finish(const std::function<void(uint64_t)>& written, Stop& stop) {
    uint64_t entries = 0;
    for (Group& group : groups_) {
      stop.Check();
      const Bytes bytes = Load(group, stop);
      std::vector<Record> records = Parse(bytes);
      std::ranges::sort(records, std::less<>());
      for (auto first = records.begin(); first != records.end();) {
        const auto last = std::find_if(first, records.end(), [&](const Record& r) { return r.list != first->list; });
        WriteList({first, last}, stop);
        entries += static_cast<uint64_t>(last - first);
        first = last;
        written(entries);
      }
    }
    FinishSegment(stop);
    return std::move(result_);
  }

 private:
  void Spill(Group& group) {
    if (group.buffer.empty()) return;
    if (file_ == nullptr) file_ = spill_.Create();
    file_->Append(group.buffer);
    group.spilled.push_back({file_size_, group.buffer.size()});
    file_size_ += group.buffer.size();
    group.buffer.clear();
  }

  // The group's own buffer is given up.
  Bytes Load(Group& group, Stop& stop) {
    if (group.spilled.empty()) return std::move(group.buffer);
    uint64_t size = group.buffer.size();
    for (const Group::Part& part : group.spilled) size += part.size;
    Bytes bytes(size);
    uint64_t filled = 0;
    for (const Group::Part& part : group.spilled) {
      stop.Check();
      file_->ReadAt(part.offset, std::span(bytes).subspan(filled, part.size));
      filled += part.size;
    }
    std::ranges::copy(group.buffer, bytes.begin() + static_cast<ptrdiff_t>(filled));
    group = Group();
    return bytes;
  }

  std::vector<Record> Parse(const Bytes& bytes) const {
    std::vector<Record> records;
    for (size_t at = 0; at < bytes.size();) {
      RecordHeader header;
      std::memcpy(&header, bytes.data() + at, sizeof header);
      const auto* signs = reinterpret_cast<const uint64_t*>(bytes.data() + at + sizeof header);
      const uint64_t* extension = signs + record_.sign_words;
      const auto* vector = reinterpret_cast<const float*>(extension + record_.extension_words);
      const uint8_t* key = bytes.data() + at + record_.fixed_bytes();
      records.push_back({.list = header.list,
                         .entry = {.key = {key, header.key_size},
                                   .signs = {signs, record_.sign_words},
                                   .extension = {extension, record_.extension_words},
                                   .sign_factors = header.sign_factors,
                                   .code_factors = header.code_factors,
                                   .vector = {vector, record_.dimensions},
                                   .metadata = {key + header.key_size, header.metadata_size},
                                   .content_hash = header.content_hash}});
      at += RoundUp(record_.fixed_bytes() + header.key_size + header.metadata_size);
    }
    return records;
  }

  // In pieces that are neither larger than a range should be nor than a segment.
  void WriteList(std::span<const Record> records, Stop& stop) {
    const uint64_t limit = std::min<uint64_t>(kMaxPieceBytes, segment_target_);
    std::vector<Entry> entries;
    uint64_t bytes = 0;
    for (const Record& record : records) {
      const uint64_t entry_bytes = EntryBytes(shape_, record.entry.key.size()) + record.entry.metadata.size() +
                                   shape_.metadata_columns * sizeof(uint32_t);
      if (!entries.empty() && bytes + entry_bytes > limit) {
        WritePiece(records.front().list, entries, bytes, stop);
        entries.clear();
        bytes = 0;
      }
      entries.push_back(record.entry);
      bytes += entry_bytes;
    }
    WritePiece(records.front().list, entries, bytes, stop);
  }

  void WritePiece(uint32_t list, std::span<const Entry> entries, uint64_t bytes, Stop& stop) {
    stop.Check();
    if (writer_ != nullptr && writer_->size() + bytes + KeyPlaneBytes(entries) > segment_target_) FinishSegment(stop);
    if (writer_ == nullptr) {
      shape_.object = RandomId();
      writer_ = std::make_unique<SegmentWriter>(shape_, segment_reserve_);
    }
    writer_->AddPiece(list_ids_[list], entries);
  }

  uint64_t KeyPlaneBytes(std::span<const Entry> entries) const {
    uint64_t bytes = 0;
    uint64_t longest = 0;
    for (const Entry& entry : entries) {
      bytes += entry.key.size();
      longest = std::max<uint64_t>(longest, entry.key.size());
    }
    return MostKeyPlaneBytes(shape_.key_kind, entries.size(), bytes, longest);
  }

  void FinishSegment(Stop& stop) {
    if (writer_ == nullptr) return;
    WrittenSegment segment = writer_->Finish();
    writer_ = nullptr;
    store_.Put(SegmentKey(shape_.index, shape_.object), segment.object, ObjectStore::PutMode::kOverwrite, stop);
    for (Piece& piece : segment.pieces) {
      piece.segment = static_cast<uint32_t>(result_.segments.size());
      result_.columns.Append(segment.columns, shape_.metadata_columns, piece);
      result_.pieces.push_back(piece);
    }
    result_.segments.push_back({.id = shape_.object,
                                .length = segment.object.size(),
                                .entries = segment.entries,
                                .is_settled = is_settled_,
                                .keys = segment.keys,
                                .summaries = std::move(segment.summaries)});
    result_.bytes += segment.object.size();
  }

  SegmentShape shape_;
  const std::vector<uint32_t> list_ids_;
  const bool is_settled_;
  const RecordShape record_;
  const size_t segment_target_;
  ObjectStore& store_;
  SpillFactory& spill_;
  Grouping grouping_;
  std::vector<Group> groups_;
  size_t buffer_bytes_ = 0;  // of each group
  size_t segment_reserve_ = 0;
  std::unique_ptr<SpillFile> file_;  // of all groups, in parts
  uint64_t file_size_ = 0;
  std::unique_ptr<SegmentWriter> writer_;
  WrittenLists result_;
};

ListWriter::ListWriter(const SegmentShape& shape, std::span<const ListSize> lists, std::span<const uint32_t> list_ids,
                       bool is_settled, size_t memory_bytes, ObjectStore& store, SpillFactory& spill)
    : impl_(std::make_unique<Impl>(shape, lists, list_ids, is_settled, memory_bytes, store, spill)) {}
ListWriter::~ListWriter() = default;

void ListWriter::Add(uint32_t list, const Entry& entry) { impl_->Add(list, entry); }
WrittenLists ListWriter::Finish(const std::function<void(uint64_t)>& written, Stop& stop) {
  return impl_->Finish(written, stop);
}

}  // namespace s3v
