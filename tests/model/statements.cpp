#include "model/statements.h"

#include <algorithm>

namespace s3v::model {

std::vector<IndexedRow> ScanSource(Server& server, const Transaction& transaction, const Snapshot& snapshot) {
  const Heap<IndexedRow>& source = server.Source(transaction);
  std::vector<IndexedRow> rows;
  for (const size_t at : source.Visible(snapshot, server.log)) {
    if (source[at].row.content != kNoVector) rows.push_back(source[at].row);
  }
  std::ranges::sort(rows);
  return rows;
}

// The unique index: waits for whoever has inserted or is deleting the key, and raises when it stays.
Task<> User::WaitForKey(Key key) {
  for (;;) {
    const Heap<IndexedRow>& source = server_.Source(session_.current());
    const CommitLog& log = server_.log;
    Xid undecided = kNoXid;
    for (size_t at = 0; at < source.size(); ++at) {
      const Tuple<IndexedRow>& tuple = source[at];
      if (tuple.row.key != key || log.IsAborted(tuple.xmin)) continue;
      const bool is_own = log.IsOwn(tuple.xmin, session_.current().xid);
      if (log.IsRunning(tuple.xmin) && !is_own) {
        undecided = tuple.xmin;
      } else if (tuple.xmax == kNoXid || log.IsAborted(tuple.xmax)) {
        throw SqlError{"23505", "duplicate key value violates unique constraint"};
      } else if (log.IsRunning(tuple.xmax) && !log.IsOwn(tuple.xmax, session_.current().xid)) {
        undecided = tuple.xmax;
      }
    }
    if (undecided == kNoXid) co_return;
    co_await session_.Until([this, undecided] { return !server_.log.IsRunning(undecided); });
  }
}

Task<> User::Insert(IndexedRow row, std::vector<Change>* changes) {
  co_await WaitForKey(row.key);
  Transaction& transaction = session_.current();
  server_.Source(transaction).Insert(row, server_.WritingXid(transaction), transaction.command);
  changes->push_back({.before = std::nullopt, .after = row});
}

Task<> User::Apply(Write write, const Snapshot& snapshot, std::vector<Change>* changes) {
  Transaction& transaction = session_.current();
  if (write.kind == WriteKind::kInsert) {
    co_await Insert({write.key, write.content}, changes);
    co_return;
  }
  Heap<IndexedRow>& source = server_.Source(transaction);
  std::vector<size_t> places = source.Visible(snapshot, server_.log);
  std::erase_if(places, [&](size_t at) { return source[at].row.key != write.key; });
  for (const size_t found : places) {
    const Key key = write.key;
    const auto place = co_await LockTuple<IndexedRow>(session_, source, found,
                                                      [key](const IndexedRow& row) { return row.key == key; });
    if (!place) continue;
    const IndexedRow before = source[*place].row;
    if (write.kind == WriteKind::kDelete) {
      source.Delete(*place, server_.WritingXid(transaction), transaction.command);
      changes->push_back({.before = before, .after = std::nullopt});
      continue;
    }
    IndexedRow after = before;
    if (write.kind == WriteKind::kUpdate) after.content = write.content;
    if (write.kind == WriteKind::kMove && write.to != before.key) {
      after.key = write.to;
      // The row is ours from here on, and nobody else's while we wait for the other key.
      source.Delete(*place, server_.WritingXid(transaction), transaction.command);
      co_await WaitForKey(write.to);
    }
    source.Update(*place, after, server_.WritingXid(transaction), transaction.command);
    changes->push_back({.before = before, .after = after});
  }
}

Task<> User::Execute(std::vector<Write> writes, std::function<Task<>()> middle) {
  Transaction& transaction = session_.current();
  // Under REPEATABLE READ parsing has taken the snapshot before the lock, else it is taken now.
  if (transaction.isolation == Isolation::kRepeatableRead) (void)server_.TransactionSnapshot(transaction);
  co_await server_.Lock(session_, Lockable::kSource, LockMode::kRowExclusive);
  std::vector<Change> changes;
  {
    const HeldSnapshot snapshot(server_, server_.TransactionSnapshot(transaction));
    for (const Write& write : writes) {
      server_.Note(session_.number(), "writes key", write.key, static_cast<int64_t>(write.kind));
      co_await Apply(write, *snapshot, &changes);
      co_await session_.Point("write.row");
    }
  }
  if (recipe_.CaptureInPlace(server_.LatestSnapshot(transaction))) {
    if (middle && !changes.empty()) {
      transaction.triggers_pending = true;
      server_.EndCommand(transaction);
      co_await middle();
      transaction.triggers_pending = false;
    }
    recipe_.Capture(session_, changes);
  }
  server_.EndCommand(transaction);
}

Task<> User::Truncate() {
  Transaction& transaction = session_.current();
  if (transaction.isolation == Isolation::kRepeatableRead) (void)server_.TransactionSnapshot(transaction);
  co_await server_.Lock(session_, Lockable::kSource, LockMode::kAccessExclusive);
  server_.Truncate(transaction);
  if (recipe_.CaptureInPlace(server_.LatestSnapshot(transaction))) recipe_.CaptureTruncate(session_);
  server_.EndCommand(transaction);
  co_await session_.Point("write.truncated");
}

Task<> User::SwitchCapture(bool on) {
  Transaction& transaction = session_.current();
  co_await server_.Lock(session_, Lockable::kSource, LockMode::kShareRowExclusive);
  const Snapshot latest = server_.LatestSnapshot(transaction);
  for (const size_t at : server_.capture.Visible(latest, server_.log))
    server_.capture.Update(at, {.in_place = on}, server_.WritingXid(transaction), transaction.command);
  if (!on) recipe_.MarkStale(session_);
  server_.EndCommand(transaction);
  co_await session_.Point("ddl.switched");
}

}  // namespace s3v::model
