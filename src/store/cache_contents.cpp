#include "store/cache_contents.h"

#include <algorithm>
#include <map>

namespace s3v {
namespace {

constexpr uint64_t kBlockBytes = 4096;
constexpr uint64_t kStateFileBytes = kBlockBytes;
constexpr uint64_t kSparePart = 16;  // an eviction frees this part of the cache beyond what is needed

// A mapped object is missed by every query of its index, a list only by those that probe it: objects count as used a
// day later than they were.
constexpr int64_t kObjectBonusNs = int64_t{24} * 3600 * 1'000'000'000;

struct HeldPack {
  PackDirectory directory;
  int64_t used_ns = 0;
};

bool IsObject(const PackDirectory& directory) {
  return !directory.entries.empty() && directory.entries[0].offset == kWholeObject;
}

int64_t Rank(const HeldPack& pack) {
  if (pack.directory.entries.empty()) return 0;  // newer packs hold all it has
  return pack.used_ns + (IsObject(pack.directory) ? kObjectBonusNs : 0);
}

}  // namespace

void CacheContents::Clear() {
  read_ = {};
  packs_.clear();
  packs_disk_bytes_ = 0;
  index_.Clear();
}

bool CacheContents::Refresh() {
  // Between our look at the state and at the journal, another one may have come into force.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const std::optional<JournalState> state = directory_.ReadState();
    if (!state) return false;
    if (state->journal == read_.journal && state->length == read_.length) return true;
    if (ReadNews(*state)) return true;
  }
  return false;
}

bool CacheContents::ReadNews(const JournalState& state) {
  if (state.journal != read_.journal || state.length < read_.length) {
    Clear();
    read_.journal = state.journal;
  }
  const Bytes news = directory_.ReadPart(CacheFile::kJournal, state.journal, read_.length, state.length - read_.length);
  index_.Reserve(news.size() / sizeof(PackEntry));
  for (ByteView rest = news; !rest.empty();) {
    const std::optional<DecodedDirectory> decoded = DecodeDirectory(rest);
    if (!decoded) return false;
    Add(decoded->directory);
    rest = rest.subspan(decoded->length);
    read_.length += decoded->length;
  }
  return read_.length == state.length;
}

void CacheContents::Add(const PackDirectory& directory) {
  const auto number = static_cast<uint32_t>(packs_.size());
  packs_.push_back({.id = directory.id, .file_bytes = directory.file_bytes, .disk_bytes = directory.disk_bytes});
  packs_disk_bytes_ += directory.disk_bytes;
  for (const PackEntry& entry : directory.entries) index_.Put({.entry = entry, .pack = number});
}

IndexedRange* CacheContents::Find(const PackEntry& range) {
  IndexedRange* found = index_.Find(range);
  return found == nullptr || packs_[found->pack].is_gone ? nullptr : found;
}

void CacheContents::MarkGone(const ObjectId& pack) {
  for (KnownPack& known : packs_) {
    if (known.id == pack) known.is_gone = true;
  }
}

uint64_t CacheContents::held_bytes() const {
  const uint64_t journal_blocks = (read_.length + kBlockBytes - 1) / kBlockBytes;
  return packs_disk_bytes_ + journal_blocks * kBlockBytes + kStateFileBytes;
}

uint64_t CacheContents::RoomFor(const PackDirectory& directory) {
  return directory.disk_bytes + EncodeDirectory(directory).size() + kBlockBytes;  // the journal may begin a block
}

bool CacheContents::Append(const Fd& lock, const PackDirectory& directory) {
  const Bytes bytes = EncodeDirectory(directory);
  JournalState longer = read_;
  longer.length += bytes.size();
  if (!directory_.WriteJournal(read_.journal, read_.length, bytes)) return false;
  if (!directory_.WriteState(lock, longer)) return false;
  Add(directory);
  read_ = longer;
  return true;
}

