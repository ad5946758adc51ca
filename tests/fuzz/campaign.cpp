#include "fuzz/campaign.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/changing_store.h"
#include "store/cached_store.h"

namespace s3v::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSyncEvery = 64;  // a sync takes as long as all questions
constexpr uint64_t kCheckEvery = 4;

// A local cache's directory, and what it held.
class CacheFolder {
 public:
  explicit CacheFolder(Random& random)
      : random_(random), path_(fs::temp_directory_path() / ("s3v-flips-" + IdText(RandomId()))) {
    Clear();
  }
  ~CacheFolder() { fs::remove_all(path_); }
  CacheFolder(const CacheFolder&) = delete;
  CacheFolder& operator=(const CacheFolder&) = delete;

  // Each stands for a process of its own.
  std::unique_ptr<ObjectStore> Over(ObjectStore& store) const {
    const LocalCacheConfig config{.directory = path_.string(), .max_bytes = 64 << 20, .store = "store"};
    return MakeCachedStore(std::make_unique<testing::ChangingStore>(store, nullptr), config, true);
  }

  void Clear() const {
    fs::remove_all(path_);
    fs::create_directory(path_);
    fs::permissions(path_, fs::perms::owner_all);
  }
  void Remember() {
    files_.clear();
    for (const auto& entry : fs::directory_iterator(path_)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      files_[entry.path().filename()] = {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    }
  }
  // As it was, but for one file. Answers what was done to it.
  std::string RestoreDamaged(uint64_t* changed) const {
    Clear();
    auto damaged = files_.begin();
    std::advance(damaged, static_cast<ptrdiff_t>(random_.Below(files_.size())));
    for (auto file = files_.begin(); file != files_.end(); ++file) {
      std::string bytes = file->second;
      if (file == damaged) *changed += Damage(bytes);
      std::ofstream(path_ / file->first, std::ios::binary) << bytes;
    }
    return damaged->first;
  }

 private:
  uint64_t Damage(std::string& bytes) const {
    if (bytes.empty()) return 0;
    const size_t at = random_.Below(bytes.size());
    if (random_.Below(8) == 0) {
      bytes.resize(at);
      return 0;
    }
    bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1 + random_.Below(255)));
    return 1;
  }

  Random& random_;
  fs::path path_;
  std::map<std::string, std::string> files_;
};

}  // namespace

std::string_view NameOf(DamageKind kind) {
  constexpr std::string_view kNames[kDamageKinds] = {
      "byte flipped", "bytes changed",      "block of zeros",  "parts swapped",   "cut", "extended", "emptied",
      "deleted",      "of another version", "of same version", "of another index"};
  return kNames[static_cast<size_t>(kind)];
}

std::vector<SubjectOptions> AllSubjects() {
  return {
      {.name = "integer keys, l2, f16, metadata", .raw = RawPlane::kFloat16},
      {.name = "text keys, cosine, f32, in two lists, metadata",
       .keys = KeyKind::kText,
       .metric = Metric::kCosine,
       .raw = RawPlane::kFloat32,
       .bits = 2,
       .duplicates = Duplicates::kOn},
      {.name = "uuid keys, inner product",
       .keys = KeyKind::kUuid,
       .metric = Metric::kInnerProduct,
       .bits = 1,
       .has_metadata = false},
  };
}

void Campaign::FlipBytes(uint64_t most, uint64_t step) {
  const uint64_t end = counts_.tried + most;
  while (counts_.tried < end) {
    for (const auto& [key, object] : subject_.objects()) {
      for (size_t at = step > 1 ? random_.Below(step) : 0; at < object.size() && counts_.tried < end; at += step) {
        Bytes bytes = object;
        bytes[at] ^= static_cast<uint8_t>(1 + random_.Below(255));
        ++counts_.bytes;
        Try(DamageKind::kFlip, key, &bytes);
      }
    }
  }
}

void Campaign::DamageObjects(uint64_t trials) {
  for (uint64_t trial = 0; trial < trials; ++trial) {
    const auto kind = static_cast<DamageKind>(1 + trial % (kDamageKinds - 1));
    auto object = subject_.objects().begin();
    std::advance(object, static_cast<ptrdiff_t>(random_.Below(subject_.objects().size())));
    const auto& [key, whole] = *object;
    if (kind == DamageKind::kGone) {
      Try(kind, key, nullptr);
      continue;
    }
    Bytes bytes;
    if (kind == DamageKind::kOlder) {
      bytes = OneOf(subject_.older());
    } else if (kind == DamageKind::kAnother) {
      bytes = OneOf(subject_.objects(), key);
    } else if (kind == DamageKind::kForeign) {
      bytes = OneOf(others_);
    } else {
      bytes = Damaged(kind, whole, &counts_.bytes);
    }
    Try(kind, key, &bytes);
  }
}

Bytes Campaign::Damaged(DamageKind kind, const Bytes& object, uint64_t* changed) {
  Bytes bytes = object;
  const size_t at = random_.Below(bytes.size());
  const size_t length = std::min<size_t>(1 + random_.Below(64), bytes.size() - at);
  switch (kind) {
    case DamageKind::kSeveral:
      for (uint64_t i = 1 + random_.Below(8); i > 0; --i, ++*changed)
        bytes[random_.Below(bytes.size())] ^= static_cast<uint8_t>(1 + random_.Below(255));
      break;
    case DamageKind::kZeros:
      std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(at), length, 0);
      *changed += length;
      break;
    case DamageKind::kSwapRanges: {
      const size_t other = random_.Below(bytes.size() - length + 1);
      for (size_t i = 0; i < length; ++i) std::swap(bytes[at + i], bytes[other + i]);
      *changed += 2 * length;
      break;
    }
    case DamageKind::kCut:
      bytes.resize(at);
      break;
    case DamageKind::kExtend:
      bytes.insert(bytes.end(), length, static_cast<uint8_t>(random_.Next()));
      break;
    default:
      bytes.clear();
  }
  return bytes;
}

