// Thousands of schedules of writes, syncs, queries, clean-ups and crashes over a model of PostgreSQL's snapshots:
// whatever the order of steps, a query answers what its snapshot shows.
#include <gtest/gtest.h>

#include <iostream>

#include "model/core_index.h"
#include "model/map_index.h"
#include "model/schedule.h"

namespace s3v::model {
namespace {

Tally RunAll(uint64_t first_seed, uint64_t count, const Mix& mix, const MakeIndex& make_index) {
  Tally tally;
  for (uint64_t seed = first_seed; seed < first_seed + count; ++seed) {
    const Outcome outcome = Schedule(seed, mix, make_index, {}).Run();
    tally.Add(outcome.tally);
    if (!outcome.violation) continue;
    ADD_FAILURE() << "seed " << seed << ", " << outcome.violation->oracle << ": " << outcome.violation->text << "\n"
                  << outcome.steps;
    break;
  }
  return tally;
}

void Tell(const Tally& tally) {
  const Comparisons& made = tally.comparisons;
  std::cout << tally.schedules << " schedules, " << tally.steps << " steps, " << tally.transactions << " transactions, "
            << tally.syncs << " syncs with " << tally.versions << " new versions (" << tally.limited << " limited, "
            << tally.whole << " whole), " << tally.disasters << " disasters\n"
            << made.total() << " comparisons: " << made.answers_by_index << " by index, " << made.answers_mixed
            << " mixed, " << made.answers_by_source << " by source, " << made.committed << " committed, "
            << made.collected << " collected; " << made.puts << " puts, " << made.deletes << " deletes\nerrors:";
  for (const auto& [sqlstate, count] : tally.errors) std::cout << " " << sqlstate << " " << count;
  std::cout << std::endl;
}

TEST(Schedules, OnAMap) { Tell(RunAll(1, 10'000, {}, MakeMapIndex)); }

TEST(Schedules, OnTheCore) { Tell(RunAll(1, 2'000, {}, MakeCoreIndex)); }

// --gtest_also_run_disabled_tests --gtest_filter='*Long*'
TEST(Schedules, DISABLED_LongOnAMap) { Tell(RunAll(1'000'000, 100'000, {}, MakeMapIndex)); }
TEST(Schedules, DISABLED_LongOnTheCore) { Tell(RunAll(2'000'000, 20'000, {}, MakeCoreIndex)); }

}  // namespace
}  // namespace s3v::model
