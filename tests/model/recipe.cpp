#include "model/recipe.h"

#include <algorithm>

namespace s3v::model {

// ---- capture.c ----

bool Recipe::CaptureInPlace(const Snapshot& snapshot) const {
  const auto rows = server_.capture.Visible(snapshot, server_.log);
  return !rows.empty() && server_.capture[rows.back()].row.in_place;
}

bool Recipe::CaptureIsOwn(const Transaction& transaction) const {
  const auto rows = server_.capture.Visible(server_.LatestSnapshot(transaction), server_.log);
  return !rows.empty() && server_.log.IsOwn(server_.capture[rows.back()].xmin, transaction.xid);
}

void Recipe::LogChange(Session& session, std::optional<Key> key) {
  Transaction& transaction = session.current();
  server_.change_log.Insert({.xid = server_.TopXid(transaction), .id = server_.next_change_id++, .key = key},
                            server_.WritingXid(transaction), transaction.command);
}

// A row without a vector is not in the index: only changes between having one and another, or none, count.
void Recipe::Capture(Session& session, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    const bool had_vector = change.before && change.before->content != kNoVector;
    const bool has_vector = change.after && change.after->content != kNoVector;
    if (!had_vector && !has_vector) continue;
    if (change.before == change.after) continue;
    if (change.after) LogChange(session, change.after->key);
    const bool moved = change.before && change.after && change.before->key != change.after->key;
    if (moved && Has(Mutation::kKeyChangeLogsNewOnly)) continue;
    if (change.before && (!change.after || moved)) LogChange(session, change.before->key);
  }
}

void Recipe::CaptureTruncate(Session& session) { LogChange(session, std::nullopt); }

void Recipe::MarkStale(Session& session) {
  server_.stale.Insert({}, server_.WritingXid(session.current()), session.current().command);
}

// ---- create.c ----

Task<> Recipe::CreateIndex(Session& session, bool build) {
  Transaction& transaction = session.current();
  if (transaction.isolation == Isolation::kRepeatableRead && !Has(Mutation::kBuildsOwnVersionZero))
    throw SqlError{"25001", "s3v_create_index cannot run at isolation level REPEATABLE READ"};
  co_await server_.Lock(session, Lockable::kSource, LockMode::kShareRowExclusive);
  if (CatalogVersion(server_.LatestSnapshot(transaction))) throw SqlError{"42P07", "index already exists"};
  const Xid xid = server_.WritingXid(transaction);
  server_.version.Insert({}, xid, transaction.command);
  server_.capture.Insert({.in_place = true}, xid, transaction.command);
  server_.EndCommand(transaction);
  co_await session.Point("create.captured");
  if (build) (void)co_await SyncIndex(session, {.creating = true});
}

// ---- catalog.c, log.c ----

std::optional<CurrentVersion> Recipe::CatalogVersion(const Snapshot& snapshot) const {
  std::optional<CurrentVersion> found;
  for (const size_t at : server_.version.Visible(snapshot, server_.log)) {
    const Tuple<VersionRow>& tuple = server_.version[at];
    if (found && found->version > tuple.row.version) continue;
    found.emplace();
    static_cast<VersionRow&>(*found) = tuple.row;
    found->mine = server_.log.IsOwn(tuple.xmin, snapshot.own);
  }
  if (!found) return found;
  const bool is_here = found->system_identifier == server_.system_identifier || Has(Mutation::kIgnoresSystemIdentifier);
  found->bounded = found->version > 0 && is_here;
  return found;
}

bool Recipe::CatalogIsStale(const Snapshot& snapshot) const {
  return !server_.stale.Visible(snapshot, server_.log).empty();
}

std::vector<size_t> Recipe::CatalogLogScan(const CurrentVersion& version, const Snapshot& snapshot) const {
  std::vector<size_t> places = server_.change_log.Visible(snapshot, server_.log);
  const auto row = [&](size_t at) -> const LogRow& { return server_.change_log[at].row; };
  if (Has(Mutation::kWatermark)) {
    std::erase_if(places, [&](size_t at) { return row(at).id <= version.watermark; });
    return places;
  }
  const auto order = [&](size_t at) {
    return std::tuple(version.bounded && row(at).xid >= version.hi, row(at).xid, row(at).id);
  };
  if (version.bounded) {
    std::erase_if(places, [&](size_t at) {
      return row(at).xid < version.hi && std::ranges::find(version.running, row(at).xid) == version.running.end();
    });
  }
  std::ranges::sort(places, {}, order);
  return places;
}

