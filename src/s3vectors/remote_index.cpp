#include "s3vectors/remote_index.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <set>
#include <utility>

#include "s3vectors/index_calls.h"

namespace s3v {
namespace {

constexpr size_t kListPageSize = 500;
constexpr size_t kMaxListed = 1'000'000;  // a bucket holds 10,000; a hostile server could go on for ever ...
constexpr size_t kMaxPages = 10'000;      // ... also with empty pages
constexpr int kNamesTried = 2;
constexpr auto kText = JsonValue::Type::kText;
constexpr auto kObject = JsonValue::Type::kObject;

uint32_t RandomGeneration() {
  const ObjectId random = RandomId();
  uint32_t generation;
  std::memcpy(&generation, random.data(), sizeof generation);
  return generation;
}

// Answers false when somebody else has that name.
bool Create(ServiceClient& service, const std::string& name, const RemoteCreation& creation, Stop& stop) {
  ServiceCall call = NewCreateIndex(service, name, creation.metric, creation.dimensions, creation.nonfilterable);
  service.Run(call, stop);
  if (call.outcome == Outcome::kNotFound) ThrowBucketMissing(service);
  // Nobody else makes a random name between two tries of ours.
  return call.outcome == Outcome::kDone || call.answer_was_lost;
}

// The mode is no member of CreateIndex: a new index has its bucket's default.
void SettleMode(ServiceClient& service, const std::string& name, const std::string& has, const std::string& wanted,
                Stop& stop) {
  if (wanted.empty() || has == wanted) return;
  ServiceCall call = NewCall(service, Operation::kUpdateIndexMode, name, {{"indexMode", JsonValue::Text(wanted)}});
  service.Run(call, stop);
}

// GetIndex's answer, member by member.
class Description {
 public:
  Description(const std::string& name, const JsonValue& answer) : name_(name), index_(answer.Find("index", kObject)) {
    if (index_ == nullptr) Fail("index", "an object");
  }

  Metric MetricOf() const {
    const JsonValue* found = index_->Find("distanceMetric", kText);
    if (found == nullptr) Fail("distanceMetric", "text");
    if (found->text == "cosine") return Metric::kCosine;
    if (found->text == "euclidean") return Metric::kL2;
    throw Error(Code::kNotSupported,
                "distance metric \"" + found->text + "\" of remote index \"" + name_ + "\" is not supported",
                "This release knows cosine and euclidean.");
  }
  size_t Dimensions() const {
    const JsonValue* found = index_->Find("dimension", JsonValue::Type::kInteger);
    const bool fits =
        found != nullptr && !found->is_negative && found->number >= 1 && found->number <= kMaxRemoteDimensions;
    if (!fits) Fail("dimension", "a number from 1 to " + std::to_string(kMaxRemoteDimensions));
    return found->number;
  }
  std::vector<std::string> NonFilterable() const {
    static constexpr const char* kMember = "nonFilterableMetadataKeys";
    const JsonValue* configuration = index_->Find("metadataConfiguration", kObject);
    const JsonValue* keys = configuration != nullptr ? configuration->Find(kMember) : nullptr;
    if (keys == nullptr || keys->type == JsonValue::Type::kNull) return {};
    if (keys->type != JsonValue::Type::kArray) Fail(kMember, "a list of texts");
    std::vector<std::string> names;
    for (const JsonValue& key : keys->elements) {
      if (key.type != kText) Fail(kMember, "a list of texts");
      names.push_back(key.text);
    }
    return names;
  }
  std::string Mode() const {
    const JsonValue* found = index_->Find("indexMode", kText);
    return found != nullptr ? found->text : "";
  }
  int64_t Created() const { return CreationTimeOf(*index_); }

 private:
  [[noreturn]] void Fail(const std::string& member, const std::string& expected) const {
    throw Error(Code::kCorrupted, "the service does not describe remote index \"" + name_ + "\" as an index",
                "Member \"" + member + "\" should be " + expected + ".");
  }

