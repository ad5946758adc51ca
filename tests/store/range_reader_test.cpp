#include "store/range_reader.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace s3v {
namespace {

HttpResponse Head(int status, const Headers& headers) {
  HttpResponse head;
  head.status = status;
  head.headers = headers;
  return head;
}

// Feeds `body` in pieces of random sizes; returns what Take said last.
bool Feed(RangeReader* reader, const HttpResponse& head, const std::string& body, Random* random) {
  bool wants_more = true;
  for (size_t at = 0; at < body.size() && wants_more;) {
    const size_t size = std::min<size_t>(random->Below(9) + 1, body.size() - at);
    wants_more = reader->Take(head, AsBytes(std::string_view(body).substr(at, size)));
    at += size;
  }
  return wants_more;
}

std::string ObjectOf(size_t size, Random* random) {
  std::string object;
  while (object.size() < size) object.push_back(static_cast<char>(random->Below(256)));
  return object;
}

TEST(RangeReader, ExactRangesAndWholeObjectsGiveTheSameBytes) {
  Random random(3);
  for (int round = 0; round < 2000; ++round) {
    const std::string object = ObjectOf(random.Below(100) + 1, &random);
    const uint64_t offset = random.Below(object.size());
    const uint64_t length = random.Below(object.size() - offset) + 1;
    const std::string expected = object.substr(offset, length);
    RangeReader reader(offset, length);
    for (const bool whole : {false, true}) {
      reader.Reset();
      const std::string range = "bytes " + std::to_string(offset) + "-" + std::to_string(offset + length - 1) + "/*";
      const HttpResponse head = whole ? Head(200, {{"content-length", std::to_string(object.size())}})
                                      : Head(206, {{"content-range", range}});
      Feed(&reader, head, whole ? object : expected, &random);
      EXPECT_EQ(reader.Problem(head), std::nullopt);
      EXPECT_FALSE(reader.is_too_short());
      ASSERT_EQ(AsText(reader.bytes()), expected);
    }
  }
}

TEST(RangeReader, StopsEarlyOnAWholeObjectOnceItHasTheRange) {
  Random random(3);
  RangeReader reader(2, 3);
  const HttpResponse head = Head(200, {{"content-length", "1000"}});
  EXPECT_FALSE(Feed(&reader, head, std::string(1000, 'x'), &random));
  EXPECT_EQ(reader.Problem(head), std::nullopt);
  EXPECT_EQ(reader.bytes().size(), 3u);
}

TEST(RangeReader, AnObjectThatEndsBeforeTheRangeIsTooShort) {
  RangeReader of_range(90, 20);
  const HttpResponse partial = Head(206, {{"content-range", "bytes 90-99/100"}});
  EXPECT_FALSE(of_range.Take(partial, AsBytes("0123456789")));
  EXPECT_EQ(of_range.Problem(partial), std::nullopt);
  EXPECT_TRUE(of_range.is_too_short());
  RangeReader of_whole(90, 20);
  const HttpResponse whole = Head(200, {{"content-length", "0"}});
  EXPECT_EQ(of_whole.Problem(whole), std::nullopt);  // no body at all
  EXPECT_TRUE(of_whole.is_too_short());
}

TEST(RangeReader, AShortAnswerThatMayBeAnErrorDocumentIsKept) {
  RangeReader reader(90, 20);
  const HttpResponse head = Head(200, {{"content-length", "7"}});
  EXPECT_TRUE(reader.Take(head, AsBytes("<Err")));
  EXPECT_TRUE(reader.Take(head, AsBytes("or>")));
  EXPECT_TRUE(reader.is_too_short());
  EXPECT_EQ(AsText(reader.bytes()), "<Error>");
  EXPECT_FALSE(reader.Take(head, AsBytes("and more than it says")));
  RangeReader large(1 << 20, 20);
  EXPECT_FALSE(large.Take(Head(200, {{"content-length", "65537"}}), AsBytes("<Error>")));
  EXPECT_TRUE(large.bytes().empty());
}

TEST(RangeReader, WhatCannotBeTrustedIsAProblem) {
  const std::vector<HttpResponse> heads = {
      Head(206, {}),
      Head(206, {{"content-range", "bytes 11-19/100"}}),
      Head(206, {{"content-range", "bytes 9-19/100"}}),
      Head(206, {{"content-range", "bytes 10-20/100"}}),
      Head(206, {{"content-range", "bytes 10-9223372036854775808/*"}}),
      Head(206, {{"content-range", "bytes 99999999999999999999-9/*"}}),
      Head(206, {{"content-range", "bytes 10-19/100"}, {"content-encoding", "gzip"}}),
      Head(200, {}),
      Head(200, {{"content-length", "-1"}}),
      Head(204, {{"content-length", "100"}}),
  };
  for (const HttpResponse& head : heads) {
    RangeReader reader(10, 10);
    EXPECT_FALSE(reader.Take(head, AsBytes("0123456789")));
    EXPECT_NE(reader.Problem(head), std::nullopt);
    EXPECT_TRUE(reader.bytes().empty());
  }
  RangeReader longer(0, 4);
  const HttpResponse head = Head(206, {{"content-range", "bytes 0-3/4"}});
  EXPECT_FALSE(longer.Take(head, AsBytes("01234")));
  EXPECT_NE(longer.Problem(head), std::nullopt);
  RangeReader shorter(0, 4);
  EXPECT_TRUE(shorter.Take(head, AsBytes("012")));
  EXPECT_NE(shorter.Problem(head), std::nullopt);
}

}  // namespace
}  // namespace s3v
