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
  ServiceCall call = NewCall(service, Operation::kUpdateIndexMode, name, {{"indexMode", wanted}});
  service.Run(call, stop);
}

// GetIndex's answer, member by member.
class Description {
 public:
  Description(const std::string& name, const nlohmann::json& answer) : name_(name) {
    const auto index = answer.find("index");
    if (index == answer.end() || !index->is_object()) Fail("index", "an object");
    index_ = &*index;
  }

  Metric MetricOf() const {
    const auto found = index_->find("distanceMetric");
    if (found == index_->end() || !found->is_string()) Fail("distanceMetric", "text");
    if (*found == "cosine") return Metric::kCosine;
    if (*found == "euclidean") return Metric::kL2;
    throw Error(
        Code::kNotSupported,
        "distance metric \"" + found->get<std::string>() + "\" of remote index \"" + name_ + "\" is not supported",
        "This release knows cosine and euclidean.");
  }
  size_t Dimensions() const {
    const auto found = index_->find("dimension");
    const bool fits =
        found != index_->end() && found->is_number_unsigned() && *found >= 1U && *found <= kMaxRemoteDimensions;
    if (!fits) Fail("dimension", "a number from 1 to " + std::to_string(kMaxRemoteDimensions));
    return found->get<size_t>();
  }
  std::vector<std::string> NonFilterable() const {
    const auto configuration = index_->find("metadataConfiguration");
    if (configuration == index_->end() || !configuration->is_object()) return {};
    const auto keys = configuration->find("nonFilterableMetadataKeys");
    if (keys == configuration->end() || keys->is_null()) return {};
    if (!keys->is_array() || !std::ranges::all_of(*keys, [](const auto& key) { return key.is_string(); })) {
      Fail("nonFilterableMetadataKeys", "a list of texts");
    }
    return keys->get<std::vector<std::string>>();
  }
  std::string Mode() const {
    const auto found = index_->find("indexMode");
    return found != index_->end() && found->is_string() ? found->get<std::string>() : "";
  }
  int64_t Created() const { return CreationTimeOf(*index_); }

 private:
  [[noreturn]] void Fail(const std::string& member, const std::string& expected) const {
    throw Error(Code::kCorrupted, "the service does not describe remote index \"" + name_ + "\" as an index",
                "Member \"" + member + "\" should be " + expected + ".");
  }

  const std::string& name_;
  const nlohmann::json* index_ = nullptr;
};

// As the service has them: it may answer them in another order.
std::set<std::string> AsSet(const std::vector<std::string>& keys) {
  std::set<std::string> set;
  for (const std::string& key : keys) set.insert(AsJson(key));
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
std::string TakePage(const nlohmann::json& page, const std::string& prefix, std::vector<RemoteListing>* found) {
  const auto indexes = page.find("indexes");
  if (indexes == page.end() || !indexes->is_array()) {
    throw Error(Code::kCorrupted, "the answer of ListIndexes is not a list of indexes");
  }
  for (const nlohmann::json& index : *indexes) {
    if (!index.is_object() || !index.contains("indexName") || !index["indexName"].is_string()) {
      throw Error(Code::kCorrupted, "the answer of ListIndexes lists an index without a name");
    }
    std::string name = index["indexName"];
    if (name.starts_with(prefix)) found->push_back({std::move(name), CreationTimeOf(index)});
  }
  const auto token = page.find("nextToken");
  return token != page.end() && token->is_string() ? token->get<std::string>() : "";
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
  const nlohmann::json answer = ReadAnswer(call);
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
    nlohmann::json members = {{"maxResults", kListPageSize}};
    if (!prefix.empty()) members["prefix"] = prefix;
    if (!token.empty()) members["nextToken"] = token;
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
