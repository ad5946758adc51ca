// Single stories of the model, step by step: those that the schedules were made to find, and what they found.
#include <gtest/gtest.h>

#include "model/core_index.h"
#include "model/map_index.h"
#include "model/schedule.h"

namespace s3v::model {
namespace {

// A server, an index over rows 1 to 3, built, and some sessions that do as they are told.
class Story {
 public:
  explicit Story(std::set<Mutation> mutations = {}, const MakeIndex& make_index = MakeMapIndex, bool has_index = true)
      : index_(make_index(server_, oracles_)), recipe_(server_, *index_, std::move(mutations)) {
    oracles_.Watch(recipe_, *index_);
    for (Key key = 1; key <= 3; ++key) server_.Source({}).Insert({key, key}, kFrozenXid, 0);
    if (!has_index) return;
    Session& creator = NewSession();
    server_.Begin(creator, Isolation::kReadCommitted);
    Do(creator, recipe_.CreateIndex(creator, true));
    server_.Commit(creator);
  }

  Session& NewSession() {
    sessions_.push_back(std::make_unique<Session>(server_, static_cast<int>(sessions_.size())));
    return *sessions_.back();
  }
  Session& Begin(Isolation isolation = Isolation::kReadCommitted) {
    Session& session = NewSession();
    server_.Begin(session, isolation);
    return session;
  }
  // With its snapshot, taken by a statement that touches nothing of ours.
  Session& BeginRepeatableRead() {
    Session& session = Begin(Isolation::kRepeatableRead);
    (void)server_.TransactionSnapshot(session.current());
    return session;
  }

  // To its end, or its error.
  void Do(Session& session, Task<> work) {
    session.Start(std::move(work));
    Finish(session);
  }
  void Finish(Session& session) {
    while (!session.is_idle()) {
      if (!session.is_ready()) throw Violation{"story", "a session waits"};
      session.Step();
    }
  }
  // Until it has come to the point.
  void DoUntil(Session& session, Task<> work, const std::string& point) {
    session.Start(std::move(work));
    do session.Step();
    while (session.at() != point);
  }

  void Insert(Session& session, Key key) {
    Do(session, User(session, recipe_).Execute({{.kind = WriteKind::kInsert, .key = key, .content = 100 + key}}));
  }
  void Delete(Session& session, Key key) {
    Do(session, User(session, recipe_).Execute({{.kind = WriteKind::kDelete, .key = key}}));
  }
  void Truncate(Session& session) { Do(session, TruncateBy(session)); }
  void Switch(Session& session, bool on) { Do(session, SwitchBy(session, on)); }
  void Commit(Session& session) { server_.Commit(session); }

  Task<> SyncBy(Session& session, SyncOptions options = {}) { result = co_await recipe_.SyncIndex(session, options); }
  void Sync(SyncOptions options = {}) {
    Session& session = Begin();
    Do(session, SyncBy(session, options));
    Commit(session);
  }
  Task<> CollectBy(Session& session, int64_t keep) {
    const auto retained = co_await recipe_.CollectIndex(session, keep);
    if (retained) oracles_.CheckCollected(*retained, keep);
  }
  void Collect() {
    server_.now += 1000;
    Session& session = Begin();
    Do(session, CollectBy(session, 0));
    Commit(session);
  }

  // Keys that a query of the session finds; the oracle has compared them.
  std::vector<Key> Query(Session& session) {
    keys_.clear();
    Do(session, QueryBy(session));
    return keys_;
  }
  std::vector<Key> Query() {
    Session& session = Begin();
    const std::vector<Key> keys = Query(session);
    Commit(session);
    return keys;
  }

  std::string CodeOf(const std::function<void()>& work) {
    try {
      work();
    } catch (const SqlError& error) {
      return error.sqlstate;
    }
    return "00000";
  }
  bool IsFine() {
    try {
      oracles_.CheckCommitted();
      (void)Query();
    } catch (const Violation&) {
      return false;
    }
    return true;
  }

  Server& server() { return server_; }
  Recipe& recipe() { return recipe_; }
  Index& index() { return *index_; }
  SyncResult result;

