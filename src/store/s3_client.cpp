#include "store/s3_client.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "store/connection.h"
#include "store/s3_xml.h"

namespace s3v {
namespace {

bool UsesPathStyle(const StoreConfig& config, const Endpoint& endpoint) {
  // No name can be put in front of an address, and "localhost" is one in all but spelling.
  const bool is_address =
      endpoint.host.front() == '[' || endpoint.host.find_first_not_of("0123456789.") == std::string::npos;
  return config.path_style || is_address || endpoint.host == "localhost";
}

// What a message calls a request: reading object "key".
std::string Describe(const S3Call& call) {
  switch (call.verb) {
    case Verb::kRead:
      return "reading object \"" + call.key + "\"";
    case Verb::kOverwrite:
    case Verb::kCreate:
      return "writing object \"" + call.key + "\"";
    case Verb::kList:
      return "listing objects";
    case Verb::kDelete:
      return "deleting objects";
  }
  return {};
}

std::string RegionOf(const HttpResponse& response, const std::optional<S3ErrorDocument>& document) {
  if (const std::string* header = response.Header("x-amz-bucket-region")) return FitForMessage(*header);
  return document ? document->region : "";
}

// "status 403, code AccessDenied, request id 4F7C..."
std::string DescribeAnswer(const HttpResponse& response, const std::optional<S3ErrorDocument>& document) {
  std::string text = "status " + std::to_string(response.status);
  if (document) text += ", code " + document->code;
  std::string request_id = document ? document->request_id : "";
  if (const std::string* header = response.Header("x-amz-request-id"); request_id.empty() && header != nullptr) {
    request_id = FitForMessage(*header);
  }
  return request_id.empty() ? text : text + ", request id " + request_id;
}

}  // namespace

Endpoint EndpointOf(const StoreConfig& config) {
  return ParseEndpoint(config.endpoint.empty() ? "https://s3." + config.region + ".amazonaws.com" : config.endpoint);
}

// One call on its way through tries.
class S3Client::Exchange final : public HttpExchange {
 public:
  Exchange(S3Client* client, S3Call* call, int64_t deadline_ms)
      : client_(*client), call_(*call), deadline_ms_(deadline_ms) {}

  uint64_t expected_bytes() const override { return call_.expected_bytes; }

  HttpRequest Prepare() override {
    if (call_.reset) call_.reset();
    ++tries_;
    const SigningRequest request{.method = call_.method,
                                 .host = client_.host_,
                                 .path = client_.PathOf(call_),
                                 .query = call_.query,
                                 .headers = call_.headers,
                                 .payload_hash = call_.payload_hash};
    const int64_t now = client_.clock_.WallSeconds() + client_.clock_skew_seconds_;
    Signature signature = SignHeaders(request, client_.credentials_, client_.signing_, now);
    const std::string query = signature.canonical_query.empty() ? "" : "?" + signature.canonical_query;
    // The host of the url decides where to connect to; the Host header is what was signed. They are the same text.
    return {.method = call_.method,
            .url = SchemeOf(client_.endpoint_) + client_.host_ + request.path + query,
            .headers = std::move(signature.headers),
            .body = call_.body,
            .max_body = call_.max_body,
            .sink = call_.sink};
  }

  void OnSent() noexcept override {
    StoreCounters& counters = *client_.counters_;
    switch (call_.verb) {
      case Verb::kRead:
        ++counters.get_requests;
        break;
      case Verb::kDelete:
        ++counters.delete_requests;
        break;
      default:
        ++counters.put_requests;
    }
    if (was_sent_) ++counters.retries;
    was_sent_ = true;
  }

  std::optional<Resend> Finish(HttpResponse& response) override {
    if (call_.verb == Verb::kRead) client_.counters_->bytes_read += response.payload_bytes;
    if (response.times_sent > 1) call_.answer_was_lost = true;
    const bool is_success = response.status >= 200 && response.status < 300;
    const bool sink_has_enough = response.transport == Transport::kSinkStopped && is_success;
    const Decision decision = sink_has_enough ? Decision{Action::kAccept} : Classify(call_.verb, AnswerOf(response));
    if (decision.may_have_acted) call_.answer_was_lost = true;
    switch (decision.action) {
      case Action::kAccept:
        return Accept(response);
      case Action::kNameTaken:
        call_.name_taken = true;
        return std::nullopt;
      case Action::kRetry:
        return TryAgain(response, decision.code, false, CauseOf(response));
      case Action::kRetryOnNewConnection:
        return TryAgain(response, decision.code, true, CauseOf(response));
      case Action::kCorrectClock:
        if (!std::exchange(corrected_clock_, true) && client_.LearnClock(response)) return Resend{};
        break;
      case Action::kFail:
        break;
    }
    client_.Throw(call_, response, decision.code, CauseOf(response), tries_);
  }

 private:
  Answer AnswerOf(const HttpResponse& response) {
    Answer answer{.transport = response.transport, .status = response.status};
    const bool may_hold_error = response.status >= 300 || call_.verb != Verb::kRead;
    document_ = may_hold_error ? ParseS3Error(response.body) : std::nullopt;
    if (document_) answer.s3_code = document_->code;
    return answer;
  }

  std::optional<Resend> Accept(HttpResponse& response) {
    const std::optional<std::string> problem = call_.accept ? call_.accept(response) : std::nullopt;
    if (!problem) return std::nullopt;
    return TryAgain(response, Code::kUnavailable, true, *problem);
  }

