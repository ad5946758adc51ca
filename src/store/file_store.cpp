#include "store/file_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "store/answers.h"
#include "store/coalesce.h"
#include "store/file_tree.h"

namespace s3v {
namespace {

constexpr std::string_view kTemporaryPrefix = ".s3v-tmp-";
constexpr size_t kSliceBytes = 4 * 1024 * 1024;  // between two looks at Stop
constexpr mode_t kFileMode = 0600;
constexpr int64_t kAbandonedAfterSeconds = 24 * 60 * 60;  // no write of one object takes a day

void CheckFileKey(const ObjectKey& key) {
  CheckObjectKey(key);
  if (key.starts_with(kTemporaryPrefix) || key.find("/" + std::string(kTemporaryPrefix)) != std::string::npos) {
    throw Error(Code::kInvalidArgument, "invalid object key \"" + key + "\"",
                "Names beginning with " + std::string(kTemporaryPrefix) + " are taken by files being written.");
  }
}

// A file under a temporary name, which vanishes unless it was renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const Fd& directory)
      : directory_(directory.get()), name_(std::string(kTemporaryPrefix) + IdText(RandomId())) {
    fd_ = Fd(openat(directory_, name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode));
  }
  ~TemporaryFile() {
    if (fd_.is_open() && !renamed_) unlinkat(directory_, name_.c_str(), 0);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  bool is_open() const { return fd_.is_open(); }

  void Write(ByteView data, const std::string& path, Stop& stop) {
    for (size_t done = 0; done < data.size();) {
      stop.Check();
      const ssize_t written = write(fd_.get(), data.data() + done, std::min(kSliceBytes, data.size() - done));
      if (written < 0 && errno == EINTR) continue;
      // A short write says the disk is full, too; the next one names the cause.
      if (written < 0) ThrowFileError("could not write file \"" + path + "\"", errno);
      done += static_cast<size_t>(written);
    }
    stop.Check();
    if (fsync(fd_.get()) != 0) ThrowFileError("could not fsync file \"" + path + "\"", errno);
  }

  int RenameTo(const std::string& name) {
    if (renameat(directory_, name_.c_str(), directory_, name.c_str()) != 0) return errno;
    renamed_ = true;
    return 0;
  }

  // Unlike a rename, a link never replaces what is there. Over NFS a repeated request meets the link that the first one
  // made: open(2) says to count the links then.
  int LinkTo(const std::string& name) {
    if (linkat(directory_, name_.c_str(), directory_, name.c_str(), 0) == 0) return 0;
    const int error_number = errno;
    struct stat info;
    return error_number == EEXIST && fstat(fd_.get(), &info) == 0 && info.st_nlink == 2 ? 0 : error_number;
  }

 private:
  int directory_;
  std::string name_;
  Fd fd_;
  bool renamed_ = false;
};

class FileStore final : public ObjectStore {
 public:
  FileStore(const std::string& directory, int max_parallel) : tree_(directory), max_parallel_(max_parallel) {}

  void GetRanges(std::span<const RangeRequest> ranges, const RangeSink& sink, Stop& stop) override {
    for (const RangeRequest& range : ranges) CheckFileKey(range.key);
    const std::vector<CoalescedRange> requests = CoalesceWave(ranges, coalesce_gap, max_parallel_);
    stop.Check();
    HandOutEmpty(ranges, sink);
    if (!requests.empty()) ++counters_.waves;
    Bytes buffer;
    for (const CoalescedRange& request : requests) {
      ++counters_.get_requests;
      const Fd file = OpenObject(request.key);
      if (request.offset + request.length > SizeOf(file, request.key)) ThrowShorter(request);
      buffer.resize(request.length);
      if (!ReadAt(file, request.key, request.offset, buffer, stop)) ThrowShorter(request);
      counters_.bytes_read += request.length;
      HandOut(request, ranges, buffer, sink);
    }
  }

  Bytes Get(const ObjectKey& key, uint64_t max_size, Stop& stop) override {
    CheckFileKey(key);
    stop.Check();
    ++counters_.waves;
    ++counters_.get_requests;
    const Fd file = OpenObject(key);
    const uint64_t size = SizeOf(file, key);
    if (size > max_size) ThrowLarger(key, max_size);
    Bytes data(size);
    if (!ReadAt(file, key, 0, data, stop)) {
      throw Error(Code::kIoError, "file \"" + tree_.PathOf(key) + "\" was cut while it was read");
    }
    counters_.bytes_read += size;
    return data;
  }

  PutOutcome Put(const ObjectKey& key, ByteView data, PutMode mode, Stop& stop) override {
    CheckFileKey(key);
    ++counters_.put_requests;
    while (true) {
      stop.Check();
      const FilePlace place = tree_.FindOrMake(key);
      TemporaryFile file(place.directory());
      if (!file.is_open()) {
        // Someone removed the directory while it was still empty: make it again.
        if (errno == ENOENT) continue;
        ThrowFileError("could not create file \"" + tree_.PathOf(key) + "\"", errno);
      }
      file.Write(data, tree_.PathOf(key), stop);
      const int error_number = mode == PutMode::kOverwrite ? file.RenameTo(place.name) : file.LinkTo(place.name);
      if (error_number == EEXIST && mode == PutMode::kCreateOnly) return PutOutcome::kAlreadyExists;
      if (error_number != 0) ThrowFileError("could not create file \"" + tree_.PathOf(key) + "\"", error_number);
      // All of them, for another process may have made one and not have synced it yet.
      for (auto directory = place.directories.rbegin(); directory != place.directories.rend(); ++directory) {
        SyncDirectory(*directory, tree_.PathOf(key));
      }
      counters_.bytes_written += data.size();
      return PutOutcome::kStored;
    }
  }

