#include "s3vectors/remote_search.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "s3vectors/remote_index.h"
#include "s3vectors/vector_answer.h"

namespace s3v {
namespace {

constexpr uint64_t kPage = 100;      // hits of one answer
constexpr uint64_t kHitBytes = 160;  // of its text, more or less
constexpr uint64_t kHitBytesWithMetadata = 2048;

// `word` in lower case.
bool SpeaksOf(const ServiceCall& call, const char* word) {
  const auto speaks = [word](std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text.find(word) != std::string::npos;
  };
  return speaks(call.error_code) || speaks(call.error_message);
}

// One query on its way through pages.
class PagedQuery {
 public:
  PagedQuery(const ServiceClient& service, const std::string& name, const RemoteQuery& query,
             const RemoteSearchOptions& options)
      : service_(service), name_(name), query_(query), options_(options), asked_(query.top_k) {
    // A CLASSIC index would test the filter on what it found, and answer less than there is.
    asks_for_mode_ = !options.filter.json.empty();
    WriteBody();
  }

  bool is_over() const { return is_over_; }

  ServiceCall NextCall() const {
    ServiceCall call{.operation = Operation::kQueryVectors, .body = body_, .subject = name_};
    call.expected_bytes = std::min(kPage, asked_) * (options_.with_metadata ? kHitBytesWithMetadata : kHitBytes);
    if (!token_.empty()) {
      call.body += ",\"nextToken\":";
      AppendString(token_, &call.body);
    }
    if (CanAskOtherwise()) call.wanted = {Outcome::kRefused};
    call.body += '}';
    return call;
  }

  void Take(ServiceCall& call, ServiceClient& service, Stop& stop) {
    if (call.outcome == Outcome::kRefused) {
      if (AskOtherwise(call)) return;
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
    if (token_.empty() || answer_.hits.size() == asked_) Finish();
  }

  // Fewer came than were asked for, through a filter: only who knows the mode that was asked for has left nothing out.
  bool IsDoubtful() const { return answer_.is_whole && !options_.filter.json.empty(); }
  void Distrust() { answer_.is_whole = false; }
  bool asks_for_mode() const { return asks_for_mode_; }

  RemoteAnswer TakeAnswer() { return std::move(answer_); }

 private:
  void WriteBody() {
    body_ = "{\"vectorBucketName\":";
    AppendString(service_.bucket(), &body_);
    body_ += ",\"indexName\":";
    AppendString(name_, &body_);
    body_ += ",\"topK\":" + std::to_string(asked_) + ",\"queryVector\":{\"float32\":";
    AppendVector(query_.vector, &body_);
    body_ += "},\"returnDistance\":true";
    if (options_.with_metadata) body_ += ",\"returnMetadata\":true";
    if (!options_.filter.json.empty()) body_ += ",\"filter\":" + options_.filter.json;
    if (asks_for_mode_) body_ += ",\"queryMode\":\"ENHANCED\"";
  }

  bool CanAskOtherwise() const {
    const bool may_drop_mode = asks_for_mode_ && !options_.filter.needs_enhanced;
    return token_.empty() ? may_drop_mode || asked_ > kPage : !has_restarted_;
  }

  // What servers do not know that are older than modes of queries (2026-09) or than pages (2026-06); a token that
  // expired.
  bool AskOtherwise(const ServiceCall& call) {
    if (!token_.empty() && !has_restarted_ && SpeaksOf(call, "token")) {
      has_restarted_ = true;
    } else if (asks_for_mode_ && !options_.filter.needs_enhanced && SpeaksOf(call, "querymode")) {
      asks_for_mode_ = false;
    } else if (asked_ > kPage && SpeaksOf(call, "topk")) {
      asked_ = kPage;
    } else {
      return false;
    }
    token_.clear();
    answer_ = {};
    keys_.clear();
    WriteBody();
    return true;
  }

  void AddHit(const AnsweredVector& vector) {
    if (answer_.hits.size() == asked_ || !keys_.insert(vector.key).second) return;
    answer_.hits.push_back({vector.key, vector.distance, std::string(vector.metadata)});
  }

  void Finish() {
    is_over_ = true;
    answer_.is_whole = answer_.hits.size() < asked_;
    // Whether pages keep the order among each other, the service does not say.
    const auto has_distance = [](const RemoteHit& hit) { return !std::isnan(hit.distance); };
    if (std::ranges::all_of(answer_.hits, has_distance)) {
      std::ranges::stable_sort(answer_.hits, {}, &RemoteHit::distance);
    }
  }

  const ServiceClient& service_;
  const std::string& name_;
  const RemoteQuery& query_;
  const RemoteSearchOptions& options_;
  uint64_t asked_;  // topK
  bool asks_for_mode_ = false;
  std::string body_;   // but for the token and the last brace
  std::string token_;  // of the next page; empty: the first
  bool has_restarted_ = false;
  bool is_over_ = false;
  RemoteAnswer answer_;
  std::unordered_set<std::string> keys_;
};

// Asked once for each index.
bool KnowsModes(ServiceClient& service, const std::string& name, Stop& stop) {
  const auto known = service.knows_modes().find(name);
  if (known != service.knows_modes().end()) return known->second;
  return service.knows_modes()[name] = !Describe(service, name, stop).mode.empty();
}

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
  for (PagedQuery& query : paged) {
    if (query.IsDoubtful() && !(query.asks_for_mode() && KnowsModes(service, name, stop))) query.Distrust();
    answers.push_back(query.TakeAnswer());
  }
  return answers;
}

}  // namespace s3v
