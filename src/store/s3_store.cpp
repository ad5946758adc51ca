#include "store/s3_store.h"

#include <algorithm>
#include <deque>
#include <set>
#include <string_view>
#include <utility>

#include "net/sigv4.h"
#include "store/answers.h"
#include "store/coalesce.h"
#include "store/range_reader.h"
#include "store/s3_client.h"
#include "store/s3_xml.h"
#include "store/store_url.h"

namespace s3v {
namespace {

constexpr uint64_t kMaxDocument = 16 * 1024 * 1024;  // far above 1000 keys with their frame
constexpr uint64_t kMaxListed = 10'000'000;          // objects; a hostile server could go on for ever ...
constexpr uint64_t kMaxPages = 100'000;              // ... also with empty pages

class S3Store final : public ObjectStore {
 public:
  S3Store(const StoreConfig& config, const S3Tuning& tuning)
      : list_page_size_(tuning.list_page_size),
        max_parallel_(config.max_parallel_requests),
        encryption_(EncryptionHeaders(config)),
        client_(config, ParseStoreUrl(config.url), tuning.retry, *tuning.clock, &counters_) {}

  void GetRanges(std::span<const RangeRequest> ranges, const RangeSink& sink, Stop& stop) override {
    for (const RangeRequest& range : ranges) CheckObjectKey(range.key);
    const std::vector<CoalescedRange> requests = CoalesceWave(ranges, coalesce_gap, max_parallel_);
    stop.Check();
    HandOutEmpty(ranges, sink);
    if (requests.empty()) return;
    ++counters_.waves;
    std::vector<S3Call> calls;
    for (const CoalescedRange& request : requests) calls.push_back(RangeCall(request, ranges, sink));
    client_.Run(calls, stop);
  }

  Bytes Get(const ObjectKey& key, uint64_t max_size, Stop& stop) override {
    CheckObjectKey(key);
    stop.Check();
    ++counters_.waves;
    Bytes data;
    S3Call call = NewCall(Verb::kRead, "GET", key);
    call.max_body = max_size;
    call.accept = [&](HttpResponse& response) -> std::optional<std::string> {
      if (response.status != 200) return "status " + std::to_string(response.status) + " for a whole object";
      if (auto problem = EncodingProblem(response)) return problem;
      data = std::move(response.body);
      return std::nullopt;
    };
    try {
      client_.Run(call, stop);
    } catch (const Error& error) {
      if (error.code() == Code::kLimitExceeded) ThrowLarger(key, max_size);
      throw;
    }
    return data;
  }

  PutOutcome Put(const ObjectKey& key, ByteView data, PutMode mode, Stop& stop) override {
    CheckObjectKey(key);
    const bool create = mode == PutMode::kCreateOnly;
    S3Call call = NewCall(create ? Verb::kCreate : Verb::kOverwrite, "PUT", key);
    call.headers = encryption_;
    call.headers.emplace_back("content-type", "application/octet-stream");
    if (create) call.headers.emplace_back("if-none-match", "*");
    call.body = data;
    call.payload_hash = Sha256Hex(data, stop);
    call.max_body = kMaxDocument;
    client_.Run(call, stop);
    // A name taken at the first try is someone else's; after a lost answer it may be what that try wrote.
    const bool is_stored = !call.name_taken || (call.answer_was_lost && Holds(key, data, stop));
    if (!is_stored) return PutOutcome::kAlreadyExists;
    counters_.bytes_written += data.size();
    return PutOutcome::kStored;
  }

  std::vector<ObjectInfo> List(const std::string& prefix, Stop& stop) override {
    const std::string full_prefix = client_.FullKey(prefix);
    std::vector<ObjectInfo> found;
    std::set<std::string> seen_tokens;
    std::string token;
    do {
      S3ListPage page = ListPage(full_prefix, token, stop);
      TakeListed(std::move(page.objects), full_prefix, &found);
      token = page.is_truncated ? page.next_token : "";
      const bool goes_round = !token.empty() && !seen_tokens.insert(token).second;
      if (goes_round || found.size() > kMaxListed || seen_tokens.size() > kMaxPages) {
        throw Error(Code::kUnavailable, "listing of s3://" + client_.url().bucket + " does not come to an end");
      }
    } while (!token.empty());
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    return found;
  }

  void Delete(std::span<const ObjectKey> keys, Stop& stop) override {
    for (const ObjectKey& key : keys) CheckObjectKey(key);
    stop.Check();
    for (size_t begin = 0; begin < keys.size(); begin += kDeleteBatchSize) {
      DeleteBatch(keys.subspan(begin, std::min<size_t>(kDeleteBatchSize, keys.size() - begin)), stop);
    }
  }

  const StoreCounters& counters() const override { return counters_; }

 private:
  static Headers EncryptionHeaders(const StoreConfig& config) {
    Headers headers;
    if (!config.sse.empty()) headers.emplace_back("x-amz-server-side-encryption", config.sse);
    if (!config.kms_key_id.empty()) {
      headers.emplace_back("x-amz-server-side-encryption-aws-kms-key-id", config.kms_key_id);
    }
    return headers;
  }

  S3Call NewCall(Verb verb, const char* method, const ObjectKey& key) const {
    S3Call call;
    call.verb = verb;
    call.method = method;
    call.key = key;
    call.payload_hash = empty_hash_;
    return call;
  }

