#include "support/http_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace s3v::testing {
namespace {

bool IsReadable(int socket) {
  pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
  return poll(&waiting, 1, 5) > 0;
}

void SendAll(int socket, const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<size_t>(n);
  }
}

void CloseWithReset(int socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

}  // namespace

ServedAnswer Answer(int status, const std::string& body, const std::string& headers) {
  return {.bytes = "HTTP/1.1 " + std::to_string(status) + " Text\r\n" + headers +
                   "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
}

std::string S3ErrorXml(const std::string& code, const std::string& more) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>" + code +
         "</Code><Message>not for messages</Message><RequestId>REQ-1</RequestId>" + more + "</Error>";
}

HttpServer::HttpServer(Handler handler) : handler_(std::move(handler)), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, length) != 0 || listen(listener_, 128) != 0 ||
      getsockname(listener_, generic, &length) != 0) {
    throw std::runtime_error("could not listen on loopback");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { AcceptAll(); });
}

HttpServer::~HttpServer() {
  stopping_ = true;
  acceptor_.join();
  for (std::thread& worker : workers_) worker.join();
  close(listener_);
}

std::vector<ServedRequest> HttpServer::requests() {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void HttpServer::AcceptAll() {
  while (!stopping_) {
    if (!IsReadable(listener_)) continue;
    const int socket = accept(listener_, nullptr, nullptr);
    if (socket < 0) continue;
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    workers_.emplace_back([this, socket, connection = connections_++] { Serve(socket, connection); });
  }
}

void HttpServer::Serve(int socket, int connection) {
  std::string buffer;
  ServedRequest request;
  while (ReadRequest(socket, &buffer, &request)) {
    request.connection = connection;
    ServedAnswer answer;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      answer = handler_(request, static_cast<int>(requests_.size()) - 1);
    }
    SendAll(socket, answer.bytes);
    if (answer.then == ServedAnswer::Then::kKeepOpen) continue;
    if (answer.then == ServedAnswer::Then::kReset) CloseWithReset(socket);
    if (answer.then == ServedAnswer::Then::kHang) {
      while (!stopping_) usleep(2000);
    }
    break;
  }
  close(socket);
}

bool HttpServer::ReadMore(int socket, std::string* buffer) {
  while (!stopping_) {
    if (!IsReadable(socket)) continue;
    char piece[65536];
    const ssize_t n = recv(socket, piece, sizeof(piece), 0);
    if (n <= 0) return false;
    buffer->append(piece, static_cast<size_t>(n));
    return true;
  }
  return false;
}

bool HttpServer::ReadRequest(int socket, std::string* buffer, ServedRequest* request) {
  size_t head_end;
  while ((head_end = buffer->find("\r\n\r\n")) == std::string::npos) {
    if (!ReadMore(socket, buffer)) return false;
  }
  *request = {};
  std::istringstream head(buffer->substr(0, head_end));
  std::string line;
  std::getline(head, line);
  std::istringstream(line) >> request->method >> request->target;
  while (std::getline(head, line)) {
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    request->headers[name] = line.substr(colon + 2, line.find('\r') - colon - 2);
  }
  const size_t length =
      request->headers.contains("content-length") ? std::stoul(request->headers["content-length"]) : 0;
  while (buffer->size() < head_end + 4 + length) {
    if (!ReadMore(socket, buffer)) return false;
  }
  request->body = buffer->substr(head_end + 4, length);
  buffer->erase(0, head_end + 4 + length);
  return true;
}

}  // namespace s3v::testing
