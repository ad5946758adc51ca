#include "store/cache_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include "base/checksum.h"
#include "base/clock.h"
#include "store/file_system.h"

namespace s3v {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr char kStateName[] = "state-1";
constexpr char kTemporaryFolder[] = "tmp";
constexpr std::string_view kPrefixes[] = {"pack-", "journal-"};  // by CacheFile
constexpr std::string_view kVersion = "1-";
constexpr int64_t kLockPatienceMs = 50;
constexpr int kOpenFile = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;  // no link, and no waiting for a pipe's other end
constexpr uint64_t kStateMagic = 0x3165746174733373;            // "s3state1"

struct StoredState {
  uint64_t magic = kStateMagic;
  ObjectId journal{};
  uint64_t length = 0;
  uint32_t crc = 0;  // of the fields above
  uint32_t unused = 0;
};
static_assert(sizeof(StoredState) == 40);

uint32_t StateCrc(const StoredState& state) {
  return Crc32c({reinterpret_cast<const uint8_t*>(&state), offsetof(StoredState, crc)});
}

void Nap() {
  const timespec two_milliseconds{.tv_sec = 0, .tv_nsec = 2'000'000};
  nanosleep(&two_milliseconds, nullptr);
}

bool WriteFully(const Fd& file, uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    offset += static_cast<uint64_t>(written);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

// "<kind>-<version>-<id>", of whatever version.
struct ParsedName {
  CacheFile kind;
  bool is_ours;  // of our version, with a well-formed id
  ObjectId id{};
};

std::optional<ParsedName> ParseName(std::string_view name) {
  for (const CacheFile kind : {CacheFile::kPack, CacheFile::kJournal}) {
    const std::string_view prefix = kPrefixes[static_cast<int>(kind)];
    if (!name.starts_with(prefix)) continue;
    name.remove_prefix(prefix.size());
    const size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
    if (digits == 0 || digits == name.size() || name[digits] != '-') return std::nullopt;
    ParsedName parsed{.kind = kind, .is_ours = false};
    if (!ParseId(std::string(name.substr(digits + 1)), &parsed.id)) return std::nullopt;
    parsed.is_ours = name.starts_with(kVersion);
    return parsed;
  }
  return std::nullopt;
}

std::unique_ptr<DIR, int (*)(DIR*)> OpenListing(int directory_fd, const char* name) {
  Fd fd(openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  DIR* listing = fd.is_open() ? fdopendir(fd.get()) : nullptr;
  if (listing != nullptr) fd.release();  // closedir closes it
  return {listing, &closedir};
}

}  // namespace

std::string CacheFileName(CacheFile kind, const ObjectId& id) {
  return std::string(kPrefixes[static_cast<int>(kind)]) + std::string(kVersion) + IdText(id);
}

uint64_t DiskBytes(const struct stat& info) {
  constexpr uint64_t kBlock = 4096;
  // A file system may find the place only when it writes back; until then it says less.
  const uint64_t rounded = (static_cast<uint64_t>(info.st_size) + kBlock - 1) / kBlock * kBlock;
  return std::max(rounded, static_cast<uint64_t>(info.st_blocks) * 512);
}

bool ReadFully(const Fd& file, uint64_t offset, std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = pread(file.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    offset += static_cast<uint64_t>(got);
    out = out.subspan(static_cast<size_t>(got));
  }
  return true;
}

CacheTemporary::~CacheTemporary() {
  if (!has_name_) unlinkat(directory_->get(), name_.c_str(), 0);
}

bool CacheTemporary::Lock() { return flock(file_.get(), LOCK_EX | LOCK_NB) == 0; }

bool CacheTemporary::Write(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

uint64_t CacheTemporary::disk_bytes() const {
  struct stat info;
  return fstat(file_.get(), &info) == 0 ? DiskBytes(info) : 0;
}

bool CacheTemporary::RenameTo(const std::string& name) {
  has_name_ = renameat(directory_->get(), name_.c_str(), directory_->get(), name.c_str()) == 0;
  return has_name_;
}

bool CacheDirectory::Open() {
  directory_ = nullptr;
  if (mkdir(path_.c_str(), kDirectoryMode) != 0 && errno != EEXIST) return false;
  Fd opened(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info;
  if (!opened.is_open() || fstat(opened.get(), &info) != 0) return false;
  if (info.st_uid != geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) return false;
  // Where this fails, there is nothing to be written; what is there can still be read.
  if (mkdirat(opened.get(), kTemporaryFolder, kDirectoryMode) != 0 && errno == ENOENT) return false;
  is_local_ = IsOnLocalFileSystem(opened.get());
  directory_ = std::make_shared<const Fd>(std::move(opened));
  return true;
}

std::optional<Fd> CacheDirectory::Lock() {
  Fd file(openat(fd(), kStateName, O_RDWR | O_CREAT | kOpenFile, kFileMode));
  if (!file.is_open()) return std::nullopt;
  const int64_t deadline = SystemClock().SteadyMillis() + kLockPatienceMs;
  while (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    const bool may_come = errno == EWOULDBLOCK || errno == EINTR;
    if (!may_come || SystemClock().SteadyMillis() >= deadline) return std::nullopt;
    Nap();
  }
  return file;
}

std::optional<JournalState> CacheDirectory::ReadState() {
  const Fd file(openat(fd(), kStateName, O_RDONLY | kOpenFile));
  if (!file.is_open()) return std::nullopt;
  // Written with one small write; a reader that meets it half done finds it whole a moment later.
  for (int attempt = 0; attempt < 3; ++attempt) {
    StoredState state;
    if (!ReadFully(file, 0, {reinterpret_cast<uint8_t*>(&state), sizeof(state)})) return std::nullopt;
    if (state.magic == kStateMagic && state.crc == StateCrc(state)) {
      return JournalState{.journal = state.journal, .length = state.length};
    }
  }
  return std::nullopt;
}

bool CacheDirectory::WriteState(const Fd& lock, const JournalState& state) {
  StoredState stored{.journal = state.journal, .length = state.length};
  stored.crc = StateCrc(stored);
  return WriteFully(lock, 0, {reinterpret_cast<const uint8_t*>(&stored), sizeof(stored)});
}

Fd CacheDirectory::OpenToRead(CacheFile kind, const ObjectId& id) {
  return Fd(openat(fd(), CacheFileName(kind, id).c_str(), O_RDONLY | kOpenFile));
}

Bytes CacheDirectory::ReadPart(CacheFile kind, const ObjectId& id, uint64_t offset, uint64_t length) {
  const Fd file = OpenToRead(kind, id);
  struct stat info;
  // The size first: a damaged state must not lead to a huge allocation.
  if (!file.is_open() || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  const auto size = static_cast<uint64_t>(info.st_size);
  if (offset > size || length > size - offset) return {};
  Bytes bytes(length);
  return ReadFully(file, offset, bytes) ? bytes : Bytes();
}

bool CacheDirectory::WriteJournal(const ObjectId& id, uint64_t offset, ByteView bytes) {
  const std::string name = CacheFileName(CacheFile::kJournal, id);
  const Fd file(openat(fd(), name.c_str(), O_WRONLY | kOpenFile));
  return file.is_open() && WriteFully(file, offset, bytes);
}

bool CacheDirectory::Unlink(CacheFile kind, const ObjectId& id) {
  return unlinkat(fd(), CacheFileName(kind, id).c_str(), 0) == 0 || errno == ENOENT;
}

void CacheDirectory::Touch(const ObjectId& pack) {
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, {.tv_sec = 0, .tv_nsec = UTIME_NOW}};
  utimensat(fd(), CacheFileName(CacheFile::kPack, pack).c_str(), times, AT_SYMLINK_NOFOLLOW);
}

std::unique_ptr<CacheTemporary> CacheDirectory::NewTemporary() {
  std::string name = std::string(kTemporaryFolder) + "/" + IdText(RandomId());
  Fd file(openat(fd(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | kOpenFile, kFileMode));
  if (!file.is_open()) return nullptr;
  auto temporary = std::make_unique<CacheTemporary>(directory_, std::move(file), std::move(name));
  return temporary->Lock() ? std::move(temporary) : nullptr;
}

void CacheDirectory::RemoveAbandoned() {
  const auto listing = OpenListing(fd(), kTemporaryFolder);
  if (!listing) return;
  const int folder = dirfd(listing.get());
  while (const dirent* entry = readdir(listing.get())) {
    ObjectId id;
    if (!ParseId(entry->d_name, &id)) continue;
    const Fd file(openat(folder, entry->d_name, O_RDWR | kOpenFile));
    // Between its creation and its lock, a file looks abandoned; its writer then finds it gone and does without.
    if (file.is_open() && flock(file.get(), LOCK_EX | LOCK_NB) == 0) unlinkat(folder, entry->d_name, 0);
  }
}

std::optional<std::vector<FoundPack>> CacheDirectory::ListPacks(const ObjectId& journal) {
  const auto listing = OpenListing(fd(), ".");
  if (!listing) return std::nullopt;
  std::vector<FoundPack> packs;
  while (const dirent* entry = readdir(listing.get())) {
    const std::optional<ParsedName> name = ParseName(entry->d_name);
    if (!name) continue;
    const bool is_pack = name->is_ours && name->kind == CacheFile::kPack;
    struct stat info;
    if (is_pack && fstatat(dirfd(listing.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(info.st_mode)) {
      packs.push_back({.id = name->id,
                       .size = static_cast<uint64_t>(info.st_size),
                       .disk_bytes = DiskBytes(info),
                       .used_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec});
    } else if (!name->is_ours || (name->kind == CacheFile::kJournal && name->id != journal)) {
      unlinkat(dirfd(listing.get()), entry->d_name, 0);
    }
  }
  return packs;
}

}  // namespace s3v