bool CacheContents::MakeRoom(const Fd& lock, uint64_t needed, uint64_t max_bytes) {
  const std::optional<std::vector<FoundPack>> found = directory_.ListPacks(read_.journal);
  if (!found) return false;
  std::map<ObjectId, PackDirectory> known;
  for (PackDirectory& directory : KnownDirectories()) known[directory.id] = std::move(directory);

  std::vector<HeldPack> held;
  uint64_t total = kStateFileBytes;
  for (const FoundPack& pack : *found) {
    const auto place = known.find(pack.id);
    std::optional<PackDirectory> directory =
        place == known.end() ? ReadDirectoryOf(pack) : std::optional(std::move(place->second));
    if (!directory || directory->file_bytes != pack.size) {
      directory_.Unlink(CacheFile::kPack, pack.id);
      continue;
    }
    directory->disk_bytes = pack.disk_bytes;
    total += pack.disk_bytes + EncodeDirectory(*directory).size();
    held.push_back({std::move(*directory), pack.used_ns});
  }

  std::sort(held.begin(), held.end(), [](const auto& a, const auto& b) { return Rank(a) > Rank(b); });
  const uint64_t spare = max_bytes / kSparePart;
  const bool evicts = total + needed + kBlockBytes > max_bytes;
  while (evicts && !held.empty() && total + needed + spare > max_bytes) {
    const PackDirectory& last = held.back().directory;
    // What cannot be removed occupies its place still.
    if (!directory_.Unlink(CacheFile::kPack, last.id)) return false;
    total -= last.disk_bytes + EncodeDirectory(last).size();
    held.pop_back();
  }

  std::vector<PackDirectory> kept;
  for (HeldPack& pack : held) kept.push_back(std::move(pack.directory));
  return WriteNewJournal(lock, kept) && held_bytes() + needed <= max_bytes;
}

std::vector<PackDirectory> CacheContents::KnownDirectories() const {
  std::vector<PackDirectory> directories;
  for (const KnownPack& pack : packs_) {
    directories.push_back({.id = pack.id, .file_bytes = pack.file_bytes, .disk_bytes = pack.disk_bytes, .entries = {}});
  }
  for (const IndexedRange& range : index_.ranges()) directories[range.pack].entries.push_back(range.entry);
  return directories;
}

std::optional<PackDirectory> CacheContents::ReadDirectoryOf(const FoundPack& found) {
  if (found.size < kPackTailBytes) return std::nullopt;
  const uint64_t end = found.size - kPackTailBytes;
  const Bytes tail = directory_.ReadPart(CacheFile::kPack, found.id, end, kPackTailBytes);
  const std::optional<size_t> length = DecodePackTail(tail);
  if (!length || *length > end) return std::nullopt;
  const Bytes bytes = directory_.ReadPart(CacheFile::kPack, found.id, end - *length, *length);
  std::optional<DecodedDirectory> decoded = DecodeDirectory(bytes);
  if (!decoded || decoded->directory.id != found.id) return std::nullopt;
  return std::move(decoded->directory);
}

bool CacheContents::WriteNewJournal(const Fd& lock, const std::vector<PackDirectory>& directories) {
  Bytes bytes;
  for (const PackDirectory& directory : directories) s3v::Append(bytes, ByteView(EncodeDirectory(directory)));
  const JournalState state{.journal = RandomId(), .length = bytes.size()};
  const std::unique_ptr<CacheTemporary> file = directory_.NewTemporary();
  if (!file || !file->Write(bytes)) return false;
  if (!file->RenameTo(CacheFileName(CacheFile::kJournal, state.journal))) return false;
  if (!directory_.WriteState(lock, state)) {
    directory_.Unlink(CacheFile::kJournal, state.journal);
    return false;
  }
  directory_.Unlink(CacheFile::kJournal, read_.journal);
  Clear();
  for (const PackDirectory& directory : directories) Add(directory);
  read_ = state;
  return true;
}

}  // namespace s3v
