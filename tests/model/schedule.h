// Sessions that do at random what users, pg_cron and disasters do, one step at a time, all decided by one seed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/index.h"
#include "model/oracles.h"
#include "model/recipe.h"
#include "model/statements.h"

namespace s3v::model {

// Makes the index of a schedule.
using MakeIndex = std::function<std::unique_ptr<Index>(const Clock& clock, StoreWatch& watch)>;

// How often what happens, in thousandths: of transactions, statements or steps.
struct Mix {
  // Of transactions.
  int repeatable_read = 350;
  int asynchronous = 200;
  int prepared = 60;
  int rolled_back = 100;
  // Of statements; the rest are writes.
  int queries = 250;
  int elsewhere = 40;  // in other tables: takes a snapshot, or an id
  int syncs = 70;
  int limited_syncs = 90;
  int rebuilds = 15;
  int reconciles = 15;
  int truncates = 20;
  int collects = 50;
  int savepoints = 60;
  int switches = 12;
  int queries_in_writes = 200;  // of writes
  int store_failures = 40;      // of syncs
  // Of steps.
  int crashes = 4;
  int kills = 3;
  int restores = 1;
  // Of schedules.
  int without_index = 150;
  int steps = 400;

  // The same with some of it left out and some of it three times as often: what hides in the middle shows at the edges.
  Mix Varied(Random& random) const;
};

struct Tally {
  uint64_t schedules = 0;
  uint64_t steps = 0;
  uint64_t transactions = 0;
  uint64_t syncs = 0;     // that had something to do, also if rolled back later
  uint64_t versions = 0;  // published by them
  uint64_t limited = 0;
  uint64_t whole = 0;
  uint64_t disasters = 0;
  std::map<std::string, uint64_t> errors;  // by SQLSTATE
  Comparisons comparisons;
  void Add(const Tally& more);
};

struct Outcome {
  std::optional<Violation> violation;
  Tally tally;
  std::string steps;  // of a schedule that violated something
};

class Schedule {
 public:
  Schedule(uint64_t seed, const Mix& mix, const MakeIndex& make_index, std::set<Mutation> mutations);
  Outcome Run();

 private:
  bool Chance(int thousandths) { return static_cast<int>(random_.Below(1000)) < thousandths; }

  void Prepare();
  void Step();
  bool Disaster();
  void KillAll();
  void RunAlone(Task<> work);
  void Finish();

  Task<> Client(Session& session);
  Task<> Statement(Session& session);
  Task<> Query(Session& session);
  Task<> Sync(Session& session, SyncMode mode, bool is_limited);
  Task<> Collect(Session& session);
  Task<> LastSync(Session& session);
  Task<> LastCollect(Session& session);
  std::vector<Write> RandomWrites(Session& session);
  void SavepointWork(Session& session);
  void End(Session& session);
  bool HasIndex() const;

  Random random_;
  Mix mix_;
  Server server_;
  Oracles oracles_;
  std::unique_ptr<Index> index_;
  Recipe recipe_;
  std::vector<std::unique_ptr<Session>> sessions_;
  Content next_content_ = 1;
  // One for all: after a shorter one that was rolled back, a longer one meets versions whose objects are gone
  // (stories).
  int64_t keep_seconds_ = 0;
  uint64_t commits_checked_ = 0;
  Tally tally_;
};

}  // namespace s3v::model
