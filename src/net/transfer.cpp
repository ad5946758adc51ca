#include "net/transfer.h"

#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <new>
#include <utility>

#include "net/address.h"

namespace s3v {
namespace {

constexpr size_t kMaxHeaderBytes = 64 * 1024;
constexpr size_t kMaxErrorBody = 64 * 1024;
constexpr long kBufferSize = 128 * 1024;

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

curl_slist* Add(curl_slist* list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list, line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  return longer;
}

}  // namespace

const std::string* HttpResponse::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<uint64_t> HttpResponse::ContentLength() const {
  const std::string* value = Header("content-length");
  uint64_t length = 0;
  if (value == nullptr) return std::nullopt;
  const char* end = value->data() + value->size();
  const auto [rest, failure] = std::from_chars(value->data(), end, length);
  if (failure != std::errc() || rest != end) return std::nullopt;
  return length;
}

Transfer::Transfer(const HttpOptions& options) : options_(options), handle_(curl_easy_init()) {
  if (handle_ == nullptr) throw std::bad_alloc();
}

Transfer::~Transfer() {
  curl_easy_cleanup(handle_);
  curl_slist_free_all(header_list_);
}

template <class Value>
void Transfer::Set(CURLoption option, Value value) {
  const CURLcode result = curl_easy_setopt(handle_, option, value);
  if (result == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
  // An option that does not take must not be passed over: most of them are there for safety.
  if (result != CURLE_OK) {
    throw Error(Code::kInternal, "libcurl refused option " + std::to_string(static_cast<int>(option)),
                curl_easy_strerror(result));
  }
}

void Transfer::Begin(size_t index, HttpExchange* exchange, HttpRequest request, bool on_new_connection) {
  index_ = index;
  exchange_ = exchange;
  request_ = std::move(request);
  response_ = HttpResponse();
  header_bytes_ = 0;
  headers_ended_ = too_large_ = sink_stopped_ = false;
  refused_address_.clear();
  failure_ = nullptr;
  error_text_[0] = '\0';
  curl_easy_reset(handle_);  // keeps connections
  SetConnection(on_new_connection);
  SetCallbacks();
  SetRequest();
}

void Transfer::SetConnection(bool on_new_connection) {
  Set(CURLOPT_NOSIGNAL, 1L);    // SIGALRM belongs to the server
  Set(CURLOPT_QUICK_EXIT, 1L);  // do not wait for a name look-up that hangs
  Set(CURLOPT_PROTOCOLS_STR, options_.allow_plain ? "http,https" : "https");
  Set(CURLOPT_FOLLOWLOCATION, 0L);
  Set(CURLOPT_PROXY, "");  // also keeps http_proxy and its like out
  Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  Set(CURLOPT_SSL_VERIFYPEER, 1L);
  Set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options_.ca_file.empty()) {
    Set(CURLOPT_CAINFO, options_.ca_file.c_str());
    Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // instead of the system's, not besides
  }
  Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout_ms));
  Set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(options_.low_speed_bytes));
  Set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.low_speed_seconds));
  Set(CURLOPT_TCP_KEEPALIVE, 1L);
  Set(CURLOPT_BUFFERSIZE, kBufferSize);
  Set(CURLOPT_FRESH_CONNECT, on_new_connection ? 1L : 0L);
}

void Transfer::SetCallbacks() {
  Set(CURLOPT_PRIVATE, static_cast<void*>(this));
  Set(CURLOPT_ERRORBUFFER, error_text_);
  Set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  Set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  Set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  Set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::OnOpenSocket);
  Set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  Set(CURLOPT_PREREQFUNCTION, &Transfer::OnSend);
  Set(CURLOPT_PREREQDATA, static_cast<void*>(this));
}

