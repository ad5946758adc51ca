// One libcurl transfer: options, callbacks, and what came of it. Only http.cpp includes this.
#pragma once

#include <curl/curl.h>

#include <exception>
#include <string>

#include "net/http.h"

namespace s3v {

// Owns an easy handle, which can be used for one request after another. No exception leaves a callback: it is kept in
// the transfer and thrown by TakeResponse, outside libcurl's frames.
class Transfer {
 public:
  explicit Transfer(const HttpOptions& options);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Sets the handle up for one more request.
  void Begin(size_t index, HttpExchange* exchange, HttpRequest request, bool on_new_connection);
  // After libcurl reported the end of the transfer. Throws what the sink threw.
  HttpResponse TakeResponse(CURLcode result);

  CURL* handle() const { return handle_; }
  size_t index() const { return index_; }  // of the exchange in its batch

 private:
  template <class Value>
  void Set(CURLoption option, Value value);
  void SetConnection(bool on_new_connection);
  void SetCallbacks();
  void SetRequest();
  Transport Judge(CURLcode result) const;
  bool IsWhole() const;
  bool TakeHeaderLine(std::string_view line);
  bool TakeBody(ByteView piece);

  static size_t OnHeader(char* data, size_t size, size_t count, void* self) noexcept;
  static size_t OnBody(char* data, size_t size, size_t count, void* self) noexcept;
  static curl_socket_t OnOpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address) noexcept;
  static int OnSend(void* self, char* peer_ip, char* local_ip, int peer_port, int local_port) noexcept;

  const HttpOptions& options_;
  CURL* handle_;
  curl_slist* header_list_ = nullptr;
  size_t index_ = 0;
  HttpExchange* exchange_ = nullptr;
  HttpRequest request_;
  HttpResponse response_;
  size_t header_bytes_ = 0;
  bool headers_ended_ = false;
  bool too_large_ = false;
  bool sink_stopped_ = false;
  std::string refused_address_;
  std::exception_ptr failure_;
  char error_text_[CURL_ERROR_SIZE];
};

}  // namespace s3v
