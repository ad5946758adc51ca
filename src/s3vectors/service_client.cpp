#include "s3vectors/service_client.h"

#include <algorithm>
#include <utility>

#include "format/json_value.h"
#include "s3vectors/service_answer.h"
#include "s3vectors/service_retry.h"
#include "store/connection.h"

namespace s3v {
namespace {

// Signatures may be five minutes off: a clock that is less wrong than this is not what the service complains of.
constexpr int64_t kNoticeableSkewSeconds = 60;

// The domain of Amazon's partitions, told by how their regions begin.
std::string_view SuffixOf(std::string_view region) {
  static constexpr std::pair<std::string_view, std::string_view> kPartitions[] = {
      {"cn-", "api.amazonwebservices.com.cn"}, {"eusc-", "api.amazonwebservices.eu"},
      {"us-iso-", "api.aws.ic.gov"},           {"us-isob-", "api.aws.scloud"},
      {"eu-isoe-", "api.cloud-aws.adc-e.uk"},  {"us-isof-", "api.aws.hci.ic.gov"}};
  for (const auto& [start, suffix] : kPartitions) {
    if (region.starts_with(start)) return suffix;
  }
  return "api.aws";  // the commercial one, and us-gov-
}

bool IsWanted(const ServiceCall& call, Outcome outcome) {
  return outcome == Outcome::kDone || std::find(call.wanted.begin(), call.wanted.end(), outcome) != call.wanted.end();
}

// Does it work on an index that must be there? Of the others, a 404 means the bucket.
bool NeedsIndex(const ServiceCall& call) {
  switch (call.operation) {
    case Operation::kGetIndex:
    case Operation::kUpdateIndexMode:
    case Operation::kUpdateMetadataConfiguration:
    case Operation::kDeleteIndex:
    case Operation::kPutVectors:
    case Operation::kGetVectors:
    case Operation::kListVectors:
    case Operation::kDeleteVectors:
    case Operation::kQueryVectors:
      return true;
    default:
      return TraitsOf(call.operation).is_on_resource && !call.subject.empty();
  }
}

enum class CountedAs { kGet, kPut, kDelete };

CountedAs CountingOf(Operation operation) {
  switch (operation) {
    case Operation::kQueryVectors:
    case Operation::kGetVectors:
    case Operation::kListVectors:
    case Operation::kListIndexes:
    case Operation::kListVectorBuckets:
    case Operation::kListTagsForResource:
      return CountedAs::kGet;
    case Operation::kDeleteVectorBucket:
    case Operation::kDeleteVectorBucketPolicy:
    case Operation::kDeleteIndex:
    case Operation::kDeleteVectors:
    case Operation::kUntagResource:
      return CountedAs::kDelete;
    default:
      return CountedAs::kPut;
  }
}

std::string ActionHint(Operation operation) {
  const std::string action = "s3vectors:" + std::string(TraitsOf(operation).name);
  if (operation == Operation::kQueryVectors) {
    return "The actions " + action + " and, for filters and metadata, s3vectors:GetVectors must be allowed.";
  }
  if (operation == Operation::kListVectors) {
    return "The actions " + action + " and, for vectors and metadata, s3vectors:GetVectors must be allowed.";
  }
  return "The action " + action + " must be allowed.";
}

// The service says of an index in a missing bucket the same as of a missing index. Who may not ask takes its word.
bool BucketIsMissing(ServiceClient& service, Stop& stop) {
  ServiceCall call{.operation = Operation::kGetVectorBucket,
                   .body = WriteJson(JsonValue::WithMembers({{"vectorBucketName", JsonValue::Text(service.bucket())}})),
                   .wanted = {Outcome::kNotFound}};
  try {
    service.Run(call, stop);
  } catch (const Error& error) {
    if (error.code() != Code::kPermissionDenied && error.code() != Code::kNotSupported) throw;
  }
  return call.outcome == Outcome::kNotFound;
}

}  // namespace

Endpoint ServiceEndpointOf(const StoreConfig& config) {
  if (!config.endpoint.empty()) return ParseEndpoint(config.endpoint);
  return ParseEndpoint("https://s3vectors." + config.region + "." + std::string(SuffixOf(config.region)));
}

RetryPolicy ServiceRetryPolicy() { return {.max_tries = 3, .base_delay_ms = 50, .max_delay_ms = 20000}; }

// One call on its way through tries.
class ServiceClient::Exchange final : public HttpExchange {
 public:
  Exchange(ServiceClient* client, ServiceCall* call, int64_t deadline_ms, Stop* stop)
      : client_(*client), call_(*call), traits_(TraitsOf(call->operation)), deadline_ms_(deadline_ms), stop_(*stop) {
    call_.outcome = Outcome::kDone;
    call_.answer.clear();
    call_.error_code.clear();
    call_.error_message.clear();
    call_.answer_was_lost = false;
    if (call_.body.empty() && traits_.method == "POST") call_.body = "{}";
  }