void Transfer::SetRequest() {
  Set(CURLOPT_URL, request_.url.c_str());
  Set(CURLOPT_PATH_AS_IS, 1L);  // the path was signed as it is
  if (request_.method == "GET" || request_.method == "DELETE") {
    Set(CURLOPT_HTTPGET, 1L);  // without a body, and without headers that speak of one
    if (request_.method == "DELETE") Set(CURLOPT_CUSTOMREQUEST, "DELETE");
  } else {
    // Not an upload with a read callback: libcurl can repeat these bytes by itself when a kept connection is dead.
    static constexpr char kNothing[] = "";
    const void* body = request_.body.empty() ? kNothing : static_cast<const void*>(request_.body.data());
    Set(CURLOPT_POSTFIELDS, body);
    Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    Set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  curl_slist_free_all(std::exchange(header_list_, nullptr));
  for (const auto& [name, value] : request_.headers) {
    CheckHeaderValue(name, value);
    header_list_ = Add(header_list_, name + ": " + value);
  }
  // Headers that libcurl would add by itself.
  for (const char* unwanted : {"Expect:", "Accept:"}) header_list_ = Add(header_list_, unwanted);
  Set(CURLOPT_HTTPHEADER, header_list_);
}

HttpResponse Transfer::TakeResponse(CURLcode result) {
  request_.sink = nullptr;
  if (failure_) std::rethrow_exception(failure_);
  // libcurl reports a header line beyond its own limit, of some 100 kB, as want of memory.
  too_large_ |= result == CURLE_OUT_OF_MEMORY && response_.times_sent > 0 && !headers_ended_;
#if LIBCURL_VERSION_NUM >= 0x080600
  too_large_ |= result == CURLE_TOO_LARGE;  // what releases before call out of memory
#endif
  if (result == CURLE_OUT_OF_MEMORY && !too_large_) throw std::bad_alloc();
  response_.transport = Judge(result);
  if (!refused_address_.empty() && response_.transport == Transport::kAddressRefused) {
    response_.transport_error = "address " + refused_address_ + " is not allowed";
  } else if (result != CURLE_OK) {
    response_.transport_error = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(result);
  } else if (response_.transport == Transport::kBroken) {
    response_.transport_error = "the answer ended early";
  }
  return std::move(response_);
}

Transport Transfer::Judge(CURLcode result) const {
  if (too_large_) return Transport::kTooLarge;
  if (sink_stopped_) return Transport::kSinkStopped;
  const bool was_sent = response_.times_sent > 0;
  switch (result) {
    case CURLE_OK:
      return IsWhole() ? Transport::kComplete : Transport::kBroken;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
      return Transport::kUntrusted;
    default:
      if (!was_sent && !refused_address_.empty()) return Transport::kAddressRefused;
      return was_sent ? Transport::kBroken : Transport::kNotConnected;
  }
}

// libcurl is content with headers that break off, and with a body that nothing but the closed connection ends.
bool Transfer::IsWhole() const {
  const std::string* encoding = response_.Header("transfer-encoding");
  const bool has_length =
      response_.ContentLength() || (encoding != nullptr && strcasecmp(encoding->c_str(), "chunked") == 0);
  return headers_ended_ && (has_length || response_.status == 204 || response_.status == 304);
}

size_t Transfer::OnHeader(char* data, size_t size, size_t count, void* self) noexcept {
  auto* transfer = static_cast<Transfer*>(self);
  try {
    return transfer->TakeHeaderLine({data, size * count}) ? size * count : 0;
  } catch (...) {
    transfer->failure_ = std::current_exception();
    return 0;
  }
}

size_t Transfer::OnBody(char* data, size_t size, size_t count, void* self) noexcept {
  auto* transfer = static_cast<Transfer*>(self);
  try {
    // Any other number than the one given makes libcurl end the transfer; 0 would not for an empty piece.
    return transfer->TakeBody(AsBytes({data, size * count})) ? size * count : CURL_WRITEFUNC_ERROR;
  } catch (...) {
    transfer->failure_ = std::current_exception();
    return CURL_WRITEFUNC_ERROR;
  }
}

bool Transfer::TakeHeaderLine(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    too_large_ = true;
    return false;
  }
  if (line.starts_with("HTTP/")) {
    // Also after "100 Continue": the headers of the answer itself begin here.
    response_.headers.clear();
    headers_ended_ = false;
    long status = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
    return true;
  }
  if (line == "\r\n" || line == "\n") headers_ended_ = true;
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  response_.headers.emplace_back(std::move(name), Trim(line.substr(colon + 1)));
  return true;
}

bool Transfer::TakeBody(ByteView piece) {
  const bool is_success = response_.status >= 200 && response_.status < 300;
  if (is_success) response_.payload_bytes += piece.size();
  if (is_success && request_.sink) {
    sink_stopped_ = !request_.sink(response_, piece);
    return !sink_stopped_;
  }
  const uint64_t limit = is_success ? request_.max_body : kMaxErrorBody;
  const uint64_t announced = response_.ContentLength().value_or(0);
  if (announced > limit || piece.size() > limit - response_.body.size()) {
    too_large_ = true;
    return false;
  }
  if (response_.body.empty()) response_.body.reserve(announced);
  response_.body.insert(response_.body.end(), piece.begin(), piece.end());
  return true;
}

curl_socket_t Transfer::OnOpenSocket(void* self, curlsocktype, curl_sockaddr* address) noexcept {
  auto* transfer = static_cast<Transfer*>(self);
  try {
    const HttpOptions& options = transfer->options_;
    const bool refused = (options.only_loopback && !IsLoopbackAddress(address->addr)) ||
                         (options.refuse_special && IsSpecialAddress(address->addr));
    if (refused) {
      transfer->refused_address_ = AddressText(address->addr);
      return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  } catch (...) {
    transfer->failure_ = std::current_exception();
    return CURL_SOCKET_BAD;
  }
}

int Transfer::OnSend(void* self, char*, char*, int, int) noexcept {
  auto* transfer = static_cast<Transfer*>(self);
  ++transfer->response_.times_sent;
  transfer->exchange_->OnSent();
  return CURL_PREREQFUNC_OK;
}

}  // namespace s3v
