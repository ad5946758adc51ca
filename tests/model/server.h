// One PostgreSQL server in memory: sessions and their transactions, relation and object locks, the tables of a source
// and of schema s3v, virtual time, crashes.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/index.h"
#include "model/mvcc.h"
#include "model/task.h"

namespace s3v::model {

// What ends a statement, and with it the transaction or the subtransaction.
struct SqlError {
  std::string sqlstate;
  std::string message;
};

enum class Isolation { kReadCommitted, kRepeatableRead };

// ---- tables ----

struct LogRow {
  Xid xid = kNoXid;  // pg_current_xact_id() of the writer
  int64_t id = 0;
  std::optional<Key> key;  // none: everything
};

struct VersionRow {
  int64_t version = 0;
  Published objects;
  uint64_t owner = 0;
  uint64_t system_identifier = 0;
  Xid hi = kNoXid;
  std::vector<Xid> running;
  int64_t watermark = 0;  // used by a mutation only
};

struct HistoryRow {
  int64_t version = 0;
  ObjectId manifest{};
  Xid retired_by = kNoXid;
  int64_t retired_at = 0;
  uint64_t system_identifier = 0;
};

// A row that the source has, or had, in one statement.
struct Change {
  std::optional<IndexedRow> before;
  std::optional<IndexedRow> after;
};

struct StaleMark {};
// Whether the triggers exist and fire always.
struct CaptureRow {
  bool in_place = false;
};

// ---- transactions ----

enum class LockMode { kAccessShare, kRowExclusive, kShareRowExclusive, kAccessExclusive };
enum class Lockable { kSource, kIndex };

struct Transaction {
  Isolation isolation = Isolation::kReadCommitted;
  bool is_synchronous = true;  // synchronous_commit
  Xid xid = kNoXid;
  std::vector<Xid> savepoints;  // ids of open subtransactions, kNoXid until they write
  uint32_t command = 0;
  std::optional<Snapshot> snapshot;  // REPEATABLE READ: taken by the first statement
  bool triggers_pending = false;     // AFTER triggers of the source
};

class Server;

// A snapshot that holds back the horizon while it lives.
class HeldSnapshot {
 public:
  HeldSnapshot(Server& server, Snapshot snapshot);
  ~HeldSnapshot();
  HeldSnapshot(const HeldSnapshot&) = delete;
  HeldSnapshot& operator=(const HeldSnapshot&) = delete;
  const Snapshot& operator*() const { return *place_; }
  const Snapshot* operator->() const { return &*place_; }

 private:
  Server& server_;
  std::list<Snapshot>::iterator place_;
};

class Session {
 public:
  Session(Server& server, int number) : server_(server), number_(number) {}

  // Gives way to the other sessions. Named points are those at which a crash must leave the old version or the new one.
  auto Point(const char* name);
  // Gives way until it holds; raises what Interrupt() was told meanwhile.
  auto Until(std::function<bool()> condition);

  // For the schedule.
  void Start(Task<> work);
  bool is_idle() const { return work_.done(); }
  bool is_ready() const { return !condition_ || condition_() || interrupt_.has_value(); }
  void Step();
  void Interrupt(SqlError error) { interrupt_ = std::move(error); }
  void Kill();  // the work vanishes where it is

  int number() const { return number_; }
  const char* at() const { return at_; }
  bool has_transaction() const { return transaction != nullptr; }
  Transaction& current() { return *transaction; }
  Server& server() { return server_; }

  std::shared_ptr<Transaction> transaction;

 private:
  struct Pause;
  Server& server_;
  int number_;
  Task<> work_;
  std::coroutine_handle<> resume_at_;
  std::function<bool()> condition_;
  std::optional<SqlError> interrupt_;
  const char* at_ = "";
};

// What happened, for whoever has to understand a failure.
struct Event {
  int session;
  const char* what;
  int64_t first;
  int64_t second;
  std::string text;
};

class Server final : public Clock {
 public:
  Server(Xid first_xid, int64_t now);

  // ---- transactions ----
  void Begin(Session& session, Isolation isolation, bool is_synchronous = true);
  void Commit(Session& session);
  void Rollback(Session& session);
  void Prepare(Session& session);
  void Savepoint(Session& session);
  void RollbackToSavepoint(Session& session);
  void ReleaseSavepoint(Session& session);
  void Terminate(Session& session);  // the backend is killed, the others go on
  size_t prepared_count() const { return prepared_.size(); }
  void FinishPrepared(size_t which, bool commit);

  // The id that the current (sub)transaction writes with; assigned when first asked for. Its top-level one.
  Xid WritingXid(Transaction& transaction);
  Xid TopXid(Transaction& transaction);

  // Of the next statement: fresh, or the transaction's own with the present command id.
  Snapshot TransactionSnapshot(Transaction& transaction);
  Snapshot LatestSnapshot(const Transaction& transaction) const;
  void EndCommand(Transaction& transaction) { ++transaction.command; }
  // Everything before it is seen as finished by all snapshots, present and future (GetOldestNonRemovableTransactionId).
  Xid OldestNonRemovable() const;
  std::vector<Snapshot> OpenSnapshots() const;