 private:
  Task<> QueryBy(Session& session) {
    const HeldSnapshot snapshot(server_, server_.TransactionSnapshot(session.current()));
    const Answer answer = co_await recipe_.QueryRun(session, *snapshot);
    for (const IndexedRow& row : answer.rows) keys_.push_back(row.key);
    std::ranges::sort(keys_);
    oracles_.CheckAnswer(session.current(), answer);
  }
  Task<> TruncateBy(Session& session) {
    User user(session, recipe_);
    co_await user.Truncate();
  }
  Task<> SwitchBy(Session& session, bool on) {
    User user(session, recipe_);
    co_await user.SwitchCapture(on);
  }

  Server server_{90, 1'700'000'000};
  Oracles oracles_{server_};
  std::unique_ptr<Index> index_;
  Recipe recipe_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<Key> keys_;
};

using Keys = std::vector<Key>;

// 98 is open, 100 is consumed, 105 is left by a limited sync, 98 commits.
bool LimitedSyncKeepsAll(std::set<Mutation> mutations) {
  Story story(std::move(mutations));
  Session& first = story.Begin();
  story.Insert(first, 10);
  Session& second = story.Begin();
  story.Insert(second, 11);
  story.Commit(second);
  Session& third = story.Begin();
  story.Insert(third, 12);
  story.Commit(third);
  story.Sync({.max_rows = 1});
  EXPECT_TRUE(story.result.is_limited);
  story.Commit(first);
  return story.IsFine();
}

TEST(Stories, ALimitedSyncBetweenTransactions) {
  EXPECT_TRUE(LimitedSyncKeepsAll({}));
  EXPECT_FALSE(LimitedSyncKeepsAll({Mutation::kLimitedRecordsLowestLeftOnly})) << "the first one's row is lost";
  EXPECT_FALSE(LimitedSyncKeepsAll({Mutation::kLimitedRecordsXmaxOnly})) << "the third one's row is lost";
}

TEST(Stories, AnEarlierNumberCommitsLater) {
  for (const bool by_watermark : {false, true}) {
    Story story(by_watermark ? std::set{Mutation::kWatermark} : std::set<Mutation>{});
    Session& early = story.Begin();
    story.Insert(early, 10);
    Session& late = story.Begin();
    story.Insert(late, 11);
    story.Commit(late);
    story.Sync();
    story.Commit(early);
    EXPECT_EQ(story.IsFine(), !by_watermark);
    story.Sync();
    EXPECT_EQ(story.IsFine(), !by_watermark);
  }
}

TEST(Stories, ASyncOlderThanATruncate) {
  for (const bool masks_all : {false, true}) {
    Story story(masks_all ? std::set{Mutation::kEverythingMasksAll} : std::set<Mutation>{});
    Session& old = story.BeginRepeatableRead();
    Session& other = story.Begin();
    story.Truncate(other);
    story.Commit(other);
    story.Insert(old, 10);
    story.Do(old, story.SyncBy(old));
    story.Commit(old);
    EXPECT_EQ(story.IsFine(), !masks_all);
    story.Sync();
    EXPECT_EQ(story.IsFine(), !masks_all) << "the row is in the table, and neither in the log nor in the index";
  }
}

TEST(Stories, ALimitedSyncMeetsATruncateLate) {
  for (const bool masks_all : {false, true}) {
    Story story(masks_all ? std::set{Mutation::kEverythingMasksAllLimited} : std::set<Mutation>{});
    Session& low = story.Begin();
    (void)story.server().TopXid(low.current());
    Session& other = story.Begin();
    story.Truncate(other);
    story.Commit(other);
    story.Insert(low, 10);
    story.Commit(low);
    story.Sync({.max_rows = 1});
    story.Sync({.max_rows = 1});
    EXPECT_EQ(story.IsFine(), !masks_all);
  }
}

// Create, and the first sync, in one transaction whose snapshot is older than what others have committed.
std::string CreateUnderOldSnapshot(Story* story) {
  Session& creator = story->BeginRepeatableRead();
  Session& other = story->Begin();
  story->Insert(other, 10);
  story->Commit(other);
  return story->CodeOf([&] {
    story->Do(creator, story->recipe().CreateIndex(creator, false));
    story->Do(creator, story->SyncBy(creator));
    story->Commit(creator);
  });
}

TEST(Stories, CreateAndSyncUnderAnOldSnapshot) {
  Story refused({}, MakeMapIndex, false);
  EXPECT_EQ(CreateUnderOldSnapshot(&refused), "25001");
  Story not_refused({Mutation::kBuildsOwnVersionZero, Mutation::kChecksCaptureAsOfNow}, MakeMapIndex, false);
  EXPECT_EQ(CreateUnderOldSnapshot(&not_refused), "00000");
  EXPECT_FALSE(not_refused.IsFine());
}

TEST(Stories, AReaderOverThreeSyncsAndACleanUp) {
  for (const bool ignores_readers : {false, true}) {
    Story story(ignores_readers ? std::set{Mutation::kCollectsVersionsInUse} : std::set<Mutation>{});
    Session& reader = story.BeginRepeatableRead();
    EXPECT_EQ(story.Query(reader), (Keys{1, 2, 3}));
    for (Key key = 10; key < 13; ++key) {
      Session& writer = story.Begin();
      story.Insert(writer, key);
      story.Delete(writer, key - 9);
      story.Commit(writer);
      story.Sync();
    }
    if (ignores_readers) {
      EXPECT_THROW(story.Collect(), Violation);
      continue;
    }
    story.Collect();
    EXPECT_EQ(story.Query(reader), (Keys{1, 2, 3}));
    EXPECT_EQ(story.Query(), (Keys{10, 11, 12}));
    story.Commit(reader);
    const size_t before = story.index().Stored().size();
    story.Collect();
    EXPECT_LT(story.index().Stored().size(), before) << "nobody needs the first version any more";
  }
}

// Triggers were off when the other one wrote, and are on again when the rebuild looks.
TEST(Stories, ARebuildOlderThanAChangeThatNobodyCaptured) {
  for (const bool as_of_now : {false, true}) {
    Story story(as_of_now ? std::set{Mutation::kChecksCaptureAsOfNow} : std::set<Mutation>{});
    Session& ddl = story.Begin();
    story.Switch(ddl, false);
    story.Commit(ddl);
    Session& old = story.BeginRepeatableRead();
    Session& other = story.Begin();
    story.Insert(other, 10);
    story.Commit(other);
    Session& back = story.Begin();
    story.Switch(back, true);
    story.Commit(back);
    const std::string code = story.CodeOf([&] {
      story.Do(old, story.SyncBy(old, {.mode = SyncMode::kRebuild}));
      story.Commit(old);
    });
    EXPECT_EQ(code, as_of_now ? "00000" : "55000");
    EXPECT_EQ(story.IsFine(), !as_of_now) << "the mark is gone, and so is the row";
  }
}

// Its snapshot shows no stale mark, but what it wrote since was not captured.
TEST(Stories, AWriterOlderThanTheStaleMark) {
  for (const bool by_snapshot : {false, true}) {
    Story story(by_snapshot ? std::set{Mutation::kStaleBySnapshotOnly} : std::set<Mutation>{});
    Session& old = story.BeginRepeatableRead();
    Session& ddl = story.Begin();
    story.Switch(ddl, false);
    story.Commit(ddl);
    story.Insert(old, 10);
    if (by_snapshot)
      EXPECT_THROW((void)story.Query(old), Violation);
    else
      EXPECT_EQ(story.Query(old), (Keys{1, 2, 3, 10}));
  }
}

// A key that others have deleted since the snapshot, and this transaction has inserted again, is visible twice.
TEST(Stories, AKeyThatIsVisibleTwice) {
  Story story({}, MakeCoreIndex);
  Session& old = story.BeginRepeatableRead();
  Session& other = story.Begin();
  story.Delete(other, 1);
  story.Commit(other);
  story.Insert(old, 1);
  EXPECT_EQ(story.Query(old), (Keys{1, 1, 2, 3})) << "both are shown";
  EXPECT_EQ(story.CodeOf([&] { story.Do(old, story.SyncBy(old, {.mode = SyncMode::kRebuild})); }), "40001");
}

// What a clean-up deleted does not come back with its history. A longer `keep` than its own then means a version whose
// objects are gone; the next clean-up refuses, and deletes nothing, until that version is older.
TEST(Stories, ACleanUpThatIsRolledBack) {
  Story story;
  Session& writer = story.Begin();
  story.Insert(writer, 10);
  story.Commit(writer);
  story.Sync();
  story.server().now += 100;
  Session& collector = story.Begin();
  story.Do(collector, story.CollectBy(collector, 0));
  story.server().Rollback(collector);
  EXPECT_TRUE(story.IsFine());
  Session& next = story.Begin();
  EXPECT_THROW(story.Do(next, story.CollectBy(next, 1000)), Error);
  story.server().Terminate(next);
  EXPECT_TRUE(story.IsFine());
  story.Collect();
}

}  // namespace
}  // namespace s3v::model
