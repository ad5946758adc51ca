#include "engine/sorted_keys.h"

#include <algorithm>

namespace s3v {
namespace {

struct KeyHeader {
  uint32_t size;
  uint32_t flag;
};

bool IsBefore(ByteView a, ByteView b) { return AsText(a) < AsText(b); }  // as unsigned bytes

}  // namespace

void SortedKeys::Add(ByteView key, bool flag) {
  if (bytes_.size() + keys_.size() * sizeof(Key) + key.size() > memory_bytes_ && !keys_.empty()) Spill();
  keys_.push_back({bytes_.size(), static_cast<uint32_t>(key.size()), flag});
  Append(bytes_, key);
}

void SortedKeys::Sort() {
  std::ranges::sort(keys_, [&](const Key& a, const Key& b) { return IsBefore(View(a), View(b)); });
}

void SortedKeys::Spill() {
  constexpr size_t kWriteBytes = 256 * 1024;
  if (file_ == nullptr) file_ = spill_.Create();
  Sort();
  Run run{.offset = file_size_, .size = 0};
  Bytes out;
  const auto write = [&] {
    file_->Append(out);
    run.size += out.size();
    out.clear();
  };
  for (const Key& key : keys_) {
    Append(out, KeyHeader{key.size, key.flag ? 1U : 0U});
    Append(out, View(key));
    if (out.size() >= kWriteBytes) write();
  }
  write();
  file_size_ += run.size;
  runs_.push_back(run);
  keys_.clear();
  bytes_.clear();
}

// One run, or what is in memory.
class SortedKeys::Reader::Source {
 public:
  Source(SortedKeys& keys, const Run* run) : keys_(keys), run_(run) {}

  bool Next() {
    if (run_ == nullptr) {
      if (place_ == keys_.keys_.size()) return false;
      const Key& next = keys_.keys_[place_++];
      key_ = keys_.View(next);
      flag_ = next.flag;
      return true;
    }
    if (left() == 0 && read_ == run_->size) return false;
    KeyHeader header;
    std::memcpy(&header, Take(sizeof header).data(), sizeof header);
    key_ = Take(header.size);
    flag_ = header.flag != 0;
    return true;
  }
  ByteView key() const { return key_; }
  bool flag() const { return flag_; }

 private:
  size_t left() const { return buffer_.size() - place_; }

  ByteView Take(size_t size) {
    constexpr size_t kReadBytes = 16 * 1024;
    if (left() < size) {
      buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(place_));
      place_ = 0;
      const size_t have = buffer_.size();
      const size_t more = std::min<uint64_t>(run_->size - read_, std::max(kReadBytes, size) - have);
      buffer_.resize(have + more);
      keys_.file_->ReadAt(run_->offset + read_, std::span(buffer_).subspan(have));
      read_ += more;
    }
    const ByteView taken = ByteView(buffer_).subspan(place_, size);
    place_ += size;
    return taken;
  }

  SortedKeys& keys_;
  const Run* run_;  // null: memory
  Bytes buffer_;
  size_t place_ = 0;   // in the buffer, or the number of a key in memory
  uint64_t read_ = 0;  // of the run
  ByteView key_;
  bool flag_ = false;
};

bool SortedKeys::Reader::IsLater(const std::unique_ptr<Source>& a, const std::unique_ptr<Source>& b) {
  return IsBefore(b->key(), a->key());
}

SortedKeys::Reader::Reader(SortedKeys& keys) {
  keys.Sort();
  const auto add = [&](const Run* run) {
    auto source = std::make_unique<Source>(keys, run);
    if (source->Next()) heap_.push_back(std::move(source));
  };
  for (const Run& run : keys.runs_) add(&run);
  add(nullptr);
  std::ranges::make_heap(heap_, IsLater);
}

SortedKeys::Reader::~Reader() = default;

bool SortedKeys::Reader::Next() {
  if (heap_.empty()) return false;
  const ByteView next = heap_.front()->key();
  key_.assign(next.begin(), next.end());
  flag_ = false;
  while (!heap_.empty() && std::ranges::equal(heap_.front()->key(), key_)) {
    std::ranges::pop_heap(heap_, IsLater);
    flag_ = flag_ || heap_.back()->flag();
    if (heap_.back()->Next()) {
      std::ranges::push_heap(heap_, IsLater);
    } else {
      heap_.pop_back();
    }
  }
  return true;
}

}  // namespace s3v
