// PostgreSQL's transaction ids, snapshots and row versions (src/backend/access/heap/heapam_visibility.c), in memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace s3v::model {

// A full transaction id: with its epoch, so that it never wraps.
using Xid = uint64_t;
constexpr Xid kNoXid = 0;
constexpr Xid kFrozenXid = 2;  // committed before everything

// What GetSnapshotData() answers. The own transaction is not in xip.
struct Snapshot {
  Xid xmin = 0;            // below: finished
  Xid xmax = 0;            // from here on: not yet begun, or running
  std::vector<Xid> xip{};  // between: running, top-level ids, ascending
  Xid own = kNoXid;        // the transaction whose rows are seen by command id
  uint32_t command = 0;
};

// Who began, who is whose subtransaction, and how they ended.
class CommitLog {
 public:
  explicit CommitLog(Xid next) : first_(next), next_(next), latest_completed_(next - 1) {}

  Xid AssignTop() { return Assign(kNoXid); }
  Xid AssignSub(Xid top) { return Assign(top); }
  void Commit(Xid top);
  void Abort(Xid xid);       // a top-level one, or a subtransaction alone
  void LoseCommit(Xid top);  // a crash before its commit record was on disk

  Xid TopOf(Xid xid) const { return xid < first_ || entry(xid).top == kNoXid ? xid : entry(xid).top; }
  bool IsRunning(Xid xid) const { return FateOf(xid) == Fate::kRunning; }
  bool IsCommitted(Xid xid) const { return FateOf(xid) == Fate::kCommitted; }
  bool IsAborted(Xid xid) const { return FateOf(xid) == Fate::kAborted; }
  const std::vector<Xid>& running() const { return running_; }  // top-level, ascending
  Xid next() const { return next_; }
  Xid latest_completed() const { return latest_completed_; }

  Snapshot Take(Xid own, uint32_t command) const;
  // XidInMVCCSnapshot(): whether the snapshot takes another transaction for running.
  bool IsInSnapshot(Xid xid, const Snapshot& snapshot) const;
  // TransactionIdIsCurrentTransactionId().
  bool IsOwn(Xid xid, Xid own) const { return own != kNoXid && TopOf(xid) == own && !IsAborted(xid); }

 private:
  enum class Fate : uint8_t { kRunning, kCommitted, kAborted };
  struct Entry {
    Xid top = kNoXid;  // none: it is one itself
    Fate fate = Fate::kRunning;
  };
  Xid Assign(Xid top);
  void Finish(Xid xid, Fate fate);
  Fate FateOf(Xid xid) const;
  const Entry& entry(Xid xid) const { return entries_[xid - first_]; }

  Xid first_;
  Xid next_;
  Xid latest_completed_;
  std::vector<Entry> entries_;
  std::vector<Xid> running_;
};

template <class Row>
struct Tuple {
  Row row;
  Xid xmin = kNoXid;
  uint32_t cmin = 0;
  Xid xmax = kNoXid;
  uint32_t cmax = 0;
  int64_t next = -1;  // the version that an UPDATE made of it (ctid)
};

// Row versions of one table, oldest first; nothing is ever vacuumed.
template <class Row>
class Heap {
 public:
  size_t size() const { return tuples_.size(); }
  Tuple<Row>& operator[](size_t at) { return tuples_[at]; }
  const Tuple<Row>& operator[](size_t at) const { return tuples_[at]; }

  size_t Insert(Row row, Xid xid, uint32_t command) {
    tuples_.push_back({.row = std::move(row), .xmin = xid, .cmin = command});
    return tuples_.size() - 1;
  }
  void Delete(size_t at, Xid xid, uint32_t command) {
    tuples_[at].xmax = xid;
    tuples_[at].cmax = command;
    tuples_[at].next = -1;
  }
  void Update(size_t at, Row row, Xid xid, uint32_t command) {
    Delete(at, xid, command);
    tuples_[at].next = static_cast<int64_t>(Insert(std::move(row), xid, command));
  }

  bool IsVisible(size_t at, const Snapshot& snapshot, const CommitLog& log) const {
    const Tuple<Row>& tuple = tuples_[at];
    return Sees(tuple.xmin, tuple.cmin, snapshot, log) &&
           !(tuple.xmax != kNoXid && Sees(tuple.xmax, tuple.cmax, snapshot, log));
  }
  // Places of the rows that the snapshot sees.
  std::vector<size_t> Visible(const Snapshot& snapshot, const CommitLog& log) const {
    std::vector<size_t> places;
    for (size_t at = 0; at < tuples_.size(); ++at) {
      if (IsVisible(at, snapshot, log)) places.push_back(at);
    }
    return places;
  }

 private:
  static bool Sees(Xid xid, uint32_t command, const Snapshot& snapshot, const CommitLog& log) {
    if (log.IsOwn(xid, snapshot.own)) return command < snapshot.command;
    return log.IsCommitted(xid) && !log.IsInSnapshot(xid, snapshot);
  }
  std::vector<Tuple<Row>> tuples_;
};

}  // namespace s3v::model
