// The model test is only worth what it notices: each rule of the recipe, switched off, must be missed by a fixed range
// of seeds.
#include <gtest/gtest.h>

#include <iostream>

#include "model/map_index.h"
#include "model/schedule.h"

namespace s3v::model {
namespace {

struct Case {
  const char* name;
  std::set<Mutation> mutations;
  Mix mix;
  uint64_t seeds = 2000;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

// What a rare rule needs to matter happens more often, and little else.
Mix Busy(void (*change)(Mix& mix)) {
  Mix mix{.asynchronous = 0,
          .prepared = 0,
          .queries = 150,
          .limited_syncs = 0,
          .rebuilds = 0,
          .reconciles = 0,
          .truncates = 0,
          .collects = 0,
          .savepoints = 0,
          .switches = 0,
          .queries_in_writes = 0,
          .store_failures = 0,
          .crashes = 0,
          .kills = 0,
          .restores = 0,
          .without_index = 0};
  change(mix);
  return mix;
}

constexpr uint64_t kRare = 6000;  // seeds, where a rule matters in one schedule of a thousand

constexpr uint64_t kEnough = 5;

class Caught : public ::testing::TestWithParam<Case> {};

TEST_P(Caught, ByAFixedRangeOfSeeds) {
  uint64_t caught = 0;
  uint64_t first = 0;
  std::map<std::string, uint64_t> by;
  uint64_t run = 0;
  for (uint64_t seed = 1; seed <= GetParam().seeds && caught < kEnough; ++seed, ++run) {
    const Outcome outcome = Schedule(seed, GetParam().mix, MakeMapIndex, GetParam().mutations).Run();
    if (!outcome.violation) continue;
    if (caught++ == 0) first = seed;
    ++by[outcome.violation->oracle];
  }
  EXPECT_GT(caught, 0U);
  std::cout << GetParam().name << ": caught in " << caught << " of " << run << " schedules, first by seed " << first;
  for (const auto& [oracle, count] : by) std::cout << ", " << oracle << " " << count;
  std::cout << std::endl;
}

const Case kCases[] = {
    {"Watermark", {Mutation::kWatermark}, {}},
    {"QueryTwoSnapshots", {Mutation::kQueryTwoSnapshots}, {}},
    {"QueryFreshSnapshots", {Mutation::kQueryFreshSnapshots}, {}},
    {"IgnoresPendingTriggers", {Mutation::kIgnoresPendingTriggers}, {}},
    {"StaleBySnapshotOnly", {Mutation::kStaleBySnapshotOnly}, Busy([](Mix& mix) {
       mix.switches = 40;
       mix.repeatable_read = 600;
       mix.elsewhere = 100;
     })},
    {"IgnoresSystemIdentifier", {Mutation::kIgnoresSystemIdentifier}, Busy([](Mix& mix) { mix.restores = 10; })},
    {"RecordsXmaxOnly", {Mutation::kRecordsXmaxOnly}, {}},
    {"OwnXidMissing", {Mutation::kOwnXidMissing}, {}},
    {"LimitedRecordsXmaxOnly", {Mutation::kLimitedRecordsXmaxOnly}, {}},
    {"LimitedRecordsXminOnly", {Mutation::kLimitedRecordsXminOnly}, {}},
    {"LimitedRecordsLowestLeftOnly", {Mutation::kLimitedRecordsLowestLeftOnly}, Busy([](Mix& mix) {
       mix.limited_syncs = 250;
     })},
    {"DeletesUnderNewerSnapshot", {Mutation::kDeletesUnderNewerSnapshot}, {}},
    {"InsertOnlyVersionRow", {Mutation::kInsertOnlyVersionRow, Mutation::kNoFence}, Busy([](Mix& mix) {
       mix.repeatable_read = 700;
       mix.elsewhere = 100;
       mix.syncs = 250;
     })},
    {"LockAfterSnapshot", {Mutation::kLockAfterSnapshot, Mutation::kNoCounts, Mutation::kNoFence}, {}},
    {"NoLock", {Mutation::kNoLock, Mutation::kNoCounts, Mutation::kNoFence}, {}},
    {"KeyChangeLogsNewOnly", {Mutation::kKeyChangeLogsNewOnly}, {}},
    {"EverythingMasksAll",  // bug A of the trial
     {Mutation::kEverythingMasksAll},
     Busy([](Mix& mix) {
       mix.repeatable_read = 700;
       mix.elsewhere = 100;
       mix.truncates = 80;
       mix.syncs = 250;
     }),
     kRare},
    {"EverythingMasksAllLimited",
     {Mutation::kEverythingMasksAllLimited},
     Busy([](Mix& mix) {
       mix.repeatable_read = 0;
       mix.rolled_back = 0;
       mix.truncates = 40;
       mix.elsewhere = 500;
       mix.queries = 20;
       mix.syncs = 0;
       mix.limited_syncs = 30;
     }),
     kRare},
    {"BuildsOwnVersionZero",  // bug B of the trial
     {Mutation::kBuildsOwnVersionZero, Mutation::kChecksCaptureAsOfNow},
     Busy([](Mix& mix) {
       mix.without_index = 1000;
       mix.repeatable_read = 600;
       mix.elsewhere = 100;
     })},
    {"ChecksCaptureAsOfNow",
     {Mutation::kChecksCaptureAsOfNow},
     Busy([](Mix& mix) {
       mix.switches = 100;
       mix.repeatable_read = 600;
       mix.elsewhere = 150;
       mix.queries = 50;
       mix.rebuilds = 100;
       mix.reconciles = 100;
     }),
     kRare},
    {"ClearsUnseenStaleMarks",
     {Mutation::kClearsUnseenStaleMarks},
     Busy([](Mix& mix) {
       mix.switches = 100;
       mix.queries = 50;
       mix.rebuilds = 100;
       mix.reconciles = 100;
     }),
     kRare},
    {"CollectsWithoutLock", {Mutation::kCollectsWithoutLock, Mutation::kNoFence}, {}},
    {"CollectsUnderOldSnapshot", {Mutation::kCollectsUnderOldSnapshot}, Busy([](Mix& mix) {
       mix.repeatable_read = 600;
       mix.collects = 200;
     })},
    {"CollectsVersionsInUse", {Mutation::kCollectsVersionsInUse}, {}},
    {"CollectsBeforeFlush", {Mutation::kCollectsBeforeFlush}, Busy([](Mix& mix) {
       mix.asynchronous = 900;
       mix.crashes = 15;
       mix.collects = 200;
       mix.syncs = 200;
     })},
};

INSTANTIATE_TEST_SUITE_P(Each, Caught, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

// Guards behind others: without them nothing is lost, only found out later.
class Harmless : public ::testing::TestWithParam<Case> {};

TEST_P(Harmless, BecauseAnotherGuardHolds) {
  Tally tally;
  for (uint64_t seed = 1; seed <= GetParam().seeds; ++seed) {
    const Outcome outcome = Schedule(seed, GetParam().mix, MakeMapIndex, GetParam().mutations).Run();
    tally.Add(outcome.tally);
    ASSERT_FALSE(outcome.violation) << "seed " << seed << ", " << outcome.violation->oracle << ": "
                                    << outcome.violation->text << "\n"
                                    << outcome.steps;
  }
  EXPECT_GT(tally.errors["40001"], 0U);
}

const Case kHarmless[] = {
    // The UPDATE of a row that was changed since raises 40001 by itself.
    {"NoRepeatableReadCheck", {Mutation::kNoRepeatableReadCheck}, Busy([](Mix& mix) { mix.repeatable_read = 700; })},
    // Rows deleted and updated are counted: a second lock, that fails instead of losing data.
    {"NoLock", {Mutation::kNoLock, Mutation::kNoFence}, Busy([](Mix& mix) { mix.limited_syncs = 100; })},
    {"LockAfterSnapshot", {Mutation::kLockAfterSnapshot, Mutation::kNoFence}, {}},
    {"NoCounts", {Mutation::kNoCounts}, {}},
};

INSTANTIATE_TEST_SUITE_P(Each, Harmless, ::testing::ValuesIn(kHarmless),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace s3v::model
