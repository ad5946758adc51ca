// Damage to whole indexes, byte by byte: every answer is right, or an error that names the damaged object.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "fuzz/subject.h"

namespace s3v::fuzz {

enum class DamageKind {
  kFlip,        // one byte
  kSeveral,     // up to eight bytes
  kZeros,       // of a block, as a lost write leaves them
  kSwapRanges,  // two parts of an object
  kCut,
  kExtend,
  kEmpty,
  kGone,
  kOlder,    // an object of another version
  kAnother,  // one of the same version
  kForeign,  // one of another index
};
inline constexpr size_t kDamageKinds = 11;
std::string_view NameOf(DamageKind kind);

struct CampaignCounts {
  uint64_t tried = 0;
  uint64_t bytes = 0;     // that were changed
  uint64_t right = 0;     // all answers were right: what was damaged is not read
  uint64_t refused = 0;   // an error named the object
  uint64_t silent = 0;    // a wrong answer
  uint64_t unnamed = 0;   // another error
  uint64_t unseen = 0;    // refused, but s3v_check would not have found it
  uint64_t in_store = 0;  // trials by where the damage was
  uint64_t in_cache = 0;
  uint64_t on_the_way = 0;
  uint64_t with_sync = 0;  // that a sync was tried with as well
  std::array<uint64_t, kDamageKinds> by_kind{};
  std::vector<std::string> complaints;  // the first of silent, unnamed and unseen

  bool is_clean() const { return silent == 0 && unnamed == 0 && unseen == 0; }
};

// Indexes with integer, text and uuid keys, of each metric, with and without raw vectors, metadata, duplicates.
std::vector<SubjectOptions> AllSubjects();

class Campaign {
 public:
  // `others`: objects of another index. Both must outlive it.
  Campaign(const Subject& subject, const std::map<std::string, Bytes>& others, uint64_t seed)
      : subject_(subject), others_(others), random_(seed) {}

  // Every byte of every object once, then again, until so many were flipped; `step` > 1 leaves bytes out.
  void FlipBytes(uint64_t most, uint64_t step = 1);
  // Damage of all other kinds, by turns.
  void DamageObjects(uint64_t trials);
  // Damage of the local cache's files, and damage in the store that must not stay in the cache: all answers are right
  // where the store is whole.
  void DamageCache(uint64_t trials);
  // Ranges that arrive damaged, once: the answers are right.
  void DamageOnTheWay(uint64_t trials);

  const CampaignCounts& counts() const { return counts_; }

 private:
  void Try(DamageKind kind, const std::string& key, const Bytes* bytes);
  Bytes Damaged(DamageKind kind, const Bytes& object, uint64_t* changed);
  const Bytes& OneOf(const std::map<std::string, Bytes>& objects, const std::string& but = {});
  void Count(const Subject::Result& result, bool must_be_right, const std::string& what);
  void Complain(const std::string& what, const Subject::Result& result);

  const Subject& subject_;
  const std::map<std::string, Bytes>& others_;
  Random random_;
  CampaignCounts counts_;
};

}  // namespace s3v::fuzz
