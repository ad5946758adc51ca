#include "s3vectors/remote_search.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "s3vectors/vector_answer.h"

namespace s3v {
namespace {

constexpr uint64_t kPage = 100;      // hits of one answer
constexpr uint64_t kHitBytes = 160;  // of its text, more or less
constexpr uint64_t kHitBytesWithMetadata = 2048;

bool SpeaksOfToken(const ServiceCall& call) {
  const auto speaks = [](std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text.find("token") != std::string::npos;
  };
  return speaks(call.error_code) || speaks(call.error_message);
}

// One query on its way through pages.
class PagedQuery {
 public:
  PagedQuery(const ServiceClient& service, const std::string& name, const RemoteQuery& query,
             const RemoteSearchOptions& options)
      : name_(name), top_k_(query.top_k) {
    body_ = "{\"vectorBucketName\":";
    AppendString(service.bucket(), &body_);
    body_ += ",\"indexName\":";
    AppendString(name, &body_);
    body_ += ",\"topK\":" + std::to_string(query.top_k) + ",\"queryVector\":{\"float32\":";
    AppendVector(query.vector, &body_);
    body_ += "},\"returnDistance\":true";
    if (options.with_metadata) body_ += ",\"returnMetadata\":true";
    if (!options.filter.json.empty()) body_ += ",\"filter\":" + options.filter.json;
    if (options.filter.needs_enhanced) body_ += ",\"queryMode\":\"ENHANCED\"";
    expected_bytes_ = std::min(kPage, top_k_) * (options.with_metadata ? kHitBytesWithMetadata : kHitBytes);
  }

  bool is_over() const { return is_over_; }

  ServiceCall NextCall() const {
    ServiceCall call{.operation = Operation::kQueryVectors, .body = body_, .subject = name_};
    call.expected_bytes = expected_bytes_;
    if (!token_.empty()) {
      call.body += ",\"nextToken\":";
      AppendString(token_, &call.body);
      if (!has_restarted_) call.wanted = {Outcome::kRefused};
    }
    call.body += '}';
    return call;
  }

  void Take(ServiceCall& call, ServiceClient& service, Stop& stop) {
    if (call.outcome == Outcome::kRefused) {
      if (SpeaksOfToken(call)) return Restart();
      // Something else is wrong: asked once more, the client says what in its own words.
      call.wanted.clear();
      service.Run(call, stop);
    }
    const size_t before = answer_.hits.size();
    std::string token = ReadVectorPage(call, [this](const AnsweredVector& vector) { AddHit(vector); });
    if (!token.empty() && token == token_ && answer_.hits.size() == before) {
      throw Error(Code::kCorrupted, "the answer of QueryVectors about remote index \"" + name_ + "\" never ends");
    }
    token_ = std::move(token);
    if (token_.empty() || answer_.hits.size() == top_k_) Finish();
  }

  RemoteAnswer TakeAnswer() { return std::move(answer_); }

 private:
  void Restart() {
    has_restarted_ = true;
    token_.clear();
    answer_ = {};
    keys_.clear();
  }

  void AddHit(const AnsweredVector& vector) {
    if (answer_.hits.size() == top_k_ || !keys_.insert(vector.key).second) return;
    answer_.hits.push_back({vector.key, vector.distance, std::string(vector.metadata)});
  }

  void Finish() {
    is_over_ = true;
    answer_.is_whole = answer_.hits.size() < top_k_;
    // Whether pages keep the order among each other, the service does not say.
    const auto has_distance = [](const RemoteHit& hit) { return !std::isnan(hit.distance); };
    if (std::ranges::all_of(answer_.hits, has_distance)) {
      std::ranges::stable_sort(answer_.hits, {}, &RemoteHit::distance);
    }
  }

  const std::string& name_;
  uint64_t top_k_;
  uint64_t expected_bytes_;
  std::string body_;   // but for the token and the last brace
  std::string token_;  // of the next page; empty: the first
  bool has_restarted_ = false;
  bool is_over_ = false;
  RemoteAnswer answer_;
  std::unordered_set<std::string> keys_;
};

}  // namespace

std::vector<RemoteAnswer> SearchRemote(ServiceClient& service, const std::string& name,
                                       std::span<const RemoteQuery> queries, const RemoteSearchOptions& options,
                                       Stop& stop) {
  std::vector<PagedQuery> paged;
  for (const RemoteQuery& query : queries) paged.emplace_back(service, name, query, options);
  while (true) {
    std::vector<PagedQuery*> asking;
    for (PagedQuery& query : paged) {
      if (!query.is_over()) asking.push_back(&query);
    }
    if (asking.empty()) break;
    std::vector<ServiceCall> calls;
    for (const PagedQuery* query : asking) calls.push_back(query->NextCall());
    service.Run(calls, stop);
    for (size_t i = 0; i < calls.size(); ++i) asking[i]->Take(calls[i], service, stop);
  }
  std::vector<RemoteAnswer> answers;
  for (PagedQuery& query : paged) answers.push_back(query.TakeAnswer());
  return answers;
}

}  // namespace s3v
