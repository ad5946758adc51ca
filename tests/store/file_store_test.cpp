#include "store/file_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "store/file_tree.h"

namespace s3v {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using PutMode = ObjectStore::PutMode;
using PutOutcome = ObjectStore::PutOutcome;

class FileStoreTest : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove_all(outer_); }

  PutOutcome Put(const ObjectKey& key, std::string_view data, PutMode mode = PutMode::kOverwrite) {
    return store_->Put(key, AsBytes(data), mode, never_);
  }
  Code CodeOf(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      return error.code();
    }
    return Code::kOk;
  }
  Code GetCode(const ObjectKey& key) {
    return CodeOf([&] { store_->Get(key, 1000, never_); });
  }
  mode_t ModeOf(const fs::path& path) {
    struct stat info;
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }
  std::vector<std::string> Names(const fs::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
    return names;
  }

  const fs::path outer_ = fs::path(::testing::TempDir()) / ("s3v-file-" + IdText(RandomId()));
  const fs::path root_ = outer_ / "deep" / "root";
  std::unique_ptr<ObjectStore> store_ = MakeFileStore(root_);
  NeverStop never_;
};

TEST_F(FileStoreTest, MakesItsDirectoryAtTheFirstPutOnly) {
  EXPECT_THAT(store_->List("", never_), IsEmpty());
  EXPECT_EQ(GetCode("x"), Code::kObjectMissing);
  EXPECT_FALSE(fs::exists(outer_));
  Put("a/b/c", "x");
  EXPECT_TRUE(fs::exists(root_ / "a/b/c"));
}

TEST_F(FileStoreTest, FilesAndDirectoriesAreForTheOwnerAlone) {
  const mode_t before = umask(0);
  Put("a/b", "x");
  umask(before);
  EXPECT_EQ(ModeOf(root_ / "a/b"), 0600u);
  EXPECT_EQ(ModeOf(root_ / "a"), 0700u);
  EXPECT_EQ(ModeOf(root_), 0700u);
  EXPECT_EQ(ModeOf(outer_), 0700u);
}

TEST_F(FileStoreTest, LeavesNoTemporaryFileBehind) {
  Put("a", "x");
  Put("a", "y");
  EXPECT_EQ(Put("a", "z", PutMode::kCreateOnly), PutOutcome::kAlreadyExists);
  EXPECT_EQ(Put("b", "z", PutMode::kCreateOnly), PutOutcome::kStored);
  EXPECT_THAT(Names(root_), ::testing::UnorderedElementsAre("a", "b"));
  struct stat info;
  ASSERT_EQ(stat((root_ / "b").c_str(), &info), 0);
  EXPECT_EQ(info.st_nlink, 1u);
}

TEST_F(FileStoreTest, TemporaryFilesAreNeverObjects) {
  Put("a/x", "x");
  std::ofstream(root_ / "a" / ".s3v-tmp-0123") << "left by a crash";
  EXPECT_EQ(store_->List("", never_).size(), 1u);
  for (const char* key : {".s3v-tmp-0123", "a/.s3v-tmp-0123", ".s3v-tmp-x/y"}) {
    EXPECT_EQ(GetCode(key), Code::kInvalidArgument) << key;
    EXPECT_EQ(CodeOf([&] { Put(key, "x"); }), Code::kInvalidArgument) << key;
  }
}

TEST_F(FileStoreTest, ListingRemovesTemporaryFilesOfADayAgo) {
  Put("a/x", "x");
  const fs::path young = root_ / "a" / ".s3v-tmp-young";
  const fs::path old = root_ / "a" / ".s3v-tmp-old";
  std::ofstream(young) << "being written";
  std::ofstream(old) << "left by a crash";
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(25));
  EXPECT_EQ(store_->List("a/", never_).size(), 1u);
  EXPECT_TRUE(fs::exists(young));
  EXPECT_FALSE(fs::exists(old));
}

TEST_F(FileStoreTest, FollowsNoSymbolicLinkBelowItsRoot) {
  Put("a/x", "x");
  std::ofstream(outer_ / "secret") << "secret";
  fs::create_directory(outer_ / "other");
  std::ofstream(outer_ / "other" / "file") << "secret";
  fs::create_symlink(outer_ / "secret", root_ / "a" / "link");
  fs::create_directory_symlink(outer_ / "other", root_ / "dir");
  EXPECT_EQ(GetCode("a/link"), Code::kPermissionDenied);
  EXPECT_EQ(GetCode("dir/file"), Code::kPermissionDenied);
  EXPECT_EQ(CodeOf([&] { Put("dir/new", "x"); }), Code::kPermissionDenied);
  EXPECT_EQ(CodeOf([&] { store_->Delete(std::vector<ObjectKey>{"dir/file"}, never_); }), Code::kPermissionDenied);
  EXPECT_EQ(CodeOf([&] { store_->List("dir/", never_); }), Code::kPermissionDenied);
  EXPECT_EQ(store_->List("", never_).size(), 1u);
  EXPECT_FALSE(fs::exists(outer_ / "other" / "new"));
  EXPECT_TRUE(fs::exists(outer_ / "other" / "file"));
  // Overwriting replaces the link, not what it points to.
  Put("a/link", "mine");
  std::ifstream secret(outer_ / "secret");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(secret), {}), "secret");
}

