#include "net/http.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <stdexcept>

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
using ::testing::HasSubstr;
using testing::HttpServer;
using testing::ServedAnswer;
using testing::ServedRequest;
using Then = ServedAnswer::Then;

// Sends one request, again as often as told, and keeps the answers.
class OneRequest final : public HttpExchange {
 public:
  explicit OneRequest(HttpRequest request, int more_tries = 0)
      : request_(std::move(request)), more_tries_(more_tries) {}
  uint64_t expected_bytes() const override { return expected; }
  HttpRequest Prepare() override { return request_; }
  void OnSent() noexcept override { ++sent; }
  std::optional<Resend> Finish(HttpResponse& response) override {
    answers.push_back(std::move(response));
    if (fails_on_answer) throw std::runtime_error("the answer is not liked");
    if (static_cast<int>(answers.size()) > more_tries_) return std::nullopt;
    return Resend{.delay_ms = 1, .on_new_connection = true};
  }
  const HttpResponse& last() const { return answers.back(); }

  uint64_t expected = 0;
  bool fails_on_answer = false;
  int sent = 0;
  std::vector<HttpResponse> answers;

 private:
  HttpRequest request_;
  int more_tries_;
};

HttpRequest Get(const std::string& url) { return {.method = "GET", .url = url, .max_body = 1 << 20}; }

HttpOptions Plain() {
  HttpOptions options;
  options.allow_plain = true;
  return options;
}

void Perform(HttpClient& client, std::vector<HttpExchange*> exchanges, Stop& stop, int64_t timeout_ms = 10'000) {
  client.Perform(exchanges, SystemClock().SteadyMillis() + timeout_ms, stop);
}

void Perform(HttpClient& client, std::vector<HttpExchange*> exchanges, int64_t timeout_ms = 10'000) {
  NeverStop never;
  Perform(client, std::move(exchanges), never, timeout_ms);
}

// Asks to stop once `delay` has passed.
class StopAfter final : public Stop {
 public:
  explicit StopAfter(std::chrono::milliseconds delay) : at_(std::chrono::steady_clock::now() + delay) {}
  bool Requested() override { return std::chrono::steady_clock::now() >= at_; }

 private:
  std::chrono::steady_clock::time_point at_;
};

int64_t MillisOf(const std::function<void()>& work) {
  const int64_t begin = SystemClock().SteadyMillis();
  work();
  return SystemClock().SteadyMillis() - begin;
}

size_t OpenDescriptors() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

TEST(Http, SendsMethodHeadersAndBodyAsTheyAre) {
  HttpServer server([](const ServedRequest&, int) { return Answer(200, "answer", "X-Thing:  a b \r\n"); });
  HttpClient client(Plain(), SystemClock());
  HttpRequest request = Get(server.url() + "/a%20b/../c?x=%2F");
  request.method = "PUT";
  request.headers = {{"host", "other.host"}, {"x-one", "1"}};
  const std::string body(100'000, 'b');
  request.body = AsBytes(body);
  OneRequest exchange(request);
  Perform(client, {&exchange});

  EXPECT_EQ(exchange.last().transport, Transport::kComplete);
  EXPECT_EQ(exchange.last().status, 200);
  EXPECT_EQ(AsText(exchange.last().body), "answer");
  ASSERT_NE(exchange.last().Header("x-thing"), nullptr);
  EXPECT_EQ(*exchange.last().Header("x-thing"), "a b");
  EXPECT_EQ(exchange.sent, 1);
  const ServedRequest seen = server.requests().at(0);
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.target, "/a%20b/../c?x=%2F");
  EXPECT_EQ(seen.body, body);
  EXPECT_EQ(seen.headers.at("host"), "other.host");
  EXPECT_EQ(seen.headers.at("x-one"), "1");
  EXPECT_FALSE(seen.headers.contains("expect"));
}

TEST(Http, AnEmptyPutHasALength) {
  HttpServer server([](const ServedRequest&, int) { return Answer(200, ""); });
  HttpClient client(Plain(), SystemClock());
  HttpRequest request = Get(server.url());
  request.method = "PUT";
  OneRequest exchange(request);
  Perform(client, {&exchange});
  EXPECT_EQ(server.requests().at(0).headers.at("content-length"), "0");
}

