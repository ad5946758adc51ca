#include "s3vectors/remote_contents.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "base/error.h"
#include "engine/sorted_keys.h"
#include "s3vectors/vector_answer.h"

namespace s3v {
namespace {

constexpr size_t kSegments = 16;
constexpr size_t kMostForeignKeys = 1000;

// The service ends a page at about 1 MB of vectors; others may not, so more is not asked for.
constexpr uint64_t kMostPerPage = 1000;
constexpr uint64_t kPageBytes = 1024 * 1024;
constexpr uint64_t kNumberText = 12;  // bytes of a number's text, more or less
constexpr uint64_t kBytesAtOnce = 32 * 1024 * 1024;

// One part of the index on its way through pages.
struct Segment {
  size_t number = 0;
  std::string token = {};
  bool is_over = false;
};

}  // namespace

// Pairs of key and hash are sorted as one text each: a key of variable length, which has no NUL, ends with one.
class RemoteContents::Impl {
 public:
  Impl(ServiceClient& service, const std::string& name, const RemoteSchema& schema, size_t memory_bytes,
       SpillFactory& spill)
      : service_(service),
        name_(name),
        schema_(schema),
        memory_bytes_(memory_bytes),
        spill_(spill),
        per_page_(std::clamp<uint64_t>(kPageBytes / (sizeof(float) * schema.dimensions), 1, kMostPerPage)) {}

  void List(Stop& stop) {
    try {
      ListSegments(kSegments, stop);
    } catch (const Error& error) {
      const bool may_be_segments = error.code() == Code::kInvalidArgument || error.code() == Code::kNotSupported;
      if (!may_be_segments || has_pages_) throw;
      ListSegments(1, stop);
    }
    reader_.emplace(*keys_);
    has_next_ = reader_->Next();
  }

  bool Next(ByteView* key, uint64_t* content_hash, Stop& stop) {
    stop.Check();
    if (!has_next_) return false;
    const auto current = KeyAndHash(reader_->key());
    key_.assign(current.first.begin(), current.first.end());
    *content_hash = current.second;
    // What changed while it was listed may come twice, in both states.
    while ((has_next_ = reader_->Next()) && std::ranges::equal(KeyAndHash(reader_->key()).first, key_)) {
      *content_hash = 0;
    }
    *key = key_;
    return true;
  }

  std::set<std::string> foreign_keys;
  uint64_t foreign_count = 0;

 private:
  static constexpr size_t kHashBytes = sizeof(uint64_t);

  size_t EndBytes() const { return KeyWidth(schema_.key_kind) == 0 ? 1 : 0; }

  std::pair<ByteView, uint64_t> KeyAndHash(ByteView sorted) const {
    uint64_t hash = 0;
    std::memcpy(&hash, sorted.last(kHashBytes).data(), kHashBytes);
    return {sorted.first(sorted.size() - kHashBytes - EndBytes()), hash};
  }

  void ListSegments(size_t count, Stop& stop) {
    keys_.emplace(spill_, memory_bytes_);
    std::vector<Segment> segments(count);
    for (size_t i = 0; i < count; ++i) segments[i].number = i;
    const uint64_t page_text = per_page_ * schema_.dimensions * kNumberText;
    const size_t at_once = std::clamp<uint64_t>(kBytesAtOnce / page_text, 1, count);
    while (!segments.empty()) {
      const std::span now = std::span(segments).first(std::min(at_once, segments.size()));
      std::vector<ServiceCall> calls;
      for (const Segment& segment : now) calls.push_back(NextCall(segment, count, page_text));
      service_.Run(calls, stop);
      has_pages_ = true;
      for (size_t i = 0; i < calls.size(); ++i) Take(calls[i], now[i], stop);
      // Each segment has its turn, so that none of them has to keep its token for long.
      std::rotate(segments.begin(), segments.begin() + static_cast<ptrdiff_t>(now.size()), segments.end());
      std::erase_if(segments, [](const Segment& segment) { return segment.is_over; });
    }
  }

  ServiceCall NextCall(const Segment& segment, size_t count, uint64_t page_text) const {
    ServiceCall call{.operation = Operation::kListVectors, .subject = name_, .expected_bytes = page_text};
    call.body = "{\"vectorBucketName\":";
    AppendString(service_.bucket(), &call.body);
    call.body += ",\"indexName\":";
    AppendString(name_, &call.body);
    call.body += ",\"maxResults\":" + std::to_string(per_page_) + ",\"returnData\":true,\"returnMetadata\":true";
    if (count > 1) {
      call.body += ",\"segmentCount\":" + std::to_string(count) + ",\"segmentIndex\":" + std::to_string(segment.number);
    }
    if (!segment.token.empty()) {
      call.body += ",\"nextToken\":";
      AppendString(segment.token, &call.body);
    }
    call.body += '}';
    return call;
  }

  void Take(ServiceCall& call, Segment& segment, Stop& stop) {
    size_t vectors = 0;
    std::string token = ReadVectorPage(call, [&](const AnsweredVector& vector) {
      stop.Check();
      ++vectors;
      Add(vector);
    });
    call.answer = {};
    if (!token.empty() && token == segment.token && vectors == 0) {
      throw Error(Code::kCorrupted, "the answer of ListVectors about remote index \"" + name_ + "\" never ends");
    }
    segment.token = std::move(token);
    segment.is_over = segment.token.empty();
  }

  void Add(const AnsweredVector& vector) {
    const std::optional<Bytes> key = KeyFromText(schema_.key_kind, vector.key);
    if (!key) return AddForeign(vector.key);
    const uint64_t hash = RemoteContentHash(schema_, vector.vector, vector.metadata).value_or(0);
    sorted_ = *key;
    sorted_.resize(sorted_.size() + EndBytes());
    Append(sorted_, hash);
    keys_->Add(sorted_, false);
  }

  void AddForeign(const std::string& key) {
    if (foreign_keys.contains(key)) return;
    ++foreign_count;
    if (foreign_keys.size() < kMostForeignKeys) foreign_keys.insert(key);
  }

  ServiceClient& service_;
  const std::string name_;
  const RemoteSchema& schema_;
  const size_t memory_bytes_;
  SpillFactory& spill_;
  const uint64_t per_page_;
  bool has_pages_ = false;
  std::optional<SortedKeys> keys_;
  std::optional<SortedKeys::Reader> reader_;
  bool has_next_ = false;
  Bytes sorted_;
  Bytes key_;
};

RemoteContents::RemoteContents(ServiceClient& service, const std::string& name, const RemoteSchema& schema,
                               size_t memory_bytes, SpillFactory& spill, Stop& stop)
    : impl_(std::make_unique<Impl>(service, name, schema, memory_bytes, spill)) {
  impl_->List(stop);
  foreign_keys_.assign(impl_->foreign_keys.begin(), impl_->foreign_keys.end());
  foreign_count_ = impl_->foreign_count;
}
RemoteContents::~RemoteContents() = default;

bool RemoteContents::Next(ByteView* key, uint64_t* content_hash, Stop& stop) {
  return impl_->Next(key, content_hash, stop);
}

}  // namespace s3v