TEST_F(FileStoreTest, ItsRootMayBeReachedThroughALink) {
  fs::create_directories(outer_ / "real");
  fs::create_directory_symlink(outer_ / "real", outer_ / "link");
  const auto store = MakeFileStore(outer_ / "link");
  store->Put("k", AsBytes("v"), PutMode::kOverwrite, never_);
  EXPECT_TRUE(fs::exists(outer_ / "real" / "k"));
}

TEST_F(FileStoreTest, WaitsForNoPipe) {
  Put("a", "x");
  ASSERT_EQ(mkfifo((root_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(GetCode("pipe"), Code::kPermissionDenied);
  EXPECT_EQ(store_->List("", never_).size(), 1u);
}

TEST_F(FileStoreTest, AnObjectIsNoDirectory) {
  Put("a/b", "x");
  EXPECT_EQ(GetCode("a"), Code::kObjectMissing);
  EXPECT_EQ(GetCode("a/b/c"), Code::kObjectMissing);
  EXPECT_EQ(CodeOf([&] { Put("a/b/c", "x"); }), Code::kIoError);
  EXPECT_EQ(CodeOf([&] { Put("a", "x"); }), Code::kIoError);
}

TEST_F(FileStoreTest, DeleteTakesEmptyDirectoriesAlong) {
  Put("index/segment/1", "x");
  Put("index/segment/2", "x");
  Put("other/1", "x");
  store_->Delete(std::vector<ObjectKey>{"index/segment/1"}, never_);
  EXPECT_TRUE(fs::exists(root_ / "index/segment/2"));
  store_->Delete(std::vector<ObjectKey>{"index/segment/2", "other/1"}, never_);
  EXPECT_TRUE(fs::exists(root_));
  EXPECT_THAT(Names(root_), IsEmpty());
}

TEST_F(FileStoreTest, PutsAndDeletesInOneDirectoryDoNotDisturbEachOther) {
  std::atomic<int> stored{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const auto store = MakeFileStore(root_);
      NeverStop never;
      for (int round = 0; round < 40; ++round) {
        const std::vector<ObjectKey> key = {"x/y/" + std::to_string(i)};
        stored += store->Put(key[0], AsBytes("v"), PutMode::kCreateOnly, never) == PutOutcome::kStored;
        if (store->Get(key[0], 10, never) == Bytes{'v'}) store->Delete(key, never);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stored, 160);
  EXPECT_THAT(Names(root_), IsEmpty());
}

TEST_F(FileStoreTest, AWriteThatFailsLeavesNothing) {
  // A limit on file sizes fails like a full disk: a short write, then an error.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit tight{.rlim_cur = 4096, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);
  const Code code = CodeOf([&] { Put("big", std::string(100'000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(code, Code::kIoError);
  EXPECT_THAT(Names(root_), IsEmpty());
}

TEST_F(FileStoreTest, NumbersOfTheSystemBecomeCodes) {
  for (const auto& [number, code] :
       {std::pair{ENOSPC, Code::kDiskFull}, std::pair{EDQUOT, Code::kDiskFull},
        std::pair{EACCES, Code::kPermissionDenied}, std::pair{EROFS, Code::kPermissionDenied},
        std::pair{EIO, Code::kIoError}, std::pair{ENOMEM, Code::kOutOfMemory}}) {
    EXPECT_EQ(CodeOf([&] { ThrowFileError("could not test", number); }), code) << number;
  }
}

TEST_F(FileStoreTest, ErrorsNameTheFile) {
  try {
    store_->Put("a/b", AsBytes("x"), PutMode::kOverwrite, never_);
    store_->Put("a/b/c", AsBytes("x"), PutMode::kOverwrite, never_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr((root_ / "a/b/c").string()));
  }
}

TEST_F(FileStoreTest, CancelDuringALargePutLeavesNothing) {
  class StopLater final : public Stop {
   public:
    bool Requested() override { return ++looks > 3; }
    int looks = 0;
  } stop;
  const Bytes data(64 << 20, 7);
  EXPECT_EQ(CodeOf([&] { store_->Put("big", data, PutMode::kOverwrite, stop); }), Code::kCancelled);
  EXPECT_THAT(Names(root_), IsEmpty());
}

}  // namespace
}  // namespace s3v
