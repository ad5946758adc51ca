// Where the HTTP client stops: limits, deadlines, cancellation, addresses, and what it must never read or follow.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "net/http_fixture.h"
#include "support/http_server.h"

namespace s3v::testing {
std::atomic<int> hanging_lookups{0};
std::atomic<bool> lookup_had_signals_blocked{false};
}  // namespace s3v::testing

// Stands before the C library's: a name whose look-up hangs, as on a machine whose name server is gone.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (node == nullptr || std::string_view(node) != "hanging.test") return real(node, service, hints, result);
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  s3v::testing::lookup_had_signals_blocked = sigismember(&mask, SIGALRM) == 1 && sigismember(&mask, SIGTERM) == 1;
  ++s3v::testing::hanging_lookups;
  sleep(3);
  return EAI_AGAIN;
}

namespace s3v {
namespace {

using testing::Answer;
using testing::Get;
using testing::HttpServer;
using testing::MillisOf;
using testing::OneRequest;
using testing::Perform;
using testing::Plain;
using testing::ServedAnswer;
using testing::ServedRequest;
using Then = ServedAnswer::Then;

// Asks to stop once `delay` has passed.
class StopAfter final : public Stop {
 public:
  explicit StopAfter(std::chrono::milliseconds delay) : at_(std::chrono::steady_clock::now() + delay) {}
  bool Requested() override { return std::chrono::steady_clock::now() >= at_; }

