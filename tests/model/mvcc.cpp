#include "model/mvcc.h"

namespace s3v::model {

Xid CommitLog::Assign(Xid top) {
  entries_.push_back({.top = top});
  if (top == kNoXid) running_.push_back(next_);
  return next_++;
}

void CommitLog::Finish(Xid xid, Fate fate) {
  entries_[xid - first_].fate = fate;
  std::erase(running_, xid);
  // Subtransactions complete with their top-level one.
  Xid last = xid;
  for (Xid sub = xid + 1; sub < next_; ++sub) {
    if (entry(sub).top == xid) last = sub;
  }
  latest_completed_ = std::max(latest_completed_, last);
}

void CommitLog::Commit(Xid top) { Finish(top, Fate::kCommitted); }
void CommitLog::Abort(Xid xid) { Finish(xid, Fate::kAborted); }
void CommitLog::LoseCommit(Xid top) { entries_[top - first_].fate = Fate::kAborted; }

CommitLog::Fate CommitLog::FateOf(Xid xid) const {
  if (xid < first_) return Fate::kCommitted;
  const Entry& own = entry(xid);
  if (own.top == kNoXid || own.fate == Fate::kAborted) return own.fate;
  return entry(own.top).fate;
}

Snapshot CommitLog::Take(Xid own, uint32_t command) const {
  Snapshot snapshot{.xmax = latest_completed_ + 1, .own = own, .command = command};
  snapshot.xmin = snapshot.xmax;
  for (const Xid xid : running_) {
    if (xid >= snapshot.xmax) break;
    snapshot.xmin = std::min(snapshot.xmin, xid);
    if (xid != own) snapshot.xip.push_back(xid);
  }
  return snapshot;
}

bool CommitLog::IsInSnapshot(Xid xid, const Snapshot& snapshot) const {
  if (xid >= snapshot.xmax) return true;
  if (xid < snapshot.xmin) return false;
  return std::ranges::binary_search(snapshot.xip, TopOf(xid));
}

}  // namespace s3v::model