const Bytes& Campaign::OneOf(const std::map<std::string, Bytes>& objects, const std::string& but) {
  while (true) {
    auto object = objects.begin();
    std::advance(object, static_cast<ptrdiff_t>(random_.Below(objects.size())));
    if (object->first != but) return object->second;
  }
}

void Campaign::Try(DamageKind kind, const std::string& key, const Bytes* bytes) {
  const Bytes& whole = subject_.objects().at(key);
  if (bytes != nullptr) {
    subject_.Put(key, *bytes);
  } else {
    subject_.Remove(key);
  }
  ++counts_.in_store;
  ++counts_.by_kind[static_cast<size_t>(kind)];
  const std::string what = subject_.name() + ", " + key + " " + std::string(NameOf(kind));
  ObjectStore& store = subject_.store();
  const bool is_small = key.find("/manifest/") != std::string::npos || key.find("/owner/") != std::string::npos;
  const Subject::Result result = is_small ? subject_.AskOwner(store, key) : subject_.AskAll(store, key);
  Count(result, false, what);
  if (!is_small && random_.Below(kSyncEvery) == 0) {
    ++counts_.with_sync;
    const Subject::Result followed = subject_.Follow(store, key);
    if (followed.end == Subject::End::kWrong || !followed.is_named) Complain(what, followed);
  }
  const bool is_owner = key.find("/owner/") != std::string::npos;
  if (result.end == Subject::End::kRefused && (result.check_can_see || (is_small && !is_owner)) &&
      random_.Below(kCheckEvery) == 0 && !subject_.CheckFindsDamage(store)) {
    ++counts_.unseen;
    counts_.complaints.push_back(what + ": not found by check: " + result.complaint);
  }
  subject_.Put(key, whole);
}

void Campaign::DamageCache(uint64_t trials) {
  CacheFolder folder(random_);
  {
    const auto cached = folder.Over(subject_.store());
    subject_.AskAll(*cached, {}, Subject::Way::kCached);
  }
  folder.Remember();
  for (uint64_t trial = 0; trial < trials; ++trial) {
    ++counts_.in_cache;
    if (trial % 4 < 3) {
      const std::string file = folder.RestoreDamaged(&counts_.bytes);
      Count(subject_.AskAll(*folder.Over(subject_.store()), {}, Subject::Way::kCached), true,
            subject_.name() + ", cache file " + file);
      continue;
    }
    // Damage in the store while the cache fills: once the store is whole again, so are the answers.
    folder.Clear();
    auto object = subject_.objects().begin();
    std::advance(object, static_cast<ptrdiff_t>(random_.Below(subject_.objects().size())));
    Bytes bytes = object->second;
    bytes[random_.Below(bytes.size())] ^= 0x10;
    ++counts_.bytes;
    subject_.Put(object->first, bytes);
    Subject::Result result = subject_.AskAll(*folder.Over(subject_.store()), object->first, Subject::Way::kCached);
    if (result.end != Subject::End::kWrong && result.is_named) {
      subject_.Put(object->first, object->second);
      result = subject_.AskAll(*folder.Over(subject_.store()), {}, Subject::Way::kCached);
    }
    subject_.Put(object->first, object->second);
    Count(result, true, subject_.name() + ", " + object->first + " damaged while the cache filled");
  }
}

void Campaign::DamageOnTheWay(uint64_t trials) {
  uint64_t arrivals = 0;
  testing::ChangingStore counting(subject_.store(), [&](Bytes&) { ++arrivals; });
  subject_.AskAll(counting, {});
  for (uint64_t trial = 0; trial < trials; ++trial) {
    ++counts_.on_the_way;
    ++counts_.bytes;
    uint64_t left = random_.Below(arrivals);
    const uint64_t at = random_.Next();
    testing::ChangingStore changing(subject_.store(), [&](Bytes& bytes) {
      if (left-- == 0) bytes[at % bytes.size()] ^= static_cast<uint8_t>(1 + at % 255);
    });
    Count(subject_.AskAll(changing, {}), true, subject_.name() + ", a range that arrived damaged");
  }
}

void Campaign::Count(const Subject::Result& result, bool must_be_right, const std::string& what) {
  ++counts_.tried;
  if (result.end == Subject::End::kRight) {
    ++counts_.right;
  } else if (result.end == Subject::End::kRefused && !must_be_right && result.is_named) {
    ++counts_.refused;
  } else {
    Complain(what, result);
  }
}

void Campaign::Complain(const std::string& what, const Subject::Result& result) {
  ++(result.end == Subject::End::kWrong ? counts_.silent : counts_.unnamed);
  constexpr size_t kMost = 20;
  if (counts_.complaints.size() >= kMost) return;
  counts_.complaints.push_back(what + ": " + result.where + ": " +
                               (result.end == Subject::End::kWrong ? "wrong answer" : result.complaint));
}

}  // namespace s3v::fuzz