  uint64_t expected_bytes() const override { return call_.expected_bytes; }

  HttpRequest Prepare() override {
    ++tries_;
    if (payload_hash_.empty()) payload_hash_ = Sha256Hex(AsBytes(call_.body), stop_);
    const SigningRequest request{
        .method = std::string(traits_.method),
        .host = client_.host_,
        .path = Path(),
        .query = call_.query,
        .headers = call_.body.empty() ? Headers{} : Headers{{"content-type", "application/json"}},
        .payload_hash = payload_hash_};
    signed_at_ = client_.clock_.WallSeconds() + client_.clock_skew_seconds_;
    Signature signature = SignHeaders(request, client_.credentials_, client_.signing_, signed_at_);
    const std::string query = signature.canonical_query.empty() ? "" : "?" + signature.canonical_query;
    return {.method = request.method,
            .url = SchemeOf(client_.endpoint_) + client_.host_ + request.path + query,
            .headers = std::move(signature.headers),
            .body = AsBytes(call_.body),
            .max_body = call_.max_answer};
  }

  void OnSent() noexcept override {
    StoreCounters& counters = client_.counters_;
    switch (CountingOf(call_.operation)) {
      case CountedAs::kGet:
        ++counters.get_requests;
        break;
      case CountedAs::kPut:
        ++counters.put_requests;
        break;
      case CountedAs::kDelete:
        ++counters.delete_requests;
    }
    if (was_sent_) ++counters.retries;
    was_sent_ = true;
  }

  bool misses_index() const { return misses_index_; }

  std::optional<Resend> Finish(HttpResponse& response) override {
    client_.counters_.bytes_read += response.payload_bytes;
    if (response.times_sent > 1) call_.answer_was_lost = true;
    status_ = response.status;
    fault_ = response.status >= 300 ? FaultOf(response) : ServiceFault();
    const bool is_useful = response.body.empty() || LooksLikeJsonObject(response.body);
    const ServiceVerdict verdict = JudgeReply({.transport = response.transport,
                                               .status = response.status,
                                               .code = fault_.code,
                                               .message = fault_.message,
                                               .is_useful = is_useful});
    if (verdict.may_have_acted) call_.answer_was_lost = true;
    if (verdict.outcome && IsWanted(call_, *verdict.outcome)) return Accept(response, *verdict.outcome);
    cause_ = CauseOf(response);
    blames_clock_ = verdict.may_be_clock;
    if (blames_clock_ && !std::exchange(corrected_clock_, true) && LearnClock(response)) return Resend{};
    if (verdict.retry) return TryAgain(response, verdict);
    if (verdict.outcome == Outcome::kNotFound && NeedsIndex(call_)) {
      misses_index_ = true;  // or the bucket: to be asked once this batch is over
      return std::nullopt;
    }
    const bool misses_bucket = verdict.outcome == Outcome::kNotFound;
    Throw(misses_bucket ? Code::kStoreMissing : verdict.code, response.transport);
  }

  [[noreturn]] void ThrowMissing(Code code) const { Throw(code, Transport::kComplete); }

