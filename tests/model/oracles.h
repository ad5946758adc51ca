// What must hold after every step, whatever the schedule: O1 to O5 of the list that the tests of this project share.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "model/recipe.h"

namespace s3v::model {

// What was promised and did not hold.
struct Violation {
  std::string oracle;
  std::string text;
};

struct Comparisons {
  uint64_t answers_by_index = 0;  // O1, O2: no pending rows
  uint64_t answers_mixed = 0;
  uint64_t answers_by_source = 0;
  uint64_t committed = 0;  // O3
  uint64_t collected = 0;  // O4
  uint64_t puts = 0;       // O5
  uint64_t deletes = 0;
  uint64_t total() const { return answers_by_index + answers_mixed + answers_by_source + committed + collected; }
  void Add(const Comparisons& more);
};

class Oracles final : public StoreWatch {
 public:
  explicit Oracles(Server& server) : server_(server) {}
  // Needed by all but the watching of the store.
  void Watch(const Recipe& recipe, Index& index) {
    recipe_ = &recipe;
    index_ = &index;
  }

  // O1, O2: the answer is what a scan under the statement's snapshot shows, each row once; a key twice only if it does.
  void CheckAnswer(const Transaction& transaction, const Answer& answer);
  // O3: what is committed now. The version's contents, but for pending keys, are the table's.
  void CheckCommitted();
  // O4: the store holds what retained versions consist of, and beside it only what is too young to go.
  void CheckCollected(const Recipe::Retained& retained, int64_t keep_seconds);
  // After a last sync and clean-up with nobody else there: nothing is left in the log, nor beside the version's
  // objects.
  void CheckQuiet();
  // O5: no object is written twice, none goes that somebody can still need.
  void OnPut(const std::string& object) override;
  void OnDelete(const std::string& object) override;

  const Comparisons& comparisons() const { return comparisons_; }

 private:
  std::set<std::string> NeededObjects();

  Server& server_;
  const Recipe* recipe_ = nullptr;
  Index* index_ = nullptr;
  std::set<std::string> written_;
  std::set<std::string> needed_;  // as of needed_at_
  size_t needed_at_ = SIZE_MAX;   // events when it was found
  Comparisons comparisons_;
};

}  // namespace s3v::model
