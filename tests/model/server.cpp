#include "model/server.h"

#include <stdexcept>

namespace s3v::model {
namespace {

bool Conflicts(LockMode a, LockMode b) {
  const auto one_way = [](LockMode held, LockMode wanted) {
    switch (held) {
      case LockMode::kAccessShare:
        return wanted == LockMode::kAccessExclusive;
      case LockMode::kRowExclusive:
        return wanted >= LockMode::kShareRowExclusive;
      case LockMode::kShareRowExclusive:
        return wanted >= LockMode::kRowExclusive;
      case LockMode::kAccessExclusive:
        return true;
    }
    return true;
  };
  return one_way(a, b) || one_way(b, a);
}

}  // namespace

// ---- snapshots ----

HeldSnapshot::HeldSnapshot(Server& server, Snapshot snapshot)
    : server_(server), place_(server.held_.insert(server.held_.end(), std::move(snapshot))) {}
HeldSnapshot::~HeldSnapshot() { server_.held_.erase(place_); }

// ---- sessions ----

void Session::Start(Task<> work) {
  work_ = std::move(work);
  resume_at_ = work_.handle();
}

void Session::Step() {
  std::exchange(resume_at_, nullptr).resume();
  if (work_.done()) std::exchange(work_, Task<>()).Result();
}

void Session::Kill() {
  work_ = Task<>();
  resume_at_ = nullptr;
  condition_ = nullptr;
  interrupt_.reset();
  transaction.reset();
}

// ---- transactions ----

Server::Server(Xid first_xid, int64_t start) : log(first_xid), now(start), files_(1) {}

void Server::Begin(Session& session, Isolation isolation, bool is_synchronous) {
  session.transaction = std::make_shared<Transaction>();
  session.transaction->isolation = isolation;
  session.transaction->is_synchronous = is_synchronous;
  open_.push_back(session.transaction);
}

void Server::Finish(const std::shared_ptr<Transaction>& transaction, bool commit) {
  if (transaction->xid != kNoXid) {
    if (commit) {
      log.Commit(transaction->xid);
      ++commits;
      unflushed_.push_back(transaction->xid);
      if (transaction->is_synchronous) FlushCommits();
    } else {
      log.Abort(transaction->xid);
    }
  }
  std::erase_if(locks_, [&](const LockHeld& lock) { return lock.holder == transaction.get(); });
  std::erase(open_, transaction);
  std::erase(prepared_, transaction);
}

void Server::Commit(Session& session) {
  Finish(session.transaction, true);
  session.transaction.reset();
}

void Server::Rollback(Session& session) {
  Finish(session.transaction, false);
  session.transaction.reset();
}

void Server::Terminate(Session& session) {
  const std::shared_ptr<Transaction> transaction = session.transaction;
  session.Kill();
  if (transaction) Finish(transaction, false);
}

void Server::Prepare(Session& session) {
  std::erase(open_, session.transaction);
  session.transaction->is_synchronous = true;
  FlushCommits();
  // Snapshots are not kept; locks and ids are.
  session.transaction->snapshot.reset();
  prepared_.push_back(std::move(session.transaction));
}

void Server::FinishPrepared(size_t which, bool commit) {
  const std::shared_ptr<Transaction> transaction = prepared_[which];
  Finish(transaction, commit);
}

void Server::Savepoint(Session& session) { session.current().savepoints.push_back(kNoXid); }

void Server::RollbackToSavepoint(Session& session) {
  Transaction& transaction = session.current();
  const Xid xid = transaction.savepoints.back();
  transaction.savepoints.pop_back();
  if (xid != kNoXid) log.Abort(xid);
  std::erase_if(locks_, [&](const LockHeld& lock) {
    return lock.holder == &transaction && lock.depth > transaction.savepoints.size();
  });
}

void Server::ReleaseSavepoint(Session& session) {
  Transaction& transaction = session.current();
  transaction.savepoints.pop_back();
  for (LockHeld& lock : locks_) {
    if (lock.holder == &transaction) lock.depth = std::min(lock.depth, transaction.savepoints.size());
  }
}

Xid Server::TopXid(Transaction& transaction) {
  if (transaction.xid == kNoXid) transaction.xid = log.AssignTop();
  return transaction.xid;
}

Xid Server::WritingXid(Transaction& transaction) {
  Xid xid = TopXid(transaction);
  for (Xid& sub : transaction.savepoints) {
    if (sub == kNoXid) sub = log.AssignSub(transaction.xid);
    xid = sub;
  }
  return xid;
}

Snapshot Server::LatestSnapshot(const Transaction& transaction) const {
  return log.Take(transaction.xid, transaction.command);
}

Snapshot Server::TransactionSnapshot(Transaction& transaction) {
  if (transaction.isolation == Isolation::kReadCommitted) return LatestSnapshot(transaction);
  if (!transaction.snapshot) transaction.snapshot = LatestSnapshot(transaction);
  transaction.snapshot->own = transaction.xid;
  transaction.snapshot->command = transaction.command;
  return *transaction.snapshot;
}

std::vector<Snapshot> Server::OpenSnapshots() const {
  std::vector<Snapshot> snapshots(held_.begin(), held_.end());
  for (const auto& transaction : open_) {
    if (transaction->snapshot) snapshots.push_back(*transaction->snapshot);
  }
  return snapshots;
}

Xid Server::OldestNonRemovable() const {
  Xid oldest = log.latest_completed() + 1;
  if (!log.running().empty()) oldest = std::min(oldest, log.running().front());
  for (const Snapshot& snapshot : OpenSnapshots()) oldest = std::min(oldest, snapshot.xmin);
  return oldest;
}

// ---- locks ----

bool Server::TryLock(Transaction& transaction, Lockable object, LockMode mode) {
  for (const LockHeld& lock : locks_) {
    if (lock.object == object && lock.holder != &transaction && Conflicts(lock.mode, mode)) return false;
  }
  locks_.push_back({object, mode, &transaction, transaction.savepoints.size()});
  return true;
}

Task<> Server::Lock(Session& session, Lockable object, LockMode mode) {
  Transaction* transaction = &session.current();
  while (!TryLock(*transaction, object, mode)) {
    co_await session.Until([=, this] {
      return std::ranges::none_of(locks_, [&](const LockHeld& lock) {
        return lock.object == object && lock.holder != transaction && Conflicts(lock.mode, mode);
      });
    });
  }
}

// ---- the source's file ----

size_t Server::SourceFile(const Transaction& transaction) const {
  for (auto last = switches_.rbegin(); last != switches_.rend(); ++last) {
    if (log.IsCommitted(last->xid) || log.IsOwn(last->xid, transaction.xid)) return last->file;
  }
  return 0;
}

void Server::Truncate(Transaction& transaction) {
  switches_.push_back({WritingXid(transaction), files_.size()});
  files_.emplace_back();
}

bool Server::IsOlderThanFile(const Snapshot& snapshot, const Transaction& transaction) const {
  const size_t file = SourceFile(transaction);
  const auto made = std::ranges::find(switches_, file, &FileSwitch::file);
  return made != switches_.end() && !log.IsOwn(made->xid, transaction.xid) && log.IsInSnapshot(made->xid, snapshot);
}

// ---- disasters ----

void Server::Crash(size_t survivors) {
  while (!open_.empty()) Finish(open_.back(), false);
  for (size_t i = survivors; i < unflushed_.size(); ++i) log.LoseCommit(unflushed_[i]);
  unflushed_.clear();
}

template <class Row>
void Server::RestoreTable(Heap<Row>& heap, const Snapshot& snapshot, const CommitLog& old) {
  Heap<Row> restored;
  for (const size_t at : heap.Visible(snapshot, old)) restored.Insert(heap[at].row, kFrozenXid, 0);
  heap = std::move(restored);
}

void Server::Restore(Xid first_xid) {
  const CommitLog old = log;
  const Snapshot snapshot = old.Take(kNoXid, 0);
  const size_t file = SourceFile({});
  RestoreTable(files_[file], snapshot, old);
  RestoreTable(change_log, snapshot, old);
  RestoreTable(version, snapshot, old);
  RestoreTable(history, snapshot, old);
  RestoreTable(stale, snapshot, old);
  RestoreTable(capture, snapshot, old);
  files_ = {std::move(files_[file])};
  switches_.clear();
  prepared_.clear();
  locks_.clear();
  unflushed_.clear();
  log = CommitLog(first_xid);
  ++system_identifier;
  ++commits;
}

}  // namespace s3v::model