TEST(Http, KeepsConnectionsBetweenCalls) {
  HttpServer server([](const ServedRequest&, int) { return Answer(200, "x"); });
  HttpClient client(Plain(), SystemClock());
  for (int i = 0; i < 5; ++i) {
    OneRequest exchange(Get(server.url()));
    Perform(client, {&exchange});
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(Http, ParallelRequestsAreBounded) {
  HttpServer server([](const ServedRequest& request, int) { return Answer(200, request.target); });
  HttpOptions options = Plain();
  options.max_parallel = 4;
  HttpClient client(options, SystemClock());
  std::vector<std::unique_ptr<OneRequest>> requests;
  std::vector<HttpExchange*> exchanges;
  for (int i = 0; i < 60; ++i) {
    requests.push_back(std::make_unique<OneRequest>(Get(server.url() + "/" + std::to_string(i))));
    exchanges.push_back(requests.back().get());
  }
  Perform(client, exchanges);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(AsText(requests[i]->last().body), "/" + std::to_string(i));
  EXPECT_LE(server.connections(), 4);
  EXPECT_GE(server.connections(), 2);
}

TEST(Http, BytesInFlightAreBounded) {
  HttpServer server([](const ServedRequest&, int) { return Answer(200, "x"); });
  HttpOptions options = Plain();
  options.max_bytes_in_flight = 100;
  HttpClient client(options, SystemClock());
  std::vector<std::unique_ptr<OneRequest>> requests;
  std::vector<HttpExchange*> exchanges;
  for (int i = 0; i < 10; ++i) {
    requests.push_back(std::make_unique<OneRequest>(Get(server.url())));
    requests.back()->expected = i == 5 ? 1000 : 60;  // one is beyond the limit by itself, and goes alone
    exchanges.push_back(requests.back().get());
  }
  Perform(client, exchanges);
  for (const auto& request : requests) EXPECT_EQ(request->last().status, 200);
  EXPECT_EQ(server.connections(), 1);
}

TEST(Http, ACutBodyIsBrokenAndItsConnectionIsNotUsedAgain) {
  HttpServer server([](const ServedRequest&, int n) {
    if (n > 0) return Answer(200, "whole");
    return ServedAnswer{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", .then = Then::kClose};
  });
  HttpClient client(Plain(), SystemClock());
  OneRequest exchange(Get(server.url()), 1);
  Perform(client, {&exchange});
  ASSERT_EQ(exchange.answers.size(), 2u);
  EXPECT_EQ(exchange.answers[0].transport, Transport::kBroken);
  EXPECT_EQ(exchange.answers[1].transport, Transport::kComplete);
  EXPECT_EQ(server.requests().at(1).connection, 1);
  EXPECT_EQ(exchange.sent, 2);
}

TEST(Http, AnAnswerThatOnlyTheClosedConnectionEndsIsBroken) {
  for (const char* bytes :
       {"HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        "HTTP/1.1 200 OK\r\n\r\nbody of unknown length", "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf", "HTT", "nonsense\r\n\r\n"}) {
    HttpServer server([&](const ServedRequest&, int) { return ServedAnswer{.bytes = bytes, .then = Then::kClose}; });
    HttpClient client(Plain(), SystemClock());
    OneRequest exchange(Get(server.url()));
    Perform(client, {&exchange});
    EXPECT_EQ(exchange.last().transport, Transport::kBroken) << bytes;
    EXPECT_NE(exchange.last().transport_error, "") << bytes;
  }
}

TEST(Http, AnInterimAnswerIsNotTheAnswer) {
  HttpServer server([&](const ServedRequest&, int) {
    return ServedAnswer{
        .bytes = "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"};
  });
  HttpClient client(Plain(), SystemClock());
  OneRequest exchange(Get(server.url()));
  Perform(client, {&exchange});
  EXPECT_EQ(exchange.last().status, 200);
  EXPECT_EQ(exchange.last().Header("x-interim"), nullptr);
  EXPECT_EQ(AsText(exchange.last().body), "x");
}

TEST(Http, ResetsAreBrokenAndRefusedConnectionsWereNeverSent) {
  HttpServer server([](const ServedRequest&, int) { return ServedAnswer{.bytes = "", .then = Then::kReset}; });
  HttpClient client(Plain(), SystemClock());
  OneRequest reset(Get(server.url()));
  OneRequest refused(Get("http://127.0.0.1:1/"));
  OneRequest unknown(Get("http://no-such-host.invalid/"));
  Perform(client, {&reset, &refused, &unknown});
  EXPECT_EQ(reset.last().transport, Transport::kBroken);
  EXPECT_EQ(refused.last().transport, Transport::kNotConnected);
  EXPECT_EQ(refused.sent, 0);
  EXPECT_EQ(unknown.last().transport, Transport::kNotConnected);
  EXPECT_THAT(unknown.last().transport_error, HasSubstr("no-such-host.invalid"));
}

TEST(Http, ADeadKeptConnectionIsRepeatedAndCounted) {
  // The first answer promises to keep the connection; the server drops it as the second request arrives.
  HttpServer server([](const ServedRequest&, int n) {
    if (n == 1) return ServedAnswer{.bytes = "", .then = Then::kClose};
    return Answer(200, "x");
  });
  HttpClient client(Plain(), SystemClock());
  OneRequest first(Get(server.url()));
  Perform(client, {&first});
  OneRequest second(Get(server.url()));
  Perform(client, {&second});
  EXPECT_EQ(second.last().status, 200);
  EXPECT_EQ(second.sent, 2);
  EXPECT_EQ(second.last().times_sent, 2);
  EXPECT_EQ(server.requests().size(), 3u);
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

TEST(Http, ASinkTakesTheBodyOfASuccessOnly) {
  HttpServer server([](const ServedRequest& request, int) {
    return Answer(request.target == "/good" ? 206 : 404, std::string(300'000, 'x'));
  });
  HttpClient client(Plain(), SystemClock());
  size_t taken = 0;
  const auto sink = [&](const HttpResponse& head, ByteView piece) {
    EXPECT_EQ(head.status, 206);
    EXPECT_EQ(head.ContentLength(), 300'000u);
    taken += piece.size();
    return true;
  };
  HttpRequest good = Get(server.url() + "/good");
  good.sink = sink;
  HttpRequest bad = Get(server.url() + "/bad");
  bad.sink = sink;
  OneRequest first(good);
  OneRequest second(bad);
  Perform(client, {&first, &second});
  EXPECT_EQ(taken, 300'000u);
  EXPECT_EQ(first.last().payload_bytes, 300'000u);
  EXPECT_TRUE(first.last().body.empty());
}

TEST(Http, ASinkMayStopOrThrow) {
  HttpServer server([](const ServedRequest&, int) { return Answer(200, std::string(300'000, 'x')); });
  HttpClient client(Plain(), SystemClock());
  HttpRequest request = Get(server.url());
  request.sink = [](const HttpResponse&, ByteView) { return false; };
  OneRequest stopped(request);
  Perform(client, {&stopped});
  EXPECT_EQ(stopped.last().transport, Transport::kSinkStopped);

  request.sink = [](const HttpResponse&, ByteView) -> bool { throw std::runtime_error("from the sink"); };
  OneRequest thrown(request);
  EXPECT_THROW(Perform(client, {&thrown}), std::runtime_error);
  EXPECT_TRUE(thrown.answers.empty());

  OneRequest after(Get(server.url()));
  Perform(client, {&after});
  EXPECT_EQ(after.last().status, 200);
}

TEST(Http, AnExceptionEndsTheBatchAndTheClientGoesOn) {
  HttpServer server([](const ServedRequest& request, int) {
    if (request.target == "/hang") return ServedAnswer{.bytes = "", .then = Then::kHang};
    return Answer(200, "x");
  });
  HttpClient client(Plain(), SystemClock());
  OneRequest hanging(Get(server.url() + "/hang"));
  OneRequest failing(Get(server.url() + "/x"));
  failing.fails_on_answer = true;
  EXPECT_LT(MillisOf([&] { EXPECT_THROW(Perform(client, {&hanging, &failing}), std::runtime_error); }), 1000);
  OneRequest after(Get(server.url() + "/y"));
  Perform(client, {&after});
  EXPECT_EQ(after.last().status, 200);
  EXPECT_TRUE(hanging.answers.empty());
}

TEST(Http, AClientDoesNotReenterItself) {
  HttpServer server([](const ServedRequest&, int) { return Answer(200, "x"); });
  HttpClient client(Plain(), SystemClock());
  HttpRequest request = Get(server.url());
  request.sink = [&](const HttpResponse&, ByteView) {
    OneRequest inner(Get(server.url()));
    Perform(client, {&inner});
    return true;
  };
  OneRequest outer(request);
  EXPECT_THROW(Perform(client, {&outer}), Error);
}

TEST(Http, TheDeadlineReachesWhatIsUnderWayAndWhatIsNot) {
  HttpServer server([](const ServedRequest&, int) { return ServedAnswer{.bytes = "", .then = Then::kHang}; });
  HttpOptions options = Plain();
  options.max_parallel = 1;
  HttpClient client(options, SystemClock());
  OneRequest first(Get(server.url()));
  OneRequest second(Get(server.url()));
  EXPECT_LT(MillisOf([&] { Perform(client, {&first, &second}, 120); }), 400);
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
  EXPECT_LT(MillisOf([&] { Perform(client, {&exchange}); }), 4000);
  EXPECT_EQ(exchange.last().transport, Transport::kBroken);
}

TEST(Http, CancelReturnsAtOnceWhileTheServerIsSilent) {
  HttpServer server([](const ServedRequest&, int) { return ServedAnswer{.bytes = "", .then = Then::kHang}; });
  HttpClient client(Plain(), SystemClock());
  OneRequest exchange(Get(server.url()));
  StopAfter stop(std::chrono::milliseconds(50));
  const int64_t took = MillisOf([&] { EXPECT_THROW(Perform(client, {&exchange}, stop), Error); });
  EXPECT_LT(took, 200);
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
  EXPECT_LT(took, 400);
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
