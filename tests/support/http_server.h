// A tiny HTTP/1.1 server on loopback, whose answers a test writes by hand, wrong ones included.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace s3v::testing {

struct ServedRequest {
  std::string method;
  std::string target;                          // path and query as sent
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  int connection = 0;  // which connection it came on, from 0
};

struct ServedAnswer {
  enum class Then { kKeepOpen, kClose, kReset, kHang };
  std::string bytes;  // status line, headers and body, exactly as sent
  Then then = Then::kKeepOpen;
};

// A well-formed answer. `headers` are whole lines ending in CRLF.
ServedAnswer Answer(int status, const std::string& body, const std::string& headers = {});

// The XML error document of S3.
std::string S3ErrorXml(const std::string& code, const std::string& more = {});

class HttpServer {
 public:
  // Called on the server's threads, one at a time; `n` counts requests from 0.
  using Handler = std::function<ServedAnswer(const ServedRequest& request, int n)>;

  explicit HttpServer(Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<ServedRequest> requests();
  int connections() const { return connections_; }

 private:
  void AcceptAll();
  void Serve(int socket, int connection);
  bool ReadRequest(int socket, std::string* buffer, ServedRequest* request);
  bool ReadMore(int socket, std::string* buffer);

  Handler handler_;
  int listener_;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::vector<ServedRequest> requests_;
  std::vector<std::thread> workers_;
  std::thread acceptor_;
};

}  // namespace s3v::testing
