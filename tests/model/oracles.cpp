#include "model/oracles.h"

#include <algorithm>
#include <map>

#include "model/statements.h"

namespace s3v::model {
namespace {

std::string Text(const std::vector<IndexedRow>& rows) {
  std::string text = "{";
  for (const IndexedRow& row : rows) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(row.key) + ":" + std::to_string(row.content);
  }
  return text + "}";
}

std::string Difference(const std::vector<IndexedRow>& got, const std::vector<IndexedRow>& expected) {
  return "index " + Text(got) + ", table " + Text(expected);
}

std::vector<IndexedRow> Without(std::vector<IndexedRow> rows, const std::set<Key>& keys) {
  std::erase_if(rows, [&](const IndexedRow& row) { return keys.contains(row.key); });
  return rows;
}

}  // namespace

void Comparisons::Add(const Comparisons& more) {
  answers_by_index += more.answers_by_index;
  answers_mixed += more.answers_mixed;
  answers_by_source += more.answers_by_source;
  committed += more.committed;
  collected += more.collected;
  puts += more.puts;
  deletes += more.deletes;
}

void Oracles::CheckAnswer(const Transaction& transaction, const Answer& answer) {
  const std::vector<IndexedRow> expected = ScanSource(server_, transaction, answer.snapshot);
  std::vector<IndexedRow> got = answer.rows;
  std::ranges::sort(got);
  ++(answer.path == Path::kIndex   ? comparisons_.answers_by_index
     : answer.path == Path::kMixed ? comparisons_.answers_mixed
                                   : comparisons_.answers_by_source);
  if (got != expected) throw Violation{"O1", Difference(got, expected)};
}

void Oracles::CheckCommitted() {
  const Transaction observer;
  const Snapshot snapshot = server_.LatestSnapshot(observer);
  const std::optional<CurrentVersion> version = recipe_->CatalogVersion(snapshot);
  if (!version || version->version == 0 || recipe_->CatalogIsStale(snapshot)) return;
  const Recipe::Pending pending = recipe_->ReadPending(*version, snapshot);
  if (pending.everything) return;
  ++comparisons_.committed;
  std::vector<IndexedRow> contents;
  for (const auto& [key, content] : index_->Contents(version->objects)) contents.push_back({key, content});
  const std::vector<IndexedRow> got = Without(std::move(contents), pending.keys);
  const std::vector<IndexedRow> expected = Without(ScanSource(server_, observer, snapshot), pending.keys);
  if (got != expected) throw Violation{"O3", Difference(got, expected)};
}

void Oracles::CheckCollected(const Recipe::Retained& retained, int64_t keep_seconds) {
  ++comparisons_.collected;
  std::set<std::string> named;
  for (const ObjectId& manifest : retained.manifests) named.merge(index_->ObjectsOf(manifest));
  const std::map<std::string, int64_t> stored = index_->Stored();
  for (const std::string& object : named) {
    if (!stored.contains(object)) throw Violation{"O4", "a retained version has lost " + object};
  }
  for (const auto& [object, written_at] : stored) {
    if (!named.contains(object) && retained.collected_at - written_at >= keep_seconds)
      throw Violation{"O4", "nobody needs " + object};
  }
}

void Oracles::CheckQuiet() {
  const Transaction observer;
  const Snapshot snapshot = server_.LatestSnapshot(observer);
  const std::optional<CurrentVersion> version = recipe_->CatalogVersion(snapshot);
  const size_t left = server_.change_log.Visible(snapshot, server_.log).size();
  if (left > 0) throw Violation{"O3", std::to_string(left) + " rows of the log will never be consumed"};
  CheckCommitted();
  std::set<std::string> stored;
  for (const auto& [object, written_at] : index_->Stored()) stored.insert(object);
  if (stored != index_->ObjectsOf(version->objects.manifest))
    throw Violation{"O4", "the store does not hold exactly the objects of the last version"};
}

void Oracles::OnPut(const std::string& object) {
  ++comparisons_.puts;
  if (!written_.insert(object).second) throw Violation{"O5", object + " was written twice"};
}

// Of the versions that are current, that some snapshot sees, or that may yet be committed.
std::set<std::string> Oracles::NeededObjects() {
  const CommitLog& log = server_.log;
  std::vector<Snapshot> snapshots = server_.OpenSnapshots();
  snapshots.push_back(log.Take(kNoXid, 0));
  std::set<std::string> needed;
  for (size_t at = 0; at < server_.version.size(); ++at) {
    const Tuple<VersionRow>& tuple = server_.version[at];
    if (tuple.row.version > 0 && log.IsRunning(tuple.xmin)) needed.merge(index_->ObjectsOf(tuple.row.objects.manifest));
  }
  for (const Snapshot& snapshot : snapshots) {
    const std::optional<CurrentVersion> version = recipe_->CatalogVersion(snapshot);
    if (version && version->version > 0) needed.merge(index_->ObjectsOf(version->objects.manifest));
  }
  return needed;
}

void Oracles::OnDelete(const std::string& object) {
  ++comparisons_.deletes;
  if (needed_at_ != server_.events.size()) {
    needed_ = NeededObjects();
    needed_at_ = server_.events.size();
  }
  if (needed_.contains(object)) throw Violation{"O5", object + " was deleted, and is needed"};
}

}  // namespace s3v::model