// ---- query.c ----

std::vector<IndexedRow> Recipe::SourceRows(const Transaction& transaction, const Snapshot& snapshot) const {
  const Heap<IndexedRow>& source = server_.Source(transaction);
  std::vector<IndexedRow> rows;
  for (const size_t at : source.Visible(snapshot, server_.log)) rows.push_back(source[at].row);
  return rows;
}

Recipe::Pending Recipe::ReadPending(const CurrentVersion& version, const Snapshot& snapshot) const {
  Pending pending;
  for (const size_t at : CatalogLogScan(version, snapshot)) {
    const LogRow& row = server_.change_log[at].row;
    if (row.key)
      pending.keys.insert(*row.key);
    else
      pending.everything = true;
  }
  return pending;
}

// Why the index cannot answer in this snapshot (reason_to_scan), what the log says left out.
bool Recipe::MustScan(const Transaction& transaction, const std::optional<CurrentVersion>& version,
                      const Snapshot& snapshot) const {
  if (!version || version->version == 0) return true;
  // Inside the writing statement rows are visible before the triggers have logged them.
  if (transaction.triggers_pending && !Has(Mutation::kIgnoresPendingTriggers)) return true;
  if (CatalogIsStale(snapshot)) return true;
  // A transaction whose snapshot is older than the mark may have written since, and nothing was captured.
  return !Has(Mutation::kStaleBySnapshotOnly) && CatalogIsStale(server_.LatestSnapshot(transaction));
}

// Rows of the pending keys. Under REPEATABLE READ one key can be visible twice: both are shown.
void Recipe::AddKeys(const Transaction& transaction, const Snapshot& snapshot, Answer* answer) const {
  for (const IndexedRow& row : SourceRows(transaction, snapshot)) {
    if (row.content != kNoVector && answer->pending.contains(row.key)) answer->rows.push_back(row);
  }
}

void Recipe::ScanInstead(const Transaction& transaction, const Snapshot& snapshot, Answer* answer) const {
  answer->path = Path::kSource;
  answer->rows = SourceRows(transaction, snapshot);
  std::erase_if(answer->rows, [](const IndexedRow& row) { return row.content == kNoVector; });
}

void Recipe::SearchIndex(const Transaction& transaction, const CurrentVersion& version, const Snapshot& snapshot,
                         Answer* answer) const {
  std::vector<IndexedRow> found = index_.SearchAll(version.objects, answer->pending);
  // The shim ranks every candidate by its source row, and drops those without one. Here that would hide what is wrong
  // with the index, so it is done only where the index cannot be right: in a snapshot older than a TRUNCATE.
  if (server_.IsOlderThanFile(snapshot, transaction)) {
    const std::vector<IndexedRow> rows = SourceRows(transaction, snapshot);
    std::erase_if(found, [&](const IndexedRow& hit) { return std::ranges::find(rows, hit) == rows.end(); });
  }
  answer->rows.insert(answer->rows.end(), found.begin(), found.end());
}

Task<Answer> Recipe::QueryRun(Session& session, const Snapshot& statement) {
  Transaction& transaction = session.current();
  Answer answer{.snapshot = statement};
  const auto snapshot = [&](bool is_renewed) {
    return is_renewed ? server_.TransactionSnapshot(transaction) : statement;
  };
  const bool all_fresh = Has(Mutation::kQueryFreshSnapshots);
  const bool two = Has(Mutation::kQueryTwoSnapshots);
  const bool masks_all = Has(Mutation::kEverythingMasksAll) || Has(Mutation::kEverythingMasksAllLimited);

  co_await server_.Lock(session, Lockable::kSource, LockMode::kAccessShare);
  co_await session.Point("query.snapshot");
  const std::optional<CurrentVersion> version = CatalogVersion(snapshot(all_fresh));
  co_await session.Point("query.pointer_read");
  Pending pending;
  const bool must_scan = MustScan(transaction, version, snapshot(all_fresh));
  if (!must_scan) pending = ReadPending(*version, snapshot(all_fresh || two));
  if (must_scan || (pending.everything && !masks_all)) {
    ScanInstead(transaction, statement, &answer);
    co_return answer;
  }
  answer.version = version->version;
  answer.path = pending.keys.empty() ? Path::kIndex : Path::kMixed;
  answer.pending = std::move(pending.keys);
  co_await session.Point("query.log_read");
  AddKeys(transaction, snapshot(all_fresh), &answer);
  co_await session.Point("query.ranges_read");
  if (!pending.everything) SearchIndex(transaction, *version, statement, &answer);
  co_return answer;
}

