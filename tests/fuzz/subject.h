// An index with some history, in a memory store, and the right answers to everything that is asked of it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/living_index.h"
#include "format/owner.h"
#include "fuzz/answers.h"

namespace s3v::fuzz {

// A filter over the metadata that subjects carry.
struct SubjectOptions {
  const char* name = "";
  KeyKind keys = KeyKind::kInteger;
  Metric metric = Metric::kL2;
  RawPlane raw = RawPlane::kNone;
  int bits = 4;
  bool has_metadata = true;
  Duplicates duplicates = Duplicates::kOff;
  size_t rows = 60;
};

class Subject {
 public:
  // Builds it and follows three times, so that there are several deltas, masks and fresh segments.
  explicit Subject(const SubjectOptions& options);

  // What an ask ended with.
  enum class End { kRight, kRefused, kWrong };
  struct Result {
    End end = End::kRight;
    bool is_named = true;        // kRefused: the error has the object's name
    bool check_can_see = false;  // kRefused: not only where raw vectors were read
    std::string where, complaint;
  };
  // Asks everything, also whether `damaged` (may be empty) is what the error is about. A wrong answer ends it.
  enum class Way { kDirect, kCached };
  Result AskAll(ObjectStore& store, const std::string& damaged, Way way = Way::kDirect) const;
  // Follows once more and looks at what came of it, then takes it back.
  Result Follow(ObjectStore& store, const std::string& damaged) const;
  // Reads the manifest, and claims the prefix, as a sync does.
  Result AskOwner(ObjectStore& store, const std::string& damaged) const;
  bool CheckFindsDamage(ObjectStore& store) const;

  ObjectStore& store() const { return *index_->store; }
  const std::string& name() const { return name_; }
  // Of the newest version, with marker and manifest.
  const std::map<std::string, Bytes>& objects() const { return objects_; }
  // Of versions before it.
  const std::map<std::string, Bytes>& older() const { return older_; }
  void Put(const std::string& key, ByteView bytes) const;
  void Remove(const std::string& key) const;

 private:
  Bytes MetadataOf(size_t row) const;
  std::string KeyOf(size_t row) const;
  testing::LivingIndex::Row RowOf(size_t row, uint64_t version) const;
  void FindObjects();
  template <class Work>
  Result Judge(const std::string& damaged, const char* where, const std::string& right, const Work& work) const;
  std::string FollowIn(ObjectStore& store) const;
  void RemoveNew(ObjectStore& store) const;

  std::string name_;
  SubjectOptions options_;
  std::unique_ptr<testing::LivingIndex> index_;
  std::vector<std::unique_ptr<const Expression>> filters_;
  Questions questions_;
  OwnerMarker owner_;
  uint64_t owner_number_ = 0;
  std::map<std::string, Bytes> objects_;
  std::map<std::string, Bytes> older_;
  std::vector<std::string> answers_;  // as AllQuestions()
  std::set<std::string> candidates_;  // that any of them has
  Questions cached_questions_;
  std::vector<std::string> cached_answers_;
  std::string followed_;
};

}  // namespace s3v::fuzz
