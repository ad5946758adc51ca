// What the C shim does around the core, once more in C++ under the names it has there: extension/capture.c, create.c,
// log.c, sync.c and its parts, query.c, retained.c, gc.c. Each rule that data depends on can be
// switched off, so that tests can show that they would notice.
#pragma once

#include <initializer_list>
#include <optional>
#include <set>
#include <vector>

#include "model/server.h"

namespace s3v::model {

enum class Mutation {
  // Reading.
  kWatermark,                // the log is consumed and read by the greatest id seen
  kQueryTwoSnapshots,        // version under the statement's snapshot, log under a later one
  kQueryFreshSnapshots,      // every read of a query under a snapshot of its own, as in a VOLATILE function
  kIgnoresPendingTriggers,   // no scan of the source while AFTER triggers are pending
  kStaleBySnapshotOnly,      // a stale mark younger than a REPEATABLE READ snapshot is not looked at
  kIgnoresSystemIdentifier,  // hi and running are believed in another cluster
  // What a version records.
  kRecordsXmaxOnly,               // hi = xmax, nothing running
  kOwnXidMissing,                 // running without the sync's own id
  kLimitedRecordsXmaxOnly,        // a limited sync's hi is not lowered to what it left
  kLimitedRecordsXminOnly,        // a limited sync records its xmin alone
  kLimitedRecordsLowestLeftOnly,  // ... or the lowest id it left alone
  // Publication.
  kDeletesUnderNewerSnapshot,  // log rows are deleted under another snapshot than they were read under
  kInsertOnlyVersionRow,       // INSERT of the version row, and no look at the latest one under REPEATABLE READ
  kNoRepeatableReadCheck,
  kLockAfterSnapshot,
  kNoLock,
  kNoCounts,  // rows deleted and updated are not counted
  kNoFence,   // owner markers are not looked at
  // Special cases.
  kBuildsTwins,  // a key that is visible twice is built twice
  kKeyChangeLogsNewOnly,
  kEverythingMasksAll,         // an "everything" row masks all entries instead of making the source scanned
  kEverythingMasksAllLimited,  // the same, and a limited sync takes it when its turn comes
  kBuildsOwnVersionZero,       // create and first sync in one REPEATABLE READ transaction
  kChecksCaptureAsOfNow,  // a rebuild or reconcile looks at the triggers there are now, not at those its snapshot sees
  kClearsUnseenStaleMarks,  // a rebuild or reconcile deletes marks that it did not see
  // Clean-up.
  kCollectsWithoutLock,
  kCollectsUnderOldSnapshot,
  kCollectsVersionsInUse,  // retired is enough, whoever may still see it
  kCollectsBeforeFlush,    // a commit that a crash may take back counts
};

enum class SyncMode { kChanges, kReconcile, kRebuild };

struct SyncOptions {
  SyncMode mode = SyncMode::kChanges;
  bool wait = true;
  size_t max_rows = SIZE_MAX;  // of the log
  bool creating = false;
};

struct SyncResult {
  bool skipped = false;
  int64_t version = 0;
  bool is_limited = false;
  bool is_whole = false;
  bool is_new = false;  // a version was published, not only consumed log rows
};

struct CurrentVersion : VersionRow {
  bool bounded = false;  // hi and running are valid here
  bool mine = false;     // written by the current transaction
};

enum class Path { kIndex, kMixed, kSource };

struct Answer {
  Path path = Path::kSource;
  Snapshot snapshot;  // of the calling statement
  int64_t version = 0;
  std::set<Key> pending{};
  std::vector<IndexedRow> rows{};
};

class Recipe {
 public:
  Recipe(Server& server, Index& index, std::set<Mutation> mutations)
      : server_(server), index_(index), mutations_(std::move(mutations)) {}

  // create.c
  Task<> CreateIndex(Session& session, bool build);

  // capture.c: the rows of one statement; whether the triggers are there and fire always.
  void Capture(Session& session, const std::vector<Change>& changes);
  void CaptureTruncate(Session& session);
  bool CaptureInPlace(const Snapshot& snapshot) const;
  bool CaptureIsOwn(const Transaction& transaction) const;
  // ddl_events.c
  void MarkStale(Session& session);

  // catalog.c
  std::optional<CurrentVersion> CatalogVersion(const Snapshot& snapshot) const;
  bool CatalogIsStale(const Snapshot& snapshot) const;

  // log.c: places of the index's log rows, those of running transactions first, then by id.
  std::vector<size_t> CatalogLogScan(const CurrentVersion& version, const Snapshot& snapshot) const;

  struct Pending {
    bool everything = false;
    std::set<Key> keys;
  };
  Pending ReadPending(const CurrentVersion& version, const Snapshot& snapshot) const;

  // sync.c
  Task<SyncResult> SyncIndex(Session& session, SyncOptions options);
  // query.c, under `statement`, the snapshot of the calling statement.
  Task<Answer> QueryRun(Session& session, const Snapshot& statement);

  // retained.c, gc.c
  struct Retained {
    std::vector<ObjectId> manifests;
    std::vector<int64_t> expired;
    int64_t collected_at = 0;
  };
  // Answers what it kept; none: the index was locked, or has no version.
  Task<std::optional<Retained>> CollectIndex(Session& session, int64_t keep_seconds);

  bool Has(Mutation mutation) const { return mutations_.contains(mutation); }

 private:
  struct Sync;

  void LogChange(Session& session, std::optional<Key> key);

  Task<bool> CatalogLockIndex(Session& session, bool wait);
  void SyncCheckIsolation(Session& session);
  void CheckCapture(const Sync& sync) const;
  void ReadLog(Sync& sync, const SyncOptions& options) const;
  void WriteObjects(Sync& sync, SyncMode mode);
  void BuildVersion(Sync& sync, const std::vector<IndexedRow>& rows);
  void UpdateVersion(Sync& sync, const std::vector<IndexedRow>& rows);
  std::set<Key> CompareRows(const Sync& sync, const std::vector<IndexedRow>& rows);
  Task<> SyncConsumeLog(Sync& sync);
  Task<> SyncPublishVersion(Sync& sync);
  Task<> AddHistory(Sync& sync);
  Task<> SyncDeleteStaleMarks(Sync& sync);
  void RecordSnapshot(const Sync& sync, VersionRow* row);

  bool MustScan(const Transaction& transaction, const std::optional<CurrentVersion>& version,
                const Snapshot& snapshot) const;
  void AddKeys(const Transaction& transaction, const Snapshot& snapshot, Answer* answer) const;
  void ScanInstead(const Transaction& transaction, const Snapshot& snapshot, Answer* answer) const;
  void SearchIndex(const Transaction& transaction, const CurrentVersion& version, const Snapshot& snapshot,
                   Answer* answer) const;

  Retained RetainedRead(const Snapshot& snapshot, int64_t keep_seconds) const;
  Task<> RetainedForgetExpired(Session& session, const Retained& retained);
  Task<> OwnershipRecord(Session& session, uint64_t number);

  std::vector<IndexedRow> SourceRows(const Transaction& transaction, const Snapshot& snapshot) const;

  Server& server_;
  Index& index_;
  std::set<Mutation> mutations_;
};

}  // namespace s3v::model