  const std::string& name_;
  const JsonValue* index_;
};

// As the service has them: it may answer them in another order.
std::set<std::string> AsSet(const std::vector<std::string>& keys) {
  std::set<std::string> set;
  for (const std::string& key : keys) set.insert(WriteJson(JsonValue::Text(key)));
  return set;
}

bool HasShape(const RemoteShape& shape, const RemoteCreation& wanted) {
  return shape.metric == wanted.metric && shape.dimensions == wanted.dimensions &&
         AsSet(shape.nonfilterable) == AsSet(wanted.nonfilterable);
}

std::optional<RemoteShape> DescribeIfThere(ServiceClient& service, const std::string& name, Stop& stop) {
  try {
    return Describe(service, name, stop);
  } catch (const Error& error) {
    if (error.code() != Code::kObjectMissing) throw;
    return std::nullopt;  // listed while it was being deleted
  }
}

// Appends the page's indexes; answers the next token, empty at the end.
std::string TakePage(const JsonValue& page, const std::string& prefix, std::vector<RemoteListing>* found) {
  const JsonValue* indexes = page.Find("indexes", JsonValue::Type::kArray);
  if (indexes == nullptr) {
    throw Error(Code::kCorrupted, "the answer of ListIndexes is not a list of indexes");
  }
  for (const JsonValue& index : indexes->elements) {
    const JsonValue* name = index.Find("indexName", kText);
    if (name == nullptr) throw Error(Code::kCorrupted, "the answer of ListIndexes lists an index without a name");
    if (name->text.starts_with(prefix)) found->push_back({name->text, CreationTimeOf(index)});
  }
  const JsonValue* token = page.Find("nextToken", kText);
  return token != nullptr ? token->text : "";
}

}  // namespace

void CheckRemoteCreation(const RemoteCreation& creation) {
  if (creation.metric == Metric::kInnerProduct) {
    throw Error(Code::kNotSupported, "Amazon S3 Vectors does not rank by inner product", "It knows cosine and l2.",
                "Normalise the vectors and use cosine, which ranks them alike, or use a server with a url s3://.");
  }
  if (creation.dimensions < 1 || creation.dimensions > kMaxRemoteDimensions) {
    throw Error(Code::kInvalidArgument,
                "vectors of " + std::to_string(creation.dimensions) + " dimensions do not fit into Amazon S3 Vectors",
                "It takes 1 to " + std::to_string(kMaxRemoteDimensions) + " dimensions.");
  }
  if (creation.nonfilterable.size() > kMaxNonFilterableKeys) {
    throw Error(Code::kInvalidArgument,
                "too many non-filterable columns: " + std::to_string(creation.nonfilterable.size()),
                "Amazon S3 Vectors takes at most " + std::to_string(kMaxNonFilterableKeys) + " in an index.");
  }
  for (const std::string& key : creation.nonfilterable) {
    if (!key.empty() && key.size() <= kMaxColumnNameBytes) continue;
    throw Error(Code::kInvalidArgument, "invalid name of a non-filterable column: \"" + key + "\"",
                "Amazon S3 Vectors takes 1 to " + std::to_string(kMaxColumnNameBytes) + " bytes.");
  }
  if (!creation.mode.empty() && creation.mode != "CLASSIC" && creation.mode != "ENHANCED") {
    throw Error(Code::kInvalidArgument, "invalid index mode: \"" + creation.mode + "\"",
                "Amazon S3 Vectors knows CLASSIC and ENHANCED.");
  }
}

void MakeVectorBucket(ServiceClient& service, Stop& stop) {
  ServiceCall look = NewCall(service, Operation::kGetVectorBucket, "");
  look.wanted = {Outcome::kNotFound};
  service.Run(look, stop);
  if (look.outcome == Outcome::kDone) return;
  ServiceCall create = NewCreateVectorBucket(service);
  create.wanted = {Outcome::kConflict};  // somebody was faster, or it was us and the answer got lost
  service.Run(create, stop);
}

std::string CreateGeneration(ServiceClient& service, const ObjectId& index, const RemoteCreation& creation,
                             Stop& stop) {
  CheckRemoteCreation(creation);
  if (creation.create_bucket) MakeVectorBucket(service, stop);
  for (int tried = 0; tried < kNamesTried; ++tried) {
    const std::string name = GenerationName(index, RandomGeneration());
    if (!Create(service, name, creation, stop)) continue;
    if (!creation.mode.empty()) SettleMode(service, name, Describe(service, name, stop).mode, creation.mode, stop);
    return name;
  }
  throw Error(Code::kUnavailable, "could not create a remote index in " + service.Where(),
              "The service says of " + std::to_string(kNamesTried) + " random names that they exist.");
}

RemoteShape Describe(ServiceClient& service, const std::string& name, Stop& stop) {
  ServiceCall call = NewCall(service, Operation::kGetIndex, name);
  service.Run(call, stop);
  const JsonValue answer = ReadAnswer(call);
  const Description description(name, answer);
  return {.metric = description.MetricOf(),
          .dimensions = description.Dimensions(),
          .nonfilterable = description.NonFilterable(),
          .mode = description.Mode(),
          .created = description.Created()};
}

std::vector<RemoteListing> ListRemote(ServiceClient& service, const std::string& prefix, Stop& stop) {
  std::vector<RemoteListing> found;
  std::set<std::string> seen_tokens;
  std::string token;
  do {
    JsonValue::Object members = {{"maxResults", JsonValue::Unsigned(kListPageSize)}};
    if (!prefix.empty()) members.push_back({"prefix", JsonValue::Text(prefix)});
    if (!token.empty()) members.push_back({"nextToken", JsonValue::Text(token)});
    ServiceCall call = NewCall(service, Operation::kListIndexes, "", std::move(members));
    service.Run(call, stop);
    token = TakePage(ReadAnswer(call), prefix, &found);
    const bool goes_round = !token.empty() && !seen_tokens.insert(token).second;
    if (goes_round || found.size() > kMaxListed || seen_tokens.size() > kMaxPages) {
      throw Error(Code::kUnavailable, "the list of indexes in " + service.Where() + " does not come to an end");
    }
  } while (!token.empty());
  // What is made or deleted between two pages may shift an index into both.
  std::ranges::sort(found, {}, &RemoteListing::name);
  const auto repeated = std::ranges::unique(found, {}, &RemoteListing::name);
  found.erase(repeated.begin(), repeated.end());
  return found;
}

void DeleteRemote(ServiceClient& service, const std::string& name, Stop& stop) {
  DeleteIndexes(service, {&name, 1}, stop);
}

std::optional<std::string> FindUnfinished(ServiceClient& service, const ObjectId& index,
                                          const std::vector<std::string>& published, const RemoteCreation& shape,
                                          Stop& stop) {
  std::vector<RemoteListing> left = ListRemote(service, RemotePrefix(index) + "-", stop);
  std::erase_if(left, [&](const RemoteListing& listed) {
    RemoteName name;
    return !ParseRemoteName(listed.name, &name) || std::ranges::find(published, listed.name) != published.end();
  });
  std::ranges::stable_sort(left, std::ranges::greater(), &RemoteListing::created);
  for (const RemoteListing& listed : left) {
    const std::optional<RemoteShape> found = DescribeIfThere(service, listed.name, stop);
    if (!found || !HasShape(*found, shape)) continue;
    // The attempt may have ended between making the index and setting its mode.
    SettleMode(service, listed.name, found->mode, shape.mode, stop);
    return listed.name;
  }
  return std::nullopt;
}

}  // namespace s3v
