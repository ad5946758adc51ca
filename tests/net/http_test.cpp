// What the HTTP client sends and makes of answers. See http_safety_test.cpp for its limits and refusals.
#include "net/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "net/http_fixture.h"
#include "support/http_server.h"

namespace s3v {
namespace {

using testing::Answer;
using testing::Get;
using ::testing::HasSubstr;
using testing::HttpServer;
using testing::MillisOf;
using testing::OneRequest;
using testing::Perform;
using testing::Plain;
using testing::ServedAnswer;
using testing::ServedRequest;
using Then = ServedAnswer::Then;

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
  EXPECT_LT(MillisOf([&] { EXPECT_THROW(Perform(client, {&hanging, &failing}), std::runtime_error); }), 5000);
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

}  // namespace
}  // namespace s3v