 private:
  std::string Path() const {
    return traits_.is_on_resource ? "/tags/" + EncodeQueryPart(call_.resource_arn) : "/" + std::string(traits_.name);
  }

  ServiceFault FaultOf(const HttpResponse& response) const {
    const std::string secrets[] = {client_.credentials_.secret_access_key, client_.credentials_.session_token};
    return ReadFault(response, secrets);
  }

  std::optional<Resend> Accept(HttpResponse& response, Outcome outcome) {
    call_.outcome = outcome;
    if (outcome == Outcome::kDone) {
      if (!traits_.is_read) client_.counters_.bytes_written += call_.body.size();
      static constexpr std::string_view kEmpty = "{}";
      call_.answer = response.body.empty() ? Bytes(kEmpty.begin(), kEmpty.end()) : std::move(response.body);
    } else {
      call_.error_code = fault_.code;
      call_.error_message = fault_.message;
    }
    return std::nullopt;
  }

  // Compared with the time that this request was signed with: others of the batch may have corrected the clock since.
  bool LearnClock(const HttpResponse& response) {
    const std::string* date = response.Header("date");
    const std::optional<int64_t> server_time = date ? ParseHttpDate(*date) : std::nullopt;
    if (!server_time || std::abs(*server_time - signed_at_) < kNoticeableSkewSeconds) return false;
    client_.clock_skew_seconds_ = *server_time - client_.clock_.WallSeconds();
    return true;
  }

  std::optional<Resend> TryAgain(const HttpResponse& response, const ServiceVerdict& verdict) {
    const std::string* retry_after = response.Header("retry-after");
    const ServiceWish wish{
        .retry_after_ms = retry_after ? ParseRetryAfter(*retry_after, client_.clock_.WallSeconds()) : std::nullopt,
        .amz_retry_after_ms = AmzRetryAfter(response)};
    const std::optional<int64_t> delay =
        NextServiceDelay(client_.retry_, verdict.is_throttling, tries_, wish, client_.clock_.SteadyMillis(),
                         deadline_ms_, &client_.random_);
    if (!delay) Throw(verdict.code, response.transport);
    return Resend{.delay_ms = *delay, .on_new_connection = verdict.on_new_connection};
  }

  std::string CauseOf(const HttpResponse& response) const {
    if (response.status >= 300) {
      std::string text = "status " + std::to_string(response.status);
      if (!fault_.code.empty()) text += ", code " + fault_.code;
      if (!fault_.request_id.empty()) text += ", request id " + fault_.request_id;
      return text;
    }
    if (response.transport == Transport::kComplete) {
      return "status " + std::to_string(response.status) + ", but the answer is no JSON object";
    }
    if (response.transport != Transport::kDeadline || cause_.empty()) return response.transport_error;
    return response.transport_error + "; before that " + cause_;
  }

  std::string Detail() const {
    const std::string subject =
        call_.subject.empty() ? "of the vector bucket" : "of remote index \"" + call_.subject + "\"";
    std::string text = "Operation " + std::string(traits_.name) + " " + subject + ": " + cause_;
    if (tries_ > 1) text += " (" + std::to_string(tries_) + " tries)";
    text += ".";
    if (!fault_.message.empty()) text += " The service says: " + fault_.message + ".";
    if (!fault_.fields.empty()) text += " Fields: " + fault_.fields + ".";
    return text;
  }

  [[noreturn]] void Throw(Code code, Transport transport) const {
    const std::string where = client_.Where();
    const std::string detail = Detail();
    const std::string hint = HintFor(code, transport);
    switch (code) {
      case Code::kObjectMissing:
        throw Error(code, "remote index \"" + call_.subject + "\" does not exist in " + where, detail, hint);
      case Code::kStoreMissing:
        throw Error(code, "vector bucket \"" + client_.bucket_ + "\" does not exist at " + client_.endpoint_.Text(),
                    detail, hint);
      case Code::kInvalidArgument:
        throw Error(code, "request refused by " + where, detail, hint);
      case Code::kLimitExceeded:
        throw Error(
            code,
            transport == Transport::kTooLarge ? "answer of " + where + " is too large" : "quota reached at " + where,
            detail, hint);
      case Code::kPermissionDenied:
        throw Error(code, "permission denied by " + where, detail, hint);
      case Code::kNotSupported:
        throw Error(code, where + " does not support a needed request", detail, hint);
      default:
        throw Error(code, "could not use " + where, detail, hint);
    }
  }

