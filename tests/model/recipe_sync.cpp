// The sync of the recipe: sync.c, sync_snapshot.c, sync_build.c,
// sync_changes.c, sync_update.c, sync_reconcile.c, sync_publish.c.
#include <algorithm>
#include <iterator>
#include <map>

#include "model/recipe.h"

namespace s3v::model {
namespace {

// Two versions of one row are visible when others have deleted it since the snapshot and this transaction has made it
// again.
void RefuseTwins(const std::vector<IndexedRow>& rows) {
  std::set<Key> keys;
  for (const IndexedRow& row : rows) {
    if (!keys.insert(row.key).second) throw SqlError{"40001", "the table shows two rows with one key"};
  }
}

}  // namespace

// One sync while it runs.
struct Recipe::Sync {
  Session& session;
  const HeldSnapshot& snapshot;
  CurrentVersion version;       // as the snapshot sees it
  std::vector<size_t> taken{};  // log rows to be consumed
  std::vector<size_t> left{};   // seen, and for a later sync
  std::set<Key> changed{};      // keys of those taken
  bool everything = false;      // the log says: all rows
  bool whole = false;           // built like a first version
  uint64_t owner = 0;
  bool is_new = false;  // built
  Published built{};
};

Task<bool> Recipe::CatalogLockIndex(Session& session, bool wait) {
  if (!wait) co_return server_.TryLock(session.current(), Lockable::kIndex, LockMode::kAccessExclusive);
  co_await server_.Lock(session, Lockable::kIndex, LockMode::kAccessExclusive);
  co_return true;
}

void Recipe::SyncCheckIsolation(Session& session) {
  Transaction& transaction = session.current();
  if (transaction.isolation == Isolation::kReadCommitted) return;
  const std::optional<CurrentVersion> latest = CatalogVersion(server_.LatestSnapshot(transaction));
  const std::optional<CurrentVersion> ours = CatalogVersion(server_.TransactionSnapshot(transaction));
  if (ours && ours->version == 0 && ours->mine && !Has(Mutation::kBuildsOwnVersionZero))
    throw SqlError{"25001", "index cannot be built in the transaction that created it at this isolation level"};
  if (Has(Mutation::kInsertOnlyVersionRow) || Has(Mutation::kNoRepeatableReadCheck)) return;
  if (!ours || !latest || ours->version != latest->version || ours->owner != latest->owner)
    throw SqlError{"40001", "index was synced by another transaction"};
}

// Every change since the snapshot must be captured, and those before that were not must be in it. Triggers as of now do
// not tell: they may have been put back after a change that the snapshot does not see. Whoever puts them back waits for
// all writers, so a snapshot that sees them sees these; not so one that is older, of this very transaction.
void Recipe::CheckCapture(const Sync& sync) const {
  const Transaction& transaction = sync.session.current();
  bool is_seen = CaptureInPlace(*sync.snapshot);
  if (transaction.isolation == Isolation::kRepeatableRead) is_seen = is_seen && !CaptureIsOwn(transaction);
  if (Has(Mutation::kChecksCaptureAsOfNow)) is_seen = true;
  if (!is_seen || !CaptureInPlace(server_.LatestSnapshot(transaction)))
    throw SqlError{"55000", "changes of the source are not captured"};
}

void Recipe::ReadLog(Sync& sync, const SyncOptions& options) const {
  sync.taken = CatalogLogScan(sync.version, *sync.snapshot);
  const auto row = [&](size_t at) -> const LogRow& { return server_.change_log[at].row; };
  const bool masks_all = Has(Mutation::kEverythingMasksAll) || Has(Mutation::kEverythingMasksAllLimited);
  sync.everything = std::ranges::any_of(sync.taken, [&](size_t at) { return !row(at).key; });
  sync.whole = options.mode == SyncMode::kRebuild || sync.version.version == 0 || (sync.everything && !masks_all);
  const bool takes_all = sync.whole || options.mode != SyncMode::kChanges ||
                         (sync.everything && !Has(Mutation::kEverythingMasksAllLimited));
  if (!takes_all && sync.taken.size() > options.max_rows) {
    sync.left.assign(sync.taken.begin() + static_cast<ptrdiff_t>(options.max_rows), sync.taken.end());
    sync.taken.resize(options.max_rows);
    sync.everything = std::ranges::any_of(sync.taken, [&](size_t at) { return !row(at).key; });
  }
  for (const size_t at : sync.taken) {
    if (row(at).key) sync.changed.insert(*row(at).key);
  }
}

void Recipe::BuildVersion(Sync& sync, const std::vector<IndexedRow>& rows) {
  if (!Has(Mutation::kBuildsTwins)) RefuseTwins(rows);
  sync.built = index_.Build(rows);
  sync.is_new = true;
}

void Recipe::UpdateVersion(Sync& sync, const std::vector<IndexedRow>& rows) {
  const auto read = [&](Key key, Content* content) {
    std::vector<IndexedRow> found;
    std::ranges::copy_if(rows, std::back_inserter(found), [&](const IndexedRow& row) { return row.key == key; });
    RefuseTwins(found);
    if (!found.empty()) *content = found.front().content;
    return !found.empty();
  };
  sync.is_new = index_.Update(sync.version.objects, sync.changed, read, &sync.built);
}

// Keys that source and index do not agree on.
std::set<Key> Recipe::CompareRows(const Sync& sync, const std::vector<IndexedRow>& rows) {
  std::set<Key> differing;
  std::map<Key, Content> contents = index_.Contents(sync.version.objects);
  for (const IndexedRow& row : rows) {
    const auto indexed = contents.find(row.key);
    if (indexed == contents.end() || indexed->second != row.content) differing.insert(row.key);
    if (indexed != contents.end()) contents.erase(indexed);
  }
  for (const auto& [key, content] : contents) differing.insert(key);
  return differing;
}

void Recipe::WriteObjects(Sync& sync, SyncMode mode) {
  std::vector<IndexedRow> rows = SourceRows(sync.session.current(), *sync.snapshot);
  std::erase_if(rows, [](const IndexedRow& row) { return row.content == kNoVector; });
  try {
    if (sync.whole) {
      BuildVersion(sync, rows);
    } else if (sync.everything) {  // by a mutation: entries are masked, and only logged rows come back
      std::erase_if(rows, [&](const IndexedRow& row) { return !sync.changed.contains(row.key); });
      BuildVersion(sync, rows);
    } else {
      if (mode == SyncMode::kReconcile) sync.changed = CompareRows(sync, rows);
      UpdateVersion(sync, rows);
    }
  } catch (const StoreFailure&) {
    throw SqlError{"08006", "the store does not answer"};
  }
}

// Deletes exactly the log rows that were read; a broken lock then fails instead of losing data.
Task<> Recipe::SyncConsumeLog(Sync& sync) {
  Transaction& transaction = sync.session.current();
  std::vector<size_t> places = sync.taken;
  if (Has(Mutation::kDeletesUnderNewerSnapshot))
    places = CatalogLogScan(sync.version, server_.LatestSnapshot(transaction));
  size_t deleted = 0;
  for (const size_t at : places) {
    const auto place =
        co_await LockTuple<LogRow>(sync.session, server_.change_log, at, [](const LogRow&) { return true; });
    if (!place) continue;
    server_.change_log.Delete(*place, server_.WritingXid(transaction), transaction.command);
    ++deleted;
  }
  server_.EndCommand(transaction);
  const bool counts = !Has(Mutation::kNoCounts) && !Has(Mutation::kDeletesUnderNewerSnapshot);
  if (counts && deleted != sync.taken.size()) throw SqlError{"40001", "change log was consumed by another transaction"};
}

// Rows below hi, and not of a running transaction, are consumed or rolled back for certain.
void Recipe::RecordSnapshot(const Sync& sync, VersionRow* row) {
  const Snapshot& snapshot = *sync.snapshot;
  row->hi = snapshot.xmax;
  row->running = snapshot.xip;
  // Our own id is not among them: rows that this transaction logs after its sync are pending for whoever reads later.
  row->running.push_back(server_.TopXid(sync.session.current()));
  for (const size_t at : sync.taken) row->watermark = std::max(row->watermark, server_.change_log[at].row.id);
  if (Has(Mutation::kRecordsXmaxOnly)) row->running.clear();
  if (Has(Mutation::kOwnXidMissing)) row->running.pop_back();
  if (sync.left.empty()) return;

  Xid lowest_left = kNoXid;
  for (const size_t at : sync.left) {
    const Xid xid = server_.change_log[at].row.xid;
    if (lowest_left == kNoXid || xid < lowest_left) lowest_left = xid;
  }
  if (Has(Mutation::kLimitedRecordsXmaxOnly)) return;
  row->hi = std::min(row->hi, lowest_left);
  if (Has(Mutation::kLimitedRecordsXminOnly)) row->hi = snapshot.xmin;
  if (Has(Mutation::kLimitedRecordsXminOnly) || Has(Mutation::kLimitedRecordsLowestLeftOnly)) row->running.clear();
}

// The version row and its history: with the commit, readers see the new version, or the same one with less of the log.
Task<> Recipe::SyncPublishVersion(Sync& sync) {
  Transaction& transaction = sync.session.current();
  VersionRow row = sync.version;
  if (sync.is_new) {
    row.version = sync.version.version + 1;
    row.objects = sync.built;
  }
  row.owner = sync.owner;
  row.system_identifier = server_.system_identifier;
  RecordSnapshot(sync, &row);

  const int64_t old_version = sync.version.version;
  const bool counts = !Has(Mutation::kNoCounts);
  if (Has(Mutation::kInsertOnlyVersionRow)) {
    server_.version.Insert(row, server_.WritingXid(transaction), transaction.command);
  } else {
    size_t updated = 0;
    for (const size_t at : server_.version.Visible(*sync.snapshot, server_.log)) {
      const auto place = co_await LockTuple<VersionRow>(
          sync.session, server_.version, at,
          [=](const VersionRow& current) { return !counts || current.version == old_version; });
      if (!place) continue;
      server_.version.Update(*place, row, server_.WritingXid(transaction), transaction.command);
      ++updated;
    }
    if (counts && updated != 1) throw SqlError{"40001", "index was synced by another transaction"};
  }
  server_.EndCommand(transaction);
  if (sync.is_new) co_await AddHistory(sync);
}

Task<> Recipe::AddHistory(Sync& sync) {
  Transaction& transaction = sync.session.current();
  const auto is_current = [](const HistoryRow& history) { return history.retired_by == kNoXid; };
  for (const size_t at : server_.history.Visible(*sync.snapshot, server_.log)) {
    if (!is_current(server_.history[at].row)) continue;
    const auto place = co_await LockTuple<HistoryRow>(sync.session, server_.history, at, is_current);
    if (!place) continue;
    HistoryRow retired = server_.history[*place].row;
    retired.retired_by = server_.TopXid(transaction);
    retired.retired_at = server_.now;
    retired.system_identifier = server_.system_identifier;
    server_.history.Update(*place, retired, server_.WritingXid(transaction), transaction.command);
  }
  server_.history.Insert({.version = sync.version.version + 1, .manifest = sync.built.manifest},
                         server_.WritingXid(transaction), transaction.command);
  server_.EndCommand(transaction);
}

Task<> Recipe::SyncDeleteStaleMarks(Sync& sync) {
  Transaction& transaction = sync.session.current();
  const Snapshot seen = Has(Mutation::kClearsUnseenStaleMarks) ? server_.LatestSnapshot(transaction) : *sync.snapshot;
  for (const size_t at : server_.stale.Visible(seen, server_.log)) {
    const auto place =
        co_await LockTuple<StaleMark>(sync.session, server_.stale, at, [](const StaleMark&) { return true; });
    if (place) server_.stale.Delete(*place, server_.WritingXid(transaction), transaction.command);
  }
  server_.EndCommand(transaction);
}

Task<SyncResult> Recipe::SyncIndex(Session& session, SyncOptions options) {
  Transaction& transaction = session.current();
  co_await server_.Lock(session, Lockable::kSource, LockMode::kAccessShare);
  const bool locks_first = !Has(Mutation::kNoLock) && !Has(Mutation::kLockAfterSnapshot);
  if (locks_first) {
    const bool is_locked = co_await CatalogLockIndex(session, options.wait);
    if (!is_locked) co_return SyncResult{.skipped = true};
  }
  co_await session.Point("sync.locked");
  if (!options.creating) SyncCheckIsolation(session);
  const HeldSnapshot snapshot(server_, server_.TransactionSnapshot(transaction));
  co_await session.Point("sync.snapshot");
  if (Has(Mutation::kLockAfterSnapshot)) (void)co_await CatalogLockIndex(session, true);

  const std::optional<CurrentVersion> version = CatalogVersion(*snapshot);
  if (!version) throw SqlError{"42704", "index was dropped or is not an s3v index"};
  Sync sync{.session = session, .snapshot = snapshot, .version = *version};
  CheckCapture(sync);
  ReadLog(sync, options);
  if (options.mode == SyncMode::kChanges && version->version > 0 && sync.taken.empty())
    co_return SyncResult{.version = version->version};

  sync.owner = index_.ClaimOwnership(version->owner);
  WriteObjects(sync, options.mode);
  co_await session.Point("sync.manifest_acked");
  co_await SyncConsumeLog(sync);
  if (options.mode != SyncMode::kChanges) co_await SyncDeleteStaleMarks(sync);
  co_await session.Point("sync.log_deleted");
  co_await SyncPublishVersion(sync);
  co_await session.Point("sync.pointer_written");
  if (!Has(Mutation::kNoFence)) index_.VerifyOwnership(sync.owner);
  co_return SyncResult{.version = version->version + (sync.is_new ? 1 : 0),
                       .is_limited = !sync.left.empty(),
                       .is_whole = sync.whole,
                       .is_new = sync.is_new};
}

}  // namespace s3v::model
