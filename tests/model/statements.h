// Statements of users: writes to the source with their triggers, DDL that switches capture, queries with the answer
// that PostgreSQL itself would give.
#pragma once

#include <vector>

#include "model/recipe.h"

namespace s3v::model {

enum class WriteKind { kInsert, kUpdate, kTouch, kMove, kDelete };

struct Write {
  WriteKind kind = WriteKind::kInsert;
  Key key = 0;
  Content content = 0;  // kInsert, kUpdate
  Key to = 0;           // kMove
};

// One session of a user of this index.
class User {
 public:
  User(Session& session, Recipe& recipe) : session_(session), server_(session.server()), recipe_(recipe) {}

  // One statement: its rows, then its AFTER triggers. `middle` runs in between, as a volatile function would: it sees
  // the rows, but no log rows of theirs.
  Task<> Execute(std::vector<Write> writes, std::function<Task<>()> middle = nullptr);
  Task<> Truncate();
  // ALTER TABLE ... DISABLE or ENABLE ALWAYS TRIGGER.
  Task<> SwitchCapture(bool on);

 private:
  Task<> Insert(IndexedRow row, std::vector<Change>* changes);
  Task<> WaitForKey(Key key);
  Task<> Apply(Write write, const Snapshot& snapshot, std::vector<Change>* changes);

  Session& session_;
  Server& server_;
  Recipe& recipe_;
};

// What a scan of the source shows under the snapshot: rows with a vector, in order.
std::vector<IndexedRow> ScanSource(Server& server, const Transaction& transaction, const Snapshot& snapshot);

}  // namespace s3v::model