  std::string HintFor(Code code, Transport transport) const {
    if (std::string hint = TransportHint(transport); !hint.empty()) return hint;
    if (code == Code::kStoreMissing) {
      return "Create the vector bucket, as s3v_create_index does with options {\"create_bucket\": true}, or correct "
             "the "
             "server's options url, region and endpoint.";
    }
    if (blames_clock_) return "Check the clocks of this machine and of the service.";
    if (SaysExpired(fault_.code)) return "Put new credentials into the user mapping.";
    if (SaysWrongCredentials(fault_.code)) {
      return "Check the credentials in the user mapping, and the server's option region.";
    }
    if (code == Code::kPermissionDenied) return ActionHint(call_.operation);
    if (code == Code::kNotSupported) return "The server's option endpoint must lead to Amazon S3 Vectors.";
    if (status_ >= 300 && status_ < 400) {
      return "Redirects are not followed. Check the server's options region and endpoint.";
    }
    if (status_ == 413) return "A proxy before the service may allow smaller requests only.";
    return {};
  }

  ServiceClient& client_;
  ServiceCall& call_;
  const OperationTraits& traits_;
  int64_t deadline_ms_;
  Stop& stop_;
  int tries_ = 0;
  bool was_sent_ = false;
  bool corrected_clock_ = false;
  bool blames_clock_ = false;
  bool misses_index_ = false;
  int64_t signed_at_ = 0;
  std::string payload_hash_;
  int status_ = 0;      // of the last answer
  ServiceFault fault_;  // of the last answer
  std::string cause_;   // of the last try to fail
};

ServiceClient::ServiceClient(const StoreConfig& config, const StoreUrl& url, const RetryPolicy& retry,
                             const Clock& clock)
    : config_(config),
      bucket_(url.bucket),
      endpoint_(ServiceEndpointOf(config)),
      host_(endpoint_.HostHeader()),
      credentials_{config.access_key_id, config.secret_access_key, config.session_token},
      signing_{.region = config.region,
               .service = "s3vectors",
               .normalize_path = true,
               .double_encode_path = true,
               .sign_payload_hash = false},
      retry_(retry),
      clock_(clock),
      random_(JitterSeed()),
      http_(std::make_unique<HttpClient>(HttpOptionsOf(config, endpoint_), clock)) {
  if (config.access_key_id.empty()) {
    throw Error(Code::kPermissionDenied, "no credentials for s3vectors://" + bucket_, {},
                "Create a user mapping with options access_key_id and secret_access_key.");
  }
}

ServiceClient::~ServiceClient() = default;

void ServiceClient::Run(std::span<ServiceCall> calls, Stop& stop) {
  const int64_t deadline_ms = clock_.SteadyMillis() + config_.request_timeout_ms;
  std::vector<std::unique_ptr<Exchange>> exchanges;
  std::vector<HttpExchange*> pointers;
  for (ServiceCall& call : calls) {
    exchanges.push_back(std::make_unique<Exchange>(this, &call, deadline_ms, &stop));
    pointers.push_back(exchanges.back().get());
  }
  if (std::ranges::any_of(calls, [](const ServiceCall& call) { return TraitsOf(call.operation).is_read; })) {
    ++counters_.waves;
  }
  http_->Perform(pointers, deadline_ms, stop);
  for (const auto& exchange : exchanges) {
    if (!exchange->misses_index()) continue;
    exchange->ThrowMissing(BucketIsMissing(*this, stop) ? Code::kStoreMissing : Code::kObjectMissing);
  }
}

std::string ServiceClient::Where() const { return "s3vectors://" + bucket_ + " at " + endpoint_.Text(); }

}  // namespace s3v