  S3Call RangeCall(const CoalescedRange& request, std::span<const RangeRequest> ranges, const RangeSink& sink) const {
    auto reader = std::make_shared<RangeReader>(request.offset, request.length);
    S3Call call = NewCall(Verb::kRead, "GET", request.key);
    call.expected_bytes = request.length;
    call.headers.emplace_back(
        "range", "bytes=" + std::to_string(request.offset) + "-" + std::to_string(request.offset + request.length - 1));
    call.reset = [reader] { reader->Reset(); };
    call.sink = [reader](const HttpResponse& head, ByteView piece) { return reader->Take(head, piece); };
    call.accept = [reader, &request, ranges, &sink](HttpResponse& response) -> std::optional<std::string> {
      if (auto problem = reader->Problem(response)) return problem;
      if (reader->is_too_short()) {
        if (const auto document = ParseS3Error(reader->bytes())) return "code " + document->code + " in a success";
        ThrowShorter(request);
      }
      HandOut(request, ranges, reader->bytes(), sink);
      reader->Reset();  // the memory of a large wave is given back as it goes
      return std::nullopt;
    };
    return call;
  }

  // Is the object exactly `data`?
  bool Holds(const ObjectKey& key, ByteView data, Stop& stop) {
    uint64_t equal_bytes = 0;
    S3Call call = NewCall(Verb::kRead, "GET", key);
    call.reset = [&] { equal_bytes = 0; };
    call.sink = [&](const HttpResponse&, ByteView piece) {
      const bool fits = piece.size() <= data.size() - equal_bytes;
      if (!fits || !std::equal(piece.begin(), piece.end(), data.begin() + static_cast<ptrdiff_t>(equal_bytes))) {
        equal_bytes = data.size() + 1;
        return false;
      }
      equal_bytes += piece.size();
      return true;
    };
    client_.Run(call, stop);
    return equal_bytes == data.size();
  }

  S3ListPage ListPage(const std::string& full_prefix, const std::string& token, Stop& stop) {
    S3Call call = NewCall(Verb::kList, "GET", "");
    call.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", full_prefix}};
    call.query.emplace_back("max-keys", std::to_string(list_page_size_));
    if (!token.empty()) call.query.emplace_back("continuation-token", token);
    call.max_body = kMaxDocument;
    S3ListPage page;
    call.accept = [&](HttpResponse& response) -> std::optional<std::string> {
      std::optional<S3ListPage> parsed = ParseS3List(response.body);
      if (!parsed) return "the answer is not a list of objects";
      page = std::move(*parsed);
      return std::nullopt;
    };
    client_.Run(call, stop);
    return page;
  }

  // Takes the url's prefix off the keys. What does not begin as asked for is passed over.
  void TakeListed(std::vector<ObjectInfo> objects, const std::string& full_prefix,
                  std::vector<ObjectInfo>* found) const {
    const size_t url_prefix = client_.FullKey("").size();
    for (ObjectInfo& object : objects) {
      if (!object.key.starts_with(full_prefix)) continue;
      object.key.erase(0, url_prefix);
      found->push_back(std::move(object));
    }
  }

  void DeleteBatch(std::span<const ObjectKey> keys, Stop& stop) {
    std::vector<std::string> full_keys;
    for (const ObjectKey& key : keys) full_keys.push_back(client_.FullKey(key));
    const std::string body = WriteS3Delete(full_keys);
    S3Call call = NewCall(Verb::kDelete, "POST", "");
    call.query = {{"delete", ""}};
    call.headers = {{"content-type", "application/xml"}, {"content-md5", Md5Base64(AsBytes(body))}};
    call.body = AsBytes(body);
    call.payload_hash = Sha256Hex(call.body);
    call.max_body = kMaxDocument;
    call.accept = [&](HttpResponse& response) { return JudgeDelete(response, full_keys); };
    client_.Run(call, stop);
  }

  // Keys that failed for a passing reason: the whole batch again, which harms nothing.
  std::optional<std::string> JudgeDelete(const HttpResponse& response,
                                         const std::vector<std::string>& full_keys) const {
    const std::optional<std::vector<S3DeleteFailure>> failures = ParseS3DeleteResult(response.body);
    if (!failures) return "the answer is not the result of a delete";
    std::optional<std::string> passing;
    for (const S3DeleteFailure& failure : *failures) {
      const Decision decision = Classify(Verb::kDelete, {.transport = Transport::kComplete,
                                                         .status = 200,
                                                         .s3_code = failure.code.empty() ? "unknown" : failure.code});
      if (decision.action == Action::kAccept) continue;
      if (decision.action == Action::kRetry) {
        passing = "code " + failure.code;
        continue;
      }
      const bool is_ours = std::find(full_keys.begin(), full_keys.end(), failure.key) != full_keys.end();
      const std::string name = is_ours ? "object \"" + failure.key + "\"" : "an object";
      throw Error(decision.code, "could not delete " + name + " of s3://" + client_.url().bucket,
                  "The store answered code " + failure.code + ".");
    }
    return passing;
  }

  uint64_t list_page_size_;
  int max_parallel_;
  Headers encryption_;
  std::string empty_hash_ = Sha256Hex(ByteView());
  StoreCounters counters_;
  S3Client client_;
};

}  // namespace

std::unique_ptr<ObjectStore> MakeS3Store(const StoreConfig& config, const S3Tuning& tuning) {
  return std::make_unique<S3Store>(config, tuning);
}

}  // namespace s3v
