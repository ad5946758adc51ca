#include "s3vectors/service_answer.h"

#include <algorithm>
#include <charconv>

#include "format/json_value.h"
#include "store/s3_xml.h"

namespace s3v {
namespace {

constexpr size_t kMaxSentence = 300;
constexpr size_t kMaxFields = 5;
constexpr size_t kMaxDepth = 4;

// "aws.protocols#NotFoundException:http://..." is a NotFoundException.
std::string BareCode(std::string_view code) {
  code = code.substr(0, code.find(':'));
  const size_t hash = code.rfind('#');
  if (hash != std::string_view::npos) code.remove_prefix(hash + 1);
  return FitForMessage(code);
}

std::string Without(std::string text, const std::string& secret) {
  static constexpr std::string_view kInstead = "...";
  if (secret.empty()) return text;
  for (size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += kInstead.size()) {
    text.replace(at, secret.size(), kInstead);
  }
  return text;
}

// The texts of one answer, without secrets. What is cut for messages is cut later: half a secret would not be found.
class FaultReader {
 public:
  FaultReader(const HttpResponse& response, std::span<const std::string> secrets)
      : response_(response), secrets_(secrets) {
    std::optional<JsonValue> parsed = ParseJson(AsText(response.body), kMaxDepth);
    if (parsed) body_ = *std::move(parsed);
  }

  std::string Code() const {
    for (const std::string& candidate : {Header("x-amzn-errortype"), Member(body_, "code"), Member(body_, "__type")}) {
      std::string code = BareCode(candidate);
      if (!code.empty()) return code;
    }
    // A server of both protocols may refuse a signature in the words of the other one.
    const auto document = ParseS3Error(response_.body);
    return document ? document->code : "";
  }

  std::string Message() const {
    const std::string message = FitSentence(Member(body_, "message"));
    return message.empty() ? FitSentence(Member(body_, "Message")) : message;
  }

  std::string Fields() const {
    const JsonValue* list = body_.Find("fieldList", JsonValue::Type::kArray);
    if (list == nullptr) return {};
    std::string fields;
    for (const JsonValue& field : std::span(list->elements).first(std::min(list->elements.size(), kMaxFields))) {
      const std::string path = FitForMessage(Member(field, "path"));
      if (path.empty()) continue;
      if (!fields.empty()) fields += "; ";
      fields += path + ": " + FitSentence(Member(field, "message"));
    }
    return fields;
  }

  std::string RequestId() const {
    const std::string id = FitForMessage(Header("x-amzn-requestid"));
    return id.empty() ? FitForMessage(Header("x-amz-request-id")) : id;
  }

 private:
  std::string Cleared(std::string text) const {
    for (const std::string& secret : secrets_) text = Without(std::move(text), secret);
    return text;
  }
  std::string Header(const char* name) const {
    const std::string* value = response_.Header(name);
    return value != nullptr ? Cleared(*value) : std::string();
  }
  std::string Member(const JsonValue& object, const char* name) const {
    const JsonValue* found = object.Find(name, JsonValue::Type::kText);
    return found != nullptr ? Cleared(found->text) : std::string();
  }

  const HttpResponse& response_;
  std::span<const std::string> secrets_;
  JsonValue body_;
};

bool IsAlphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Length of the list of at least three numbers that `text` begins with; 0: it begins with something else.
size_t NumberListLength(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789";
  if (text.find_first_of("[-+.0123456789") != 0) return 0;
  std::string_view run = text.substr(0, text.find_first_not_of("0123456789+-.eE, []"));
  const size_t last = run.find_last_of("0123456789]");
  if (last == std::string_view::npos) return 0;
  run = run.substr(0, last + 1);
  const bool is_list = std::count(run.begin(), run.end(), ',') >= 2 && run.find_first_of(kDigits) != run.npos;
  return is_list ? run.size() : 0;
}

}  // namespace

std::string FitSentence(std::string_view text) {
  text = text.substr(0, text.find_first_of("\r\n"));
  std::string fit;
  while (!text.empty() && fit.size() < kMaxSentence) {
    const bool begins_word = fit.empty() || !IsAlphanumeric(fit.back());
    if (const size_t length = begins_word ? NumberListLength(text) : 0; length > 0) {
      fit += "...";
      text.remove_prefix(length);
      continue;
    }
    fit.push_back(text.front() >= ' ' && text.front() <= '~' ? text.front() : '?');
    text.remove_prefix(1);
  }
  if (!text.empty()) fit += "...";
  while (fit.ends_with(' ') || (fit.ends_with('.') && !fit.ends_with("..."))) fit.pop_back();
  return fit;
}

ServiceFault ReadFault(const HttpResponse& response, std::span<const std::string> secrets) {
  const FaultReader reader(response, secrets);
  return {
      .code = reader.Code(), .message = reader.Message(), .fields = reader.Fields(), .request_id = reader.RequestId()};
}

std::optional<int64_t> AmzRetryAfter(const HttpResponse& response) {
  const std::string* value = response.Header("x-amz-retry-after");
  if (value == nullptr) return std::nullopt;
  int64_t milliseconds = 0;
  const char* end = value->data() + value->size();
  const auto [rest, failure] = std::from_chars(value->data(), end, milliseconds);
  if (failure != std::errc() || rest != end || milliseconds < 0) return std::nullopt;
  return milliseconds;
}

bool LooksLikeJsonObject(ByteView body) {
  const auto is_blank = [](uint8_t byte) { return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'; };
  while (!body.empty() && is_blank(body.front())) body = body.subspan(1);
  while (!body.empty() && is_blank(body.back())) body = body.first(body.size() - 1);
  return body.size() >= 2 && body.front() == '{' && body.back() == '}';
}

}  // namespace s3v