  // ---- locks, held to the end of the (sub)transaction ----
  Task<> Lock(Session& session, Lockable object, LockMode mode);
  bool TryLock(Transaction& transaction, Lockable object, LockMode mode);

  // ---- the source: what relation cache and file system say now, whatever the snapshot ----
  size_t SourceFile(const Transaction& transaction) const;
  Heap<IndexedRow>& Source(const Transaction& transaction) { return files_[SourceFile(transaction)]; }
  void Truncate(Transaction& transaction);
  // A snapshot older than a TRUNCATE sees an empty table; PostgreSQL documents it.
  bool IsOlderThanFile(const Snapshot& snapshot, const Transaction& transaction) const;

  // ---- disasters ----
  // Transactions vanish, prepared ones stay; of the commits that nobody waited for, those after the first `survivors`
  // are lost. Sessions have to be killed first.
  void Crash(size_t survivors);
  size_t unflushed_commits() const { return unflushed_.size(); }
  void FlushCommits() { unflushed_.clear(); }
  // Dump, and restore into another cluster: what is committed now, under ids that begin anew.
  void Restore(Xid first_xid);

  int64_t WallSeconds() const override { return now; }
  int64_t SteadyMillis() const override { return now * 1000; }

  void Note(int session, const char* what, int64_t first = -1, int64_t second = -1) {
    events.push_back({session, what, first, second, {}});
  }

  void NoteError(int session, const SqlError& error) {
    events.push_back({session, "error", -1, -1, " " + error.sqlstate + ": " + error.message});
  }

  CommitLog log;
  Heap<LogRow> change_log;
  Heap<VersionRow> version;
  Heap<HistoryRow> history;
  Heap<StaleMark> stale;
  Heap<CaptureRow> capture;
  int64_t next_change_id = 1;  // a sequence: what is taken is gone, also after a rollback
  uint64_t system_identifier = 1;
  int64_t now;
  uint64_t commits = 0;
  std::vector<Event> events;

 private:
  friend class HeldSnapshot;
  struct LockHeld {
    Lockable object;
    LockMode mode;
    const Transaction* holder;
    size_t depth;  // savepoints when it was taken
  };
  struct FileSwitch {
    Xid xid;
    size_t file;
  };
  void Finish(const std::shared_ptr<Transaction>& transaction, bool commit);
  template <class Row>
  void RestoreTable(Heap<Row>& heap, const Snapshot& snapshot, const CommitLog& old);

  std::vector<Heap<IndexedRow>> files_;
  std::vector<FileSwitch> switches_;
  std::vector<LockHeld> locks_;
  std::vector<std::shared_ptr<Transaction>> open_;  // neither finished nor prepared
  std::vector<std::shared_ptr<Transaction>> prepared_;
  std::vector<Xid> unflushed_;
  std::list<Snapshot> held_;
};

// The row version that a statement found, as heap_update() and heap_delete() take it: waits for whoever changed it,
// then follows it while `matches` (EvalPlanQual), or raises 40001 under REPEATABLE READ. None: it is gone, or no longer
// meant.
template <class Row>
Task<std::optional<size_t>> LockTuple(Session& session, Heap<Row>& heap, size_t at,
                                      std::function<bool(const Row&)> matches);

// ---- bodies ----

struct Session::Pause {
  Session& session;
  const char* name;
  std::function<bool()> condition;

  bool await_ready() const { return condition && condition(); }
  void await_suspend(std::coroutine_handle<> handle) {
    session.resume_at_ = handle;
    session.at_ = name;
    session.condition_ = std::move(condition);
  }
  void await_resume() {
    session.condition_ = nullptr;
    if (session.interrupt_) throw *std::exchange(session.interrupt_, std::nullopt);
  }
};

inline auto Session::Point(const char* name) {
  server_.Note(number_, name);
  return Pause{*this, name, nullptr};
}
inline auto Session::Until(std::function<bool()> condition) { return Pause{*this, "waits", std::move(condition)}; }

template <class Row>
Task<std::optional<size_t>> LockTuple(Session& session, Heap<Row>& heap, size_t at,
                                      std::function<bool(const Row&)> matches) {
  Server& server = session.server();
  for (;;) {
    const Tuple<Row>& tuple = heap[at];
    const Xid by = tuple.xmax;
    if (by == kNoXid || server.log.IsAborted(by)) co_return at;
    if (server.log.IsOwn(by, session.current().xid)) co_return std::nullopt;
    if (server.log.IsRunning(by)) {
      co_await session.Until([&server, by] { return !server.log.IsRunning(by); });
      continue;
    }
    if (session.current().isolation == Isolation::kRepeatableRead)
      throw SqlError{"40001", "could not serialize access due to concurrent update"};
    if (tuple.next < 0) co_return std::nullopt;
    at = static_cast<size_t>(tuple.next);
    if (!matches(heap[at].row)) co_return std::nullopt;
  }
}

}  // namespace s3v::model
