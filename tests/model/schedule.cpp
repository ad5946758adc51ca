#include "model/schedule.h"

#include <algorithm>

#include "base/error.h"

namespace s3v::model {
namespace {

constexpr int kSessions = 4;
constexpr Key kKeys = 12;

std::string Told(const std::vector<Event>& events) {
  std::string text;
  for (const Event& event : events) {
    text += event.session < 0 ? "  server" : "  session " + std::to_string(event.session);
    text += std::string(": ") + event.what;
    if (event.first >= 0) text += " " + std::to_string(event.first);
    if (event.second >= 0) text += " " + std::to_string(event.second);
    text += event.text + "\n";
  }
  return text;
}

}  // namespace

void Tally::Add(const Tally& more) {
  schedules += more.schedules;
  steps += more.steps;
  transactions += more.transactions;
  syncs += more.syncs;
  versions += more.versions;
  limited += more.limited;
  whole += more.whole;
  disasters += more.disasters;
  for (const auto& [sqlstate, count] : more.errors) errors[sqlstate] += count;
  comparisons.Add(more.comparisons);
}

Mix Mix::Varied(Random& random) const {
  Mix varied = *this;
  for (int* what : {&varied.repeatable_read, &varied.asynchronous, &varied.prepared, &varied.rolled_back, &varied.syncs,
                    &varied.limited_syncs, &varied.rebuilds, &varied.reconciles, &varied.truncates, &varied.collects,
                    &varied.savepoints, &varied.switches, &varied.queries_in_writes, &varied.store_failures,
                    &varied.crashes, &varied.kills, &varied.restores}) {
    constexpr int kFactors[] = {0, 1, 1, 3};
    *what = std::min(900, *what * kFactors[random.Below(std::size(kFactors))]);
  }
  return varied;
}

Schedule::Schedule(uint64_t seed, const Mix& mix, const MakeIndex& make_index, std::set<Mutation> mutations)
    : random_(seed),
      mix_(mix.Varied(random_)),
      server_(3 + random_.Below(1000), 1'700'000'000),
      oracles_(server_),
      index_(make_index(server_, oracles_)),
      recipe_(server_, *index_, std::move(mutations)) {
  oracles_.Watch(recipe_, *index_);
  constexpr int64_t kKeep[] = {0, 0, 100, 1000};
  keep_seconds_ = kKeep[random_.Below(std::size(kKeep))];
  for (int i = 0; i < kSessions; ++i) sessions_.push_back(std::make_unique<Session>(server_, i));
}

Outcome Schedule::Run() {
  Outcome outcome;
  try {
    Prepare();
    for (int i = 0; i < mix_.steps; ++i) Step();
    Finish();
  } catch (const Violation& violation) {
    outcome.violation = violation;
  } catch (const SqlError& error) {
    outcome.violation = Violation{"model", "with nobody else there: " + error.sqlstate + ", " + error.message};
  } catch (const Error& error) {
    outcome.violation = Violation{"core", error.message() + (error.detail().empty() ? "" : ": " + error.detail())};
  }
  if (outcome.violation) outcome.steps = Told(server_.events);
  for (const auto& session : sessions_) session->Kill();
  tally_.schedules = 1;
  tally_.comparisons = oracles_.comparisons();
  outcome.tally = tally_;
  return outcome;
}

void Schedule::Prepare() {
  for (Key key = 1; key <= kKeys; ++key) {
    if (Chance(600)) server_.Source({}).Insert({key, next_content_++}, kFrozenXid, 0);
  }
  if (!Chance(mix_.without_index)) {
    server_.Begin(*sessions_[0], Isolation::kReadCommitted);
    RunAlone(recipe_.CreateIndex(*sessions_[0], Chance(850)));
    server_.Commit(*sessions_[0]);
  }
  for (const auto& session : sessions_) session->Start(Client(*session));
}

void Schedule::RunAlone(Task<> work) {
  Session& session = *sessions_[0];
  session.Start(std::move(work));
  while (!session.is_idle()) {
    if (!session.is_ready()) throw Violation{"model", "a session waits, and nobody is there"};
    session.Step();
  }
}

void Schedule::Step() {
  ++tally_.steps;
  server_.now += static_cast<int64_t>(random_.Below(20));
  if (server_.prepared_count() > 0 && Chance(30)) {
    const bool commit = Chance(600);
    server_.Note(-1, commit ? "commit prepared" : "rollback prepared");
    server_.FinishPrepared(random_.Below(server_.prepared_count()), commit);
  } else if (!Disaster()) {
    Session& session = *sessions_[random_.Below(sessions_.size())];
    if (!session.is_ready() && Chance(40)) session.Interrupt({"40P01", "deadlock detected, or a lock timeout"});
    if (session.is_ready()) session.Step();
  }
  if (commits_checked_ == server_.commits) return;
  commits_checked_ = server_.commits;
  oracles_.CheckCommitted();
}

void Schedule::KillAll() {
  for (const auto& session : sessions_) session->Kill();
}

bool Schedule::Disaster() {
  if (Chance(mix_.crashes)) {
    KillAll();
    const size_t survivors = random_.Below(server_.unflushed_commits() + 1);
    server_.Note(-1, "crash, commits that survive, lost", static_cast<int64_t>(survivors),
                 static_cast<int64_t>(server_.unflushed_commits() - survivors));
    server_.Crash(survivors);
    ++server_.commits;  // what is committed may be less than before
  } else if (Chance(mix_.restores)) {
    KillAll();
    server_.Crash(server_.unflushed_commits());
    const Xid first = 3 + random_.Below(2 * server_.log.next());
    server_.Note(-1, "restored into another cluster, first xid", static_cast<int64_t>(first));
    server_.Restore(first);
  } else if (Chance(mix_.kills)) {
    Session& session = *sessions_[random_.Below(sessions_.size())];
    server_.Note(session.number(), "killed");
    server_.Terminate(session);
    session.Start(Client(session));
    ++tally_.disasters;
    return true;
  } else {
    return false;
  }
  for (const auto& session : sessions_) session->Start(Client(*session));
  ++tally_.disasters;
  return true;
}

// ---- clients ----

Task<> Schedule::Client(Session& session) {
  for (;;) {
    ++tally_.transactions;
    const Isolation isolation = Chance(mix_.repeatable_read) ? Isolation::kRepeatableRead : Isolation::kReadCommitted;
    server_.Begin(session, isolation, !Chance(mix_.asynchronous));
    server_.Note(session.number(), isolation == Isolation::kReadCommitted ? "begin" : "begin repeatable read");
    for (uint64_t left = 1 + random_.Below(6); left > 0 && session.has_transaction(); --left) {
      std::optional<SqlError> error;
      try {
        co_await Statement(session);
      } catch (const SqlError& raised) {
        error = raised;
      }
      if (error) {
        ++tally_.errors[error->sqlstate];
        server_.NoteError(session.number(), *error);
        session.current().triggers_pending = false;
        if (!session.current().savepoints.empty() && Chance(700))
          server_.RollbackToSavepoint(session);
        else
          server_.Rollback(session);
      }
      co_await session.Point("between statements");
    }
    if (session.has_transaction()) End(session);
    co_await session.Point("between transactions");
  }
}

void Schedule::End(Session& session) {
  if (Chance(mix_.rolled_back)) {
    server_.Note(session.number(), "rollback");
    server_.Rollback(session);
  } else if (Chance(mix_.prepared)) {
    server_.Note(session.number(), "prepare transaction");
    server_.Prepare(session);
  } else {
    server_.Note(session.number(), "commit", static_cast<int64_t>(session.current().xid));
    server_.Commit(session);
  }
}

bool Schedule::HasIndex() const {
  for (size_t at = 0; at < server_.version.size(); ++at) {
    if (!server_.log.IsAborted(server_.version[at].xmin)) return true;
  }
  return false;
}

Task<> Schedule::Statement(Session& session) {
  int choice = static_cast<int>(random_.Below(1000));
  const auto is = [&choice](int thousandths) { return (choice -= thousandths) < 0; };
  User user(session, recipe_);
  const bool on = !recipe_.CaptureInPlace(server_.LatestSnapshot(session.current()));  // the next switch of capture
  if (!HasIndex() && Chance(150)) {
    server_.Note(session.number(), "creates the index");
    co_await recipe_.CreateIndex(session, Chance(300));
  } else if (is(mix_.queries)) {
    co_await Query(session);
  } else if (is(mix_.elsewhere)) {
    (void)server_.TransactionSnapshot(session.current());
    const Xid xid = Chance(500) ? server_.WritingXid(session.current()) : kNoXid;
    server_.Note(session.number(), "works elsewhere, xid", static_cast<int64_t>(xid));
  } else if (is(mix_.syncs)) {
    co_await Sync(session, SyncMode::kChanges, false);
  } else if (is(mix_.limited_syncs)) {
    co_await Sync(session, SyncMode::kChanges, true);
  } else if (is(mix_.rebuilds)) {
    co_await Sync(session, SyncMode::kRebuild, false);
  } else if (is(mix_.reconciles)) {
    co_await Sync(session, SyncMode::kReconcile, false);
  } else if (is(mix_.truncates)) {
    server_.Note(session.number(), "truncates");
    co_await user.Truncate();
  } else if (is(mix_.collects)) {
    co_await Collect(session);
  } else if (is(mix_.savepoints)) {
    SavepointWork(session);
  } else if (is(on ? 4 * mix_.switches : mix_.switches) && HasIndex()) {
    server_.Note(session.number(), on ? "enables triggers" : "disables triggers");
    co_await user.SwitchCapture(on);
  } else {
    std::function<Task<>()> middle;
    if (Chance(mix_.queries_in_writes)) middle = [this, &session] { return Query(session); };
    std::vector<Write> writes = RandomWrites(session);
    co_await user.Execute(std::move(writes), std::move(middle));
  }
}

// Mostly what succeeds: inserts of keys that are not there, changes of those that are.
std::vector<Write> Schedule::RandomWrites(Session& session) {
  std::set<Key> there;
  for (const IndexedRow& row : ScanSource(server_, session.current(), server_.LatestSnapshot(session.current())))
    there.insert(row.key);
  const auto random_key = [&](bool is_there) {
    Key key = 1 + static_cast<Key>(random_.Below(kKeys));
    for (int tries = 0; tries < 4 && there.contains(key) != is_there; ++tries)
      key = 1 + static_cast<Key>(random_.Below(kKeys));
    return key;
  };
  std::vector<Write> writes;
  for (uint64_t left = 1 + random_.Below(3); left > 0; --left) {
    constexpr WriteKind kKinds[] = {WriteKind::kInsert, WriteKind::kInsert, WriteKind::kInsert,
                                    WriteKind::kUpdate, WriteKind::kUpdate, WriteKind::kTouch,
                                    WriteKind::kMove,   WriteKind::kDelete, WriteKind::kDelete};
    Write write{.kind = kKinds[random_.Below(std::size(kKinds))]};
    write.key = random_key(write.kind != WriteKind::kInsert);
    write.content = Chance(100) ? kNoVector : next_content_++;
    if (write.kind == WriteKind::kMove) write.to = random_key(false);
    writes.push_back(write);
  }
  return writes;
}

void Schedule::SavepointWork(Session& session) {
  if (session.current().savepoints.empty() || Chance(300)) {
    server_.Note(session.number(), "savepoint");
    server_.Savepoint(session);
  } else if (Chance(500)) {
    server_.Note(session.number(), "rollback to savepoint");
    server_.RollbackToSavepoint(session);
  } else {
    server_.Note(session.number(), "release savepoint");
    server_.ReleaseSavepoint(session);
  }
}

Task<> Schedule::Query(Session& session) {
  const HeldSnapshot snapshot(server_, server_.TransactionSnapshot(session.current()));
  server_.Note(session.number(), "queries");
  const Answer answer = co_await recipe_.QueryRun(session, *snapshot);
  server_.Note(session.number(), "query answered by version", answer.version);
  oracles_.CheckAnswer(session.current(), answer);
}

Task<> Schedule::Sync(Session& session, SyncMode mode, bool is_limited) {
  SyncOptions options{.mode = mode, .wait = Chance(800)};
  if (is_limited) options.max_rows = 1 + random_.Below(3);
  if (Chance(mix_.store_failures)) index_->FailAfter(static_cast<int>(random_.Below(4)));
  constexpr const char* kNames[] = {"syncs, most rows", "reconciles", "rebuilds"};
  server_.Note(session.number(), kNames[static_cast<int>(mode)],
               is_limited ? static_cast<int64_t>(options.max_rows) : -1);
  const SyncResult result = co_await recipe_.SyncIndex(session, options);
  server_.Note(session.number(), "synced, version", result.version);
  tally_.syncs += !result.skipped;
  tally_.versions += result.is_new;
  tally_.limited += result.is_limited;
  tally_.whole += result.is_whole;
}

Task<> Schedule::Collect(Session& session) {
  server_.Note(session.number(), "collects, keep", keep_seconds_);
  const auto retained = co_await recipe_.CollectIndex(session, keep_seconds_);
  if (retained) oracles_.CheckCollected(*retained, keep_seconds_);
}

// ---- the end ----

Task<> Schedule::LastSync(Session& session) {
  const Snapshot latest = server_.LatestSnapshot(session.current());
  User user(session, recipe_);
  if (!recipe_.CaptureInPlace(latest)) co_await user.SwitchCapture(true);
  SyncMode mode = SyncMode::kChanges;
  if (recipe_.CatalogIsStale(latest)) mode = Chance(500) ? SyncMode::kRebuild : SyncMode::kReconcile;
  (void)co_await recipe_.SyncIndex(session, {.mode = mode});
}

Task<> Schedule::LastCollect(Session& session) {
  const auto retained = co_await recipe_.CollectIndex(session, 0);
  if (!retained) throw Violation{"model", "nobody is there, and the index is locked"};
}

void Schedule::Finish() {
  for (const auto& session : sessions_) server_.Terminate(*session);
  while (server_.prepared_count() > 0) server_.FinishPrepared(0, Chance(500));
  oracles_.CheckCommitted();
  if (!recipe_.CatalogVersion(server_.LatestSnapshot({}))) return;
  index_->FailAfter(-1);
  server_.Begin(*sessions_[0], Isolation::kReadCommitted);
  RunAlone(LastSync(*sessions_[0]));
  server_.Commit(*sessions_[0]);
  server_.now += 1000;
  server_.Begin(*sessions_[0], Isolation::kReadCommitted);
  RunAlone(LastCollect(*sessions_[0]));
  server_.Commit(*sessions_[0]);
  oracles_.CheckQuiet();
}

}  // namespace s3v::model