  std::vector<ObjectInfo> List(const std::string& prefix, Stop& stop) override {
    std::vector<ObjectInfo> found;
    const size_t slash = prefix.rfind('/');
    const std::string directory = slash == std::string::npos ? "" : prefix.substr(0, slash);
    if (!directory.empty()) CheckFileKey(directory);
    ListDirectory(directory, prefix, stop, &found);
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    counters_.put_requests += ListPages(found.size());
    return found;
  }

  void Delete(std::span<const ObjectKey> keys, Stop& stop) override {
    for (const ObjectKey& key : keys) CheckFileKey(key);
    counters_.delete_requests += DeleteBatches(keys.size());
    for (const ObjectKey& key : keys) {
      stop.Check();
      const std::optional<FilePlace> place = tree_.Find(key);
      if (!place) continue;
      if (unlinkat(place->directory().get(), place->name.c_str(), 0) != 0 && errno != ENOENT) {
        ThrowFileError("could not remove file \"" + tree_.PathOf(key) + "\"", errno);
      }
      tree_.RemoveEmptyDirectories(key);
    }
  }

  const StoreCounters& counters() const override { return counters_; }

 private:
  Fd OpenObject(const ObjectKey& key) const {
    const std::optional<FilePlace> place = tree_.Find(key);
    if (!place) ThrowMissing(key);
    // O_NONBLOCK: opening a pipe that someone put there must not wait for a writer.
    Fd file(openat(place->directory().get(), place->name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file.is_open()) {
      if (errno == ENOENT) ThrowMissing(key);
      if (errno == ELOOP) throw Error(Code::kPermissionDenied, "\"" + tree_.PathOf(key) + "\" is a symbolic link");
      ThrowFileError("could not open file \"" + tree_.PathOf(key) + "\"", errno);
    }
    return file;
  }

  uint64_t SizeOf(const Fd& file, const ObjectKey& key) const {
    struct stat info;
    if (fstat(file.get(), &info) != 0) ThrowFileError("could not stat file \"" + tree_.PathOf(key) + "\"", errno);
    if (S_ISDIR(info.st_mode)) ThrowMissing(key);
    if (!S_ISREG(info.st_mode)) {
      throw Error(Code::kPermissionDenied, "\"" + tree_.PathOf(key) + "\" is not a regular file");
    }
    return static_cast<uint64_t>(info.st_size);
  }

  // False if the file ends before `out` is full.
  bool ReadAt(const Fd& file, const ObjectKey& key, uint64_t offset, std::span<uint8_t> out, Stop& stop) const {
    for (size_t done = 0; done < out.size();) {
      stop.Check();
      const ssize_t got = pread(file.get(), out.data() + done, std::min(kSliceBytes, out.size() - done),
                                static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) ThrowFileError("could not read file \"" + tree_.PathOf(key) + "\"", errno);
      if (got == 0) return false;
      done += static_cast<size_t>(got);
    }
    return true;
  }

  // Everything below `directory` whose key begins with `prefix`. Other kinds of files than regular ones are not
  // objects.
  // What a crash left behind while it wrote. Whoever lists cleans up: nothing else would ever see the file.
  static void RemoveIfAbandoned(int directory_fd, const char* name) {
    struct stat info;
    if (fstatat(directory_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) return;
    if (SystemClock().WallSeconds() - static_cast<int64_t>(info.st_mtime) > kAbandonedAfterSeconds) {
      unlinkat(directory_fd, name, 0);
    }
  }

  void ListDirectory(const std::string& directory, const std::string& prefix, Stop& stop,
                     std::vector<ObjectInfo>* found) const {
    std::optional<Fd> opened = tree_.OpenDirectory(directory);
    if (!opened) return;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(opened->get()), &closedir);
    if (!entries) ThrowFileError("could not list directory \"" + tree_.PathOf(directory) + "\"", errno);
    const int directory_fd = opened->release();  // closedir closes it
    while (const dirent* entry = (errno = 0, readdir(entries.get()))) {
      stop.Check();
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (name.starts_with(kTemporaryPrefix)) {
        RemoveIfAbandoned(directory_fd, entry->d_name);
        continue;
      }
      const std::string key = directory.empty() ? std::string(name) : directory + "/" + std::string(name);
      struct stat info;
      if (fstatat(directory_fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;  // deleted meanwhile
        ThrowFileError("could not stat file \"" + tree_.PathOf(key) + "\"", errno);
      }
      if (S_ISDIR(info.st_mode) && (key + "/").starts_with(std::string_view(prefix).substr(0, key.size() + 1))) {
        ListDirectory(key, prefix, stop, found);
      } else if (S_ISREG(info.st_mode) && key.starts_with(prefix)) {
        found->push_back({key, static_cast<uint64_t>(info.st_size), static_cast<int64_t>(info.st_mtime)});
      }
    }
    if (errno != 0) ThrowFileError("could not list directory \"" + tree_.PathOf(directory) + "\"", errno);
  }

  FileTree tree_;
  int max_parallel_;
  StoreCounters counters_;
};

}  // namespace

std::unique_ptr<ObjectStore> MakeFileStore(const std::string& directory, int max_parallel_requests) {
  return std::make_unique<FileStore>(directory, max_parallel_requests);
}

}  // namespace s3v