  std::optional<Resend> TryAgain(const HttpResponse& response, Code code, bool on_new_connection,
                                 const std::string& cause) {
    last_cause_ = cause;
    const std::string* retry_after = response.Header("retry-after");
    const auto wanted = retry_after ? ParseRetryAfter(*retry_after, client_.clock_.WallSeconds()) : std::nullopt;
    const std::optional<int64_t> delay =
        NextDelay(client_.retry_, tries_, wanted, client_.clock_.SteadyMillis(), deadline_ms_, &client_.random_);
    if (!delay) client_.Throw(call_, response, code, cause, tries_);
    return Resend{.delay_ms = *delay, .on_new_connection = on_new_connection};
  }

  std::string CauseOf(const HttpResponse& response) const {
    if (response.transport == Transport::kComplete || response.status >= 300) {
      return DescribeAnswer(response, document_);
    }
    if (response.transport != Transport::kDeadline || last_cause_.empty()) return response.transport_error;
    return response.transport_error + "; before that " + last_cause_;
  }

  S3Client& client_;
  S3Call& call_;
  int64_t deadline_ms_;
  int tries_ = 0;
  bool was_sent_ = false;
  bool corrected_clock_ = false;
  std::optional<S3ErrorDocument> document_;
  std::string last_cause_;
};

S3Client::S3Client(const StoreConfig& config, const StoreUrl& url, const RetryPolicy& retry, const Clock& clock,
                   StoreCounters* counters)
    : url_(url),
      endpoint_(EndpointOf(config)),
      path_style_(UsesPathStyle(config, endpoint_)),
      credentials_{config.access_key_id, config.secret_access_key, config.session_token},
      timeout_ms_(config.request_timeout_ms),
      retry_(retry),
      clock_(clock),
      counters_(counters),
      random_(JitterSeed()),
      http_(HttpOptionsOf(config, endpoint_), clock) {
  host_ = path_style_ ? endpoint_.HostHeader() : url_.bucket + "." + endpoint_.HostHeader();
  signing_.region = config.region;
}

void S3Client::Run(std::span<S3Call> calls, Stop& stop) {
  const int64_t deadline_ms = clock_.SteadyMillis() + timeout_ms_;
  std::vector<std::unique_ptr<Exchange>> exchanges;
  std::vector<HttpExchange*> pointers;
  for (S3Call& call : calls) {
    exchanges.push_back(std::make_unique<Exchange>(this, &call, deadline_ms));
    pointers.push_back(exchanges.back().get());
  }
  http_.Perform(pointers, deadline_ms, stop);
}

std::string S3Client::PathOf(const S3Call& call) const {
  const std::string bucket = path_style_ ? "/" + url_.bucket : "";
  return bucket + EncodePath("/" + (call.key.empty() ? "" : FullKey(call.key)));
}

bool S3Client::LearnClock(const HttpResponse& response) {
  const std::string* date = response.Header("date");
  const std::optional<int64_t> server_time = date ? ParseHttpDate(*date) : std::nullopt;
  if (!server_time) return false;
  clock_skew_seconds_ = *server_time - clock_.WallSeconds();
  return true;
}

void S3Client::Throw(const S3Call& call, const HttpResponse& response, Code code, const std::string& cause,
                     int tries) const {
  const std::string where = "s3://" + url_.bucket + " at " + endpoint_.Text();
  const std::string tried = tries > 1 ? " (" + std::to_string(tries) + " tries)" : "";
  const std::string detail = "While " + Describe(call) + ": " + cause + tried + ".";
  const std::string hint = HintFor(call, response);
  switch (code) {
    case Code::kObjectMissing:
      throw Error(code, "object \"" + call.key + "\" does not exist", detail, hint);
    case Code::kStoreMissing:
      throw Error(code, "bucket \"" + url_.bucket + "\" does not exist at " + endpoint_.Text(), detail, hint);
    case Code::kLimitExceeded:
      throw Error(code, "answer of " + where + " is too large", detail, hint);
    case Code::kCorrupted:
      throw Error(code, "object \"" + call.key + "\" is too short", detail, hint);
    case Code::kPermissionDenied:
      throw Error(code, "permission denied by " + where, detail, hint);
    case Code::kNotSupported:
      throw Error(code, where + " does not support a needed request", detail, hint);
    default:
      throw Error(code, "could not use " + where, detail, hint);
  }
}

std::string S3Client::HintFor(const S3Call& call, const HttpResponse& response) const {
  const std::optional<S3ErrorDocument> document = response.status >= 300 ? ParseS3Error(response.body) : std::nullopt;
  const std::string code = document ? document->code : "";
  const bool is_redirect = response.status == 301 || response.status == 302 || response.status == 307 ||
                           response.status == 308 || code == "AuthorizationHeaderMalformed";
  if (is_redirect) {
    const std::string region = RegionOf(response, document);
    if (region.empty())
      return "Redirects are not followed. Check the server's options region, endpoint and path_style.";
    return "Set the server's option region to \"" + region + "\".";
  }
  if (const std::string hint = TransportHint(response.transport); !hint.empty()) return hint;
  if (code == "ExpiredToken" || code == "InvalidToken" || code == "TokenRefreshRequired") {
    return "Put new credentials into the user mapping.";
  }
  if (code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch")
    return "Check the credentials in the user mapping.";
  if (code == "NoSuchBucket") return "Create the bucket, or correct the server's option url.";
  if (code == "RequestTimeTooSkewed") return "Check the clocks of this machine and of the store.";
  if (response.status == 403 && call.verb == Verb::kRead) {
    return "S3 also answers so for a missing object if the credentials may not list the bucket.";
  }
  if (response.status == 501 && call.verb == Verb::kCreate) {
    return "The store must support conditional writes (If-None-Match: *).";
  }
  return {};
}

}  // namespace s3v
