#include "store/cache_writer.h"

#include <algorithm>
#include <utility>

#include "base/checksum.h"
#include "base/random.h"

namespace s3v {
namespace {

constexpr int64_t kPauseMs = 10'000;
constexpr int64_t kSweepMs = 10'000;  // between two searches for what killed processes left

constexpr uint64_t kPackBytes = 16 * 1024 * 1024;  // what is evicted at once
constexpr uint64_t kWaveBytes = 32 * 1024 * 1024;  // what one wave keeps, or one range: not counted until it is whole

}  // namespace

bool CacheWriter::Pause() {
  is_paused_ = true;
  write_again_ms_ = clock_.SteadyMillis() + kPauseMs;
  return false;
}

bool CacheWriter::Fail() {
  ++failures_;
  return Pause();
}

PackDraft CacheWriter::NewDraft() {
  const int64_t now = clock_.SteadyMillis();
  if (is_paused_ && now < write_again_ms_) return {};
  is_paused_ = false;
  if (!has_swept_ || now - swept_ms_ >= kSweepMs) {
    has_swept_ = true;
    swept_ms_ = now;
    directory_.RemoveAbandoned();
  }
  PackDraft draft{.file = directory_.NewTemporary()};
  if (!draft.file) {
    // It may be that the directory vanished, or was not there before.
    contents_.Clear();
    if (directory_.Open()) draft.file = directory_.NewTemporary();
  }
  if (draft.file) {
    draft.directory.id = RandomId();
  } else {
    Fail();
  }
  return draft;
}

bool CacheWriter::Write(PackDraft* draft, ByteView bytes) { return draft->file->Write(bytes) || Fail(); }

bool CacheWriter::Publish(PackDraft* draft) {
  PackDirectory& directory = draft->directory;
  if (!Write(draft, EncodePackEnd(&directory, draft->payload_bytes))) return false;
  directory.disk_bytes = draft->file->disk_bytes();
  const std::optional<Fd> lock = directory_.Lock();
  if (!lock) return false;
  const bool is_sound = contents_.Refresh();
  const bool is_known = std::all_of(directory.entries.begin(), directory.entries.end(),
                                    [&](const PackEntry& entry) { return contents_.Find(entry) != nullptr; });
  if (is_sound && is_known) return true;  // another process asked for the same meanwhile
  const uint64_t needed = CacheContents::RoomFor(directory);
  if (!is_sound || contents_.held_bytes() + needed > max_bytes_) {
    if (!contents_.MakeRoom(*lock, needed, max_bytes_)) return Pause();
  }
  if (!draft->file->RenameTo(CacheFileName(CacheFile::kPack, directory.id))) return Fail();
  if (contents_.Append(*lock, directory)) return true;
  directory_.Unlink(CacheFile::kPack, directory.id);
  return Fail();
}

void WaveDraft::Add(PackEntry range, ByteView bytes, uint64_t limit) {
  const bool fits = total_bytes_ == 0 || total_bytes_ + bytes.size() <= kWaveBytes;
  if (has_failed_ || bytes.empty() || bytes.size() > std::min(limit, kMaxEntryLength) || !fits) return;
  if (writer_.contents().Find(range) != nullptr || seen_.Find(range) != nullptr) return;
  seen_.Put({.entry = range});
  const uint64_t usual_bytes = std::min(kPackBytes, writer_.max_bytes() / 8);
  const bool is_full = packs_.empty() || packs_.back().payload_bytes + bytes.size() > usual_bytes;
  if ((is_full && !StartPack()) || !writer_.Write(&packs_.back(), bytes)) {
    has_failed_ = true;
    packs_.clear();
    return;
  }
  PackDraft& pack = packs_.back();
  range.position = static_cast<uint32_t>(pack.payload_bytes);
  range.crc = Crc32c(bytes);
  pack.payload_bytes += bytes.size();
  total_bytes_ += bytes.size();
  pack.directory.entries.push_back(range);
}

bool WaveDraft::StartPack() {
  PackDraft pack = writer_.NewDraft();
  if (!pack.file) return false;
  packs_.push_back(std::move(pack));
  return true;
}

void WaveDraft::Drop(const PackEntry& range) {
  seen_.Put({.entry = range});
  for (PackDraft& pack : packs_) {
    std::erase_if(pack.directory.entries, [&](const PackEntry& entry) { return IsSameRange(entry, range); });
  }
}

void WaveDraft::Commit() {
  for (PackDraft& pack : std::exchange(packs_, {})) {
    if (!pack.directory.entries.empty() && !writer_.Publish(&pack)) return;
  }
}

}  // namespace s3v