 private:
  std::chrono::steady_clock::time_point at_;
};

size_t OpenDescriptors() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

TEST(Http, RedirectsAreAnswers) {
  HttpServer server([](const ServedRequest&, int) { return Answer(307, "", "Location: http://127.0.0.1:1/\r\n"); });
  HttpClient client(Plain(), SystemClock());
  OneRequest exchange(Get(server.url()));
  Perform(client, {&exchange});
  EXPECT_EQ(exchange.last().status, 307);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(Http, BodiesBeyondTheLimitAreRefused) {
  HttpServer server([](const ServedRequest& request, int) {
    const std::string body(2000, 'x');
    if (request.target == "/length") return Answer(200, body);
    if (request.target == "/error") return Answer(500, std::string(1 << 20, 'x'));
    return ServedAnswer{.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + body + "\r\n7d0\r\n" +
                                 body + "\r\n0\r\n\r\n"};
  });
  HttpClient client(Plain(), SystemClock());
  for (const char* path : {"/length", "/chunked"}) {
    HttpRequest request = Get(server.url() + path);
    request.max_body = 1999;
    OneRequest exchange(request);
    Perform(client, {&exchange});
    EXPECT_EQ(exchange.last().transport, Transport::kTooLarge) << path;
  }
  HttpRequest exact = Get(server.url() + "/length");
  exact.max_body = 2000;
  OneRequest fits(exact);
  OneRequest error(Get(server.url() + "/error"));
  Perform(client, {&fits, &error});
  EXPECT_EQ(fits.last().transport, Transport::kComplete);
  EXPECT_EQ(fits.last().payload_bytes, 2000u);
  EXPECT_EQ(error.last().transport, Transport::kTooLarge);
  EXPECT_EQ(error.last().status, 500);
}

TEST(Http, EndlessHeadersAreRefused) {
  HttpServer server([](const ServedRequest&, int) {
    std::string headers;
    for (int i = 0; i < 5000; ++i) headers += "X-H" + std::to_string(i) + ": " + std::string(50, 'h') + "\r\n";
    return Answer(200, "x", headers);
  });
  HttpClient client(Plain(), SystemClock());
  OneRequest exchange(Get(server.url()));
  Perform(client, {&exchange});
  EXPECT_EQ(exchange.last().transport, Transport::kTooLarge);
  EXPECT_LT(exchange.last().headers.size(), 2000u);
}

TEST(Http, AHeaderLineBeyondLibcurlsOwnLimitIsRefused) {
  HttpServer server(
      [](const ServedRequest&, int) { return Answer(200, "x", "X-Filler: " + std::string(1 << 20, 'h') + "\r\n"); });
  HttpClient client(Plain(), SystemClock());
  OneRequest exchange(Get(server.url()));
  Perform(client, {&exchange});
  EXPECT_EQ(exchange.last().transport, Transport::kTooLarge);
}

TEST(Http, TheDeadlineReachesWhatIsUnderWayAndWhatIsNot) {
  HttpServer server([](const ServedRequest&, int) { return ServedAnswer{.bytes = "", .then = Then::kHang}; });
  HttpOptions options = Plain();
  options.max_parallel = 1;
  HttpClient client(options, SystemClock());
  OneRequest first(Get(server.url()));
  OneRequest second(Get(server.url()));
  EXPECT_LT(MillisOf([&] { Perform(client, {&first, &second}, 120); }), 2000);
  EXPECT_EQ(first.last().transport, Transport::kDeadline);
  EXPECT_EQ(second.last().transport, Transport::kDeadline);
  EXPECT_EQ(first.sent, 1);
  EXPECT_EQ(second.sent, 0);
}

TEST(Http, SlowTransfersAreBroken) {
  HttpServer server([](const ServedRequest&, int) {
    return ServedAnswer{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", .then = Then::kHang};
  });
  HttpOptions options = Plain();
  options.low_speed_seconds = 1;
  HttpClient client(options, SystemClock());
  OneRequest exchange(Get(server.url()));
  EXPECT_LT(MillisOf([&] { Perform(client, {&exchange}); }), 8000);
  EXPECT_EQ(exchange.last().transport, Transport::kBroken);
}

TEST(Http, CancelReturnsAtOnceWhileTheServerIsSilent) {
  HttpServer server([](const ServedRequest&, int) { return ServedAnswer{.bytes = "", .then = Then::kHang}; });
  int64_t quickest = 10'000;  // of some: the machine may be busy with something else
  for (int attempt = 0; attempt < 5 && quickest >= 200; ++attempt) {
    HttpClient client(Plain(), SystemClock());
    OneRequest exchange(Get(server.url()));
    StopAfter stop(std::chrono::milliseconds(50));
    quickest = std::min(quickest, MillisOf([&] { EXPECT_THROW(Perform(client, {&exchange}, stop), Error); }));
  }
  EXPECT_LT(quickest, 200);
}

TEST(Http, CancelReturnsAtOnceWhileANameLookUpHangs) {
  HttpClient client(Plain(), SystemClock());
  OneRequest exchange(Get("http://hanging.test/"));
  StopAfter stop(std::chrono::milliseconds(50));
  const int64_t took = MillisOf([&] {
    EXPECT_THROW(Perform(client, {&exchange}, stop), Error);
    HttpClient other(Plain(), SystemClock());
    OneRequest second(Get("http://hanging.test/"));
    Perform(other, {&second}, 50);  // the end of a client must not wait either
    EXPECT_EQ(second.last().transport, Transport::kDeadline);
  });
  EXPECT_LT(took, 2000);  // the look-up itself takes three seconds
  EXPECT_GE(testing::hanging_lookups, 2);
  EXPECT_TRUE(testing::lookup_had_signals_blocked);
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGALRM), 0);
}

TEST(Http, AddressesAreCheckedWhenConnecting) {
  HttpServer server([](const ServedRequest&, int) { return Answer(200, "x"); });
  const std::string port = ":" + std::to_string(server.port()) + "/";
  HttpOptions careful = Plain();
  careful.refuse_special = true;
  HttpClient client(careful, SystemClock());
  for (const std::string host : {"127.0.0.1",
                                 "localhost",
                                 "LOCALHOST.",
                                 "a.localhost",
                                 "0.0.0.0",
                                 "[::1]",
                                 "[::]",
                                 "[::ffff:127.0.0.1]",
                                 "[::ffff:7f00:1]",
                                 "[::127.0.0.1]",
                                 "[64:ff9b::7f00:1]",
                                 "2130706433",
                                 "0x7f000001",
                                 "0177.0.0.1",
                                 "127.1",
                                 "0x7f.1",
                                 "017700000001",
                                 "0",
                                 "127.0.0.1.",
                                 "user@127.0.0.1",
                                 "user:pw@127.0.0.1",
                                 "169.254.169.254",
                                 "[fd00:ec2::254]",
                                 "[fe80::1]",
                                 "224.0.0.1",
                                 "255.255.255.255"}) {
    OneRequest exchange(Get("http://" + host + port));
    Perform(client, {&exchange});
    EXPECT_NE(exchange.last().transport, Transport::kComplete) << host;
    EXPECT_EQ(exchange.sent, 0) << host;
  }
  EXPECT_EQ(server.connections(), 0);
  OneRequest named(Get("http://127.0.0.1" + port));
  Perform(client, {&named});
  EXPECT_EQ(named.last().transport, Transport::kAddressRefused);
  EXPECT_EQ(named.last().transport_error, "address 127.0.0.1 is not allowed");

  HttpOptions local = Plain();
  local.only_loopback = true;
  HttpClient local_client(local, SystemClock());
  OneRequest away(Get("http://10.1.2.3/"));
  OneRequest here(Get("http://127.0.0.1" + port));
  Perform(local_client, {&away, &here});
  EXPECT_EQ(away.last().transport, Transport::kAddressRefused);
  EXPECT_EQ(here.last().status, 200);
}

TEST(Http, OtherProtocolsAndTheEnvironmentsProxyAreNotUsed) {
  HttpServer server([](const ServedRequest&, int) { return Answer(200, "x"); });
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  HttpClient plain(Plain(), SystemClock());
  OneRequest direct(Get(server.url()));
  OneRequest file(Get("file:///etc/passwd"));
  Perform(plain, {&direct, &file});
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
  EXPECT_EQ(direct.last().status, 200);
  EXPECT_NE(file.last().transport, Transport::kComplete);

  HttpClient only_https(HttpOptions{}, SystemClock());
  OneRequest unencrypted(Get(server.url()));
  Perform(only_https, {&unencrypted});
  EXPECT_EQ(unencrypted.last().transport, Transport::kNotConnected);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(Http, RefusesHeaderValuesWithLineBreaks) {
  HttpServer server([](const ServedRequest&, int) { return Answer(200, "x"); });
  HttpClient client(Plain(), SystemClock());
  HttpRequest request = Get(server.url());
  request.headers = {{"x-a", "b\r\nx-evil: 1"}};
  OneRequest exchange(request);
  EXPECT_THROW(Perform(client, {&exchange}), Error);
  EXPECT_TRUE(server.requests().empty());
}

TEST(Http, NoDescriptorIsLeftBehind) {
  HttpServer server([](const ServedRequest&, int n) {
    if (n % 3 == 0) return ServedAnswer{.bytes = "", .then = Then::kReset};
    if (n % 3 == 1) return ServedAnswer{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", .then = Then::kClose};
    return Answer(200, "x");
  });
  const size_t before = OpenDescriptors();
  for (int round = 0; round < 20; ++round) {
    HttpClient client(Plain(), SystemClock());
    OneRequest first(Get(server.url()), 2);
    OneRequest second(Get(server.url()), 2);
    StopAfter stop(std::chrono::milliseconds(round % 2 == 0 ? 1 : 10'000));
    try {
      Perform(client, {&first, &second}, stop);
    } catch (const Error&) {
    }
  }
  // The server's side closes a little later.
  for (int i = 0; i < 200 && OpenDescriptors() > before; ++i) usleep(5000);
  EXPECT_LE(OpenDescriptors(), before);
}

}  // namespace
}  // namespace s3v
