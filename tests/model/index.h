// What the recipe asks of the core: versions built, updated, answered from and collected.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/snapshot.h"

namespace s3v::model {

using Key = int64_t;
// What a row holds beside its key, as a number: the vector and the metadata follow from it. 0: the vector is NULL.
using Content = int64_t;
constexpr Content kNoVector = 0;

struct IndexedRow {
  Key key = 0;
  Content content = 0;
  auto operator<=>(const IndexedRow&) const = default;
};

// Objects of a version, as the version row holds them.
struct Published {
  ObjectId manifest{};
  VersionNames names;
};

// What the store was asked to do; the oracles look at it.
class StoreWatch {
 public:
  virtual ~StoreWatch() = default;
  virtual void OnPut(const std::string& object) = 0;
  virtual void OnDelete(const std::string& object) = 0;
};

// Raised when the store fails, because the schedule wants it to.
struct StoreFailure {};

class Index {
 public:
  // A row as the sync's snapshot sees it, if it sees one with a vector.
  using ReadRow = std::function<bool(Key, Content*)>;

  virtual ~Index() = default;

  // The n-th object written from now on is the last before the store fails; negative: none.
  virtual void FailAfter(int objects) = 0;

  virtual Published Build(const std::vector<IndexedRow>& rows) = 0;
  // False: the changes came to nothing, the version stands.
  virtual bool Update(const Published& current, const std::set<Key>& changed, const ReadRow& read,
                      Published* updated) = 0;

  // Every row of the version whose key is not in `without`, by a search that probes all lists.
  virtual std::vector<IndexedRow> SearchAll(const Published& version, const std::set<Key>& without) = 0;
  // The same from the key planes, each key once.
  virtual const std::map<Key, Content>& Contents(const Published& version) = 0;

  // The fence: the number claimed, and whether it is still the newest.
  virtual uint64_t ClaimOwnership(uint64_t recorded) = 0;
  virtual void VerifyOwnership(uint64_t number) = 0;

  virtual void Collect(const std::vector<ObjectId>& retained_manifests, int64_t keep_seconds, uint64_t owner) = 0;

  // Objects that a version consists of; objects on the store but owner markers, with the time they were written.
  virtual std::set<std::string> ObjectsOf(const ObjectId& manifest) = 0;
  virtual std::map<std::string, int64_t> Stored() = 0;
};

}  // namespace s3v::model