// ---- retained.c, gc.c ----

Recipe::Retained Recipe::RetainedRead(const Snapshot& snapshot, int64_t keep_seconds) const {
  const Xid oldest_needed = server_.OldestNonRemovable();
  Retained retained;
  for (const size_t at : server_.history.Visible(snapshot, server_.log)) {
    const HistoryRow& row = server_.history[at].row;
    const bool is_elsewhere = row.system_identifier != server_.system_identifier;
    const bool unseen = is_elsewhere || row.retired_by < oldest_needed || Has(Mutation::kCollectsVersionsInUse);
    if (row.retired_by != kNoXid && row.retired_at < server_.now - keep_seconds && unseen)
      retained.expired.push_back(row.version);
    else
      retained.manifests.push_back(row.manifest);
  }
  return retained;
}

Task<> Recipe::RetainedForgetExpired(Session& session, const Retained& retained) {
  Transaction& transaction = session.current();
  const HeldSnapshot snapshot(server_, server_.TransactionSnapshot(transaction));
  for (const size_t at : server_.history.Visible(*snapshot, server_.log)) {
    if (std::ranges::find(retained.expired, server_.history[at].row.version) == retained.expired.end()) continue;
    const auto place =
        co_await LockTuple<HistoryRow>(session, server_.history, at, [](const HistoryRow&) { return true; });
    if (place) server_.history.Delete(*place, server_.WritingXid(transaction), transaction.command);
  }
  server_.EndCommand(transaction);
}

Task<> Recipe::OwnershipRecord(Session& session, uint64_t number) {
  Transaction& transaction = session.current();
  const HeldSnapshot snapshot(server_, server_.TransactionSnapshot(transaction));
  for (const size_t at : server_.version.Visible(*snapshot, server_.log)) {
    const auto place =
        co_await LockTuple<VersionRow>(session, server_.version, at, [](const VersionRow&) { return true; });
    if (!place) continue;
    VersionRow row = server_.version[*place].row;
    row.owner = number;
    server_.version.Update(*place, std::move(row), server_.WritingXid(transaction), transaction.command);
  }
  server_.EndCommand(transaction);
}

// Under the sync's lock, then the latest committed state: an old snapshot would not know the newest version's objects.
Task<std::optional<Recipe::Retained>> Recipe::CollectIndex(Session& session, int64_t keep_seconds) {
  Transaction& transaction = session.current();
  if (!Has(Mutation::kCollectsWithoutLock)) {
    const bool is_locked = co_await CatalogLockIndex(session, false);
    if (!is_locked) co_return std::nullopt;
  }
  const HeldSnapshot snapshot(server_, Has(Mutation::kCollectsUnderOldSnapshot)
                                           ? server_.TransactionSnapshot(transaction)
                                           : server_.LatestSnapshot(transaction));
  const std::optional<CurrentVersion> version = CatalogVersion(*snapshot);
  if (!version) co_return std::nullopt;
  const uint64_t number = index_.ClaimOwnership(version->owner);
  const int64_t claimed_at = server_.now;
  Retained retained = RetainedRead(*snapshot, keep_seconds);
  // Objects do not come back, so neither may the version before: what is collected by must be on disk.
  if (!Has(Mutation::kCollectsBeforeFlush)) server_.FlushCommits();
  co_await session.Point("collect.listed");
  index_.Collect(retained.manifests, keep_seconds, number);
  retained.collected_at = claimed_at;
  co_await session.Point("collect.delete_sent");
  co_await RetainedForgetExpired(session, retained);
  co_await OwnershipRecord(session, number);
  if (!Has(Mutation::kNoFence)) index_.VerifyOwnership(number);
  co_return retained;
}

}  // namespace s3v::model
