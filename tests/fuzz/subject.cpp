#include "fuzz/subject.h"

#include <algorithm>

#include "engine/contents.h"
#include "engine/ownership.h"
#include "engine/update.h"
#include "format/names.h"

namespace s3v::fuzz {
namespace {

constexpr size_t kDimensions = 16;
constexpr size_t kLists = 4;

testing::Table Rows(size_t rows, uint64_t seed) { return testing::Clustered(rows, kDimensions, kLists, seed); }

BuildOptions OptionsOf(const SubjectOptions& subject) {
  BuildOptions options = testing::SmallOptions(Rows(1, 1), subject.metric, kLists);
  options.key_kind = subject.keys;
  options.raw = subject.raw;
  options.bits = subject.bits;
  options.duplicates = subject.duplicates;
  options.metadata_columns.clear();
  if (subject.has_metadata) options.metadata_columns = {"n", "label", "many"};
  return options;
}

}  // namespace

Subject::Subject(const SubjectOptions& options) : name_(options.name), options_(options) {
  std::map<std::string, testing::LivingIndex::Row> rows;
  for (size_t row = 0; row < options.rows; ++row) rows[KeyOf(row)] = RowOf(row, 0);
  index_ = std::make_unique<testing::LivingIndex>(OptionsOf(options), std::move(rows));
  for (uint64_t version = 1; version <= 3; ++version) {
    for (size_t i = 0; i < 3; ++i) index_->Put(KeyOf((version * 17 + i * 5) % options.rows), RowOf(i, version));
    index_->Put(KeyOf(options.rows + version), RowOf(version, version));
    index_->Remove(KeyOf(version * 11 % options.rows));
    index_->Sync();
  }

  const std::vector<FilterColumn> columns = {
      {"n", ColumnKind::kNumber}, {"label", ColumnKind::kText}, {"many", ColumnKind::kList}};
  for (const char* text :
       {R"({"n":{"$gte":20}})", R"({"label":"red","many":{"$ne":3}})", R"({"n":{"$exists":false}})"}) {
    if (options.has_metadata) filters_.push_back(Expression::Compile(text, columns, nullptr));
  }
  questions_.names = NamesOf(index_->manifest);
  for (const uint64_t seed : {5, 6}) {
    const testing::Table query = Rows(1, seed);
    questions_.queries.push_back(query.vectors);
  }
  for (const auto& filter : filters_) questions_.filters.push_back(filter.get());
  for (size_t row = 0; row < options.rows; row += 7) questions_.keys.push_back(KeyOf(row));
  std::ranges::sort(questions_.keys);

  NeverStop stop;
  owner_ = {.system_identifier = 42, .database = 5, .timeline = 1, .token = {7}};
  owner_number_ = ClaimOwnership(store(), questions_.names.index, 0, {}, owner_, false, stop);
  FindObjects();
  const auto navigation = OpenVersion(questions_, store());
  questions_.learnt = &candidates_;
  for (const Question& question : AllQuestions()) answers_.push_back(question.ask(questions_, *navigation, store()));
  questions_.learnt = nullptr;
  cached_questions_ = questions_;
  cached_questions_.known = &candidates_;
  for (const Question& question : AllQuestions())
    cached_answers_.push_back(question.ask(cached_questions_, *navigation, store()));
  followed_ = FollowIn(store());
  RemoveNew(store());
}

Bytes Subject::MetadataOf(size_t row) const {
  testing::MetadataWriter writer;
  if (!options_.has_metadata) return {};
  row % 7 == 0 ? writer.Null() : writer.Integer(static_cast<int64_t>(row));
  writer.Text(row % 3 == 0 ? "red" : "blue");
  return writer.List(2).Integer(static_cast<int64_t>(row % 5)).Text("label number " + std::to_string(row)).row();
}

std::string Subject::KeyOf(size_t row) const {
  const std::string integer = testing::IntegerKey(static_cast<int64_t>(row));
  if (options_.keys == KeyKind::kInteger) return integer;
  if (options_.keys == KeyKind::kUuid) return integer + integer;
  return "a key of some length: " + std::to_string(row * row);
}

testing::LivingIndex::Row Subject::RowOf(size_t row, uint64_t version) const {
  const testing::Table table = Rows(1, 1000 * version + row + 100);
  return {table.vectors, MetadataOf(row)};
}

void Subject::FindObjects() {
  NeverStop stop;
  const ObjectId& index = questions_.names.index;
  std::vector<std::string> named = {NavigationKey(index, questions_.names.base.id),
                                    ManifestKey(index, index_->manifest.id), OwnerKey(index, owner_number_)};
  for (const ObjectName& delta : questions_.names.deltas) named.push_back(NavigationKey(index, delta.id));
  for (const ObjectName& segment : index_->manifest.segments) named.push_back(SegmentKey(index, segment.id));
  for (const ObjectInfo& object : store().List("", stop)) {
    const bool is_named = std::ranges::find(named, object.key) != named.end();
    (is_named ? objects_ : older_)[object.key] = store().Get(object.key, UINT64_MAX, stop);
  }
}

void Subject::Put(const std::string& key, ByteView bytes) const {
  NeverStop stop;
  store().Put(key, bytes, ObjectStore::PutMode::kOverwrite, stop);
}

void Subject::Remove(const std::string& key) const {
  NeverStop stop;
  store().Delete({&key, 1}, stop);
}

template <class Work>
Subject::Result Subject::Judge(const std::string& damaged, const char* where, const std::string& right,
                               const Work& work) const {
  Result result;
  result.where = where;
  try {
    if (work() != right) result.end = End::kWrong;
  } catch (const Error& error) {
    result.end = End::kRefused;
    result.complaint = error.message();
    const bool is_expected = error.code() == Code::kCorrupted || error.code() == Code::kObjectMissing;
    result.is_named = is_expected && !damaged.empty() && error.message().find(damaged) != std::string::npos;
  }
  return result;
}

Subject::Result Subject::AskAll(ObjectStore& store, const std::string& damaged, Way way) const {
  const Questions& questions = way == Way::kCached ? cached_questions_ : questions_;
  const std::vector<std::string>& answers = way == Way::kCached ? cached_answers_ : answers_;
  std::shared_ptr<const Navigation> navigation;
  Result worst = Judge(damaged, "opening", "", [&] {
    navigation = OpenVersion(questions, store);
    return "";
  });
  worst.check_can_see = worst.end == End::kRefused;
  if (navigation == nullptr) return worst;
  for (size_t i = 0; i < answers.size(); ++i) {
    const Question& question = AllQuestions()[i];
    const Result result =
        Judge(damaged, question.name, answers[i], [&] { return question.ask(questions, *navigation, store); });
    if (result.end == End::kRight) continue;
    const std::string_view name = question.name;
    const bool reads_raw = name == "search by raw vectors" || name == "entries";
    const bool could_see = worst.check_can_see;
    if (worst.is_named) worst = result;
    worst.check_can_see = could_see || (result.end == End::kRefused && !reads_raw);
    if (result.end == End::kWrong) return result;
  }
  return worst;
}

bool Subject::CheckFindsDamage(ObjectStore& store) const {
  NeverStop stop;
  const Damage damage = Verify(questions_.names, index_->manifest.id, store, stop);
  return damage.is_unusable || damage.objects > 0;
}

Subject::Result Subject::AskOwner(ObjectStore& store, const std::string& damaged) const {
  NeverStop stop;
  const ObjectId& index = questions_.names.index;
  const Bytes right = EncodeManifest(index_->manifest);
  Result result = Judge(damaged, "manifest", std::string(AsText(right)), [&] {
    return std::string(AsText(EncodeManifest(ReadManifest(store, index, index_->manifest.id, stop))));
  });
  if (result.end != End::kRight) return result;
  result = Judge(damaged, "fence", std::to_string(owner_number_ + 1),
                 [&] { return std::to_string(ClaimOwnership(store, index, owner_number_, {}, owner_, false, stop)); });
  RemoveNew(store);
  return result;
}

// One row put, one removed, and all lists written anew: whatever a sync carries over comes from what is there.
std::string Subject::FollowIn(ObjectStore& store) const {
  NeverStop stop;
  testing::TempSpillFactory spill;
  UpdateOptions options = index_->updates;
  options.optimize = true;
  options.seed = 99;
  const auto navigation = OpenVersion(questions_, store);
  IndexUpdate update(navigation, options, store, spill, nullptr);
  const testing::LivingIndex::Row row = RowOf(3, 77);
  update.Put(AsBytes(KeyOf(options_.rows + 50)), row.vector, row.metadata, stop);
  update.Remove(AsBytes(KeyOf(2)));
  update.Plan(stop);
  for (std::vector<std::string> keys; !(keys = update.TakeKeys(1000, stop)).empty();) {
    for (const std::string& key : keys) {
      const auto& source = index_->source.at(key);
      update.Put(AsBytes(key), source.vector, source.metadata, stop);
    }
  }
  Questions questions = questions_;
  questions.names = NamesOf(update.Finish(stop).built.manifest);
  const auto followed = OpenVersion(questions, store);
  std::string text;
  for (const Question& question : AllQuestions()) {
    const std::string_view name = question.name;
    if (name == "contents" || name == "search of all lists") text += question.ask(questions, *followed, store);
  }
  return text;
}

void Subject::RemoveNew(ObjectStore& store) const {
  NeverStop stop;
  std::vector<std::string> fresh;
  for (const ObjectInfo& object : store.List("", stop)) {
    if (!objects_.contains(object.key) && !older_.contains(object.key)) fresh.push_back(object.key);
  }
  store.Delete(fresh, stop);
}

Subject::Result Subject::Follow(ObjectStore& store, const std::string& damaged) const {
  const Result result = Judge(damaged, "sync", followed_, [&] { return FollowIn(store); });
  RemoveNew(store);
  return result;
}

}  // namespace s3v::fuzz
