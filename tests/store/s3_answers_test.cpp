// The S3 store against answers that are not what was asked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "store/s3_fixture.h"

namespace s3v {
namespace {

using ::testing::AllOf;
using testing::Answer;
using testing::ErrorOf;
using testing::Fixture;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Partial;
using testing::S3ErrorXml;
using testing::ServedAnswer;
using testing::ServedRequest;

const char* const kBody = "0123456789abcdefghij";

// --- bodies and ranges that are not what was asked for ---

TEST(S3Store, AnOversizeBodyIsRefused) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(200, std::string(1001, 'x')); });
  const Error error = ErrorOf([&] { fixture.Get("k"); });
  EXPECT_EQ(error.code(), Code::kLimitExceeded);
  EXPECT_EQ(error.message(), "object \"k\" is larger than 1000 bytes");
}

TEST(S3Store, TheWholeObjectInsteadOfARangeIsCut) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(200, kBody); });
  EXPECT_EQ(fixture.GetRange("k", 3, 4), "3456");
  EXPECT_EQ(fixture.GetRange("k", 0, 20), kBody);
  EXPECT_EQ(fixture.GetRange("k", 19, 1), "j");
  EXPECT_EQ(ErrorOf([&] { fixture.GetRange("k", 15, 6); }).code(), Code::kCorrupted);
}

TEST(S3Store, TheWholeObjectOfUnknownLengthIsNot) {
  Fixture fixture([](const ServedRequest&, int) {
    return ServedAnswer{.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n" + std::string(kBody) +
                                 "\r\n0\r\n\r\n"};
  });
  const Error error = ErrorOf([&] { fixture.GetRange("k", 3, 4); });
  EXPECT_EQ(error.code(), Code::kUnavailable);
  EXPECT_THAT(error.detail(), HasSubstr("no known length"));
}

TEST(S3Store, AnotherRangeThanAskedForIsTriedAgainThenAnError) {
  for (const char* wrong : {"bytes 4-7/20", "bytes 0-3/20", "bytes 3-7/20", "bytes */20", "bytes 3-/20", "items 3-6/20",
                            "", "bytes 6-3/20", "bytes 3-18446744073709551615/20", "bytes -3-6/20", "bytes 3-6"}) {
    Fixture fixture(
        [&](const ServedRequest&, int n) { return n < 2 ? Partial("WXYZ", wrong) : Partial("3456", "bytes 3-6/20"); });
    EXPECT_EQ(fixture.GetRange("k", 3, 4), "3456") << wrong;
    Fixture stubborn([&](const ServedRequest&, int) { return Partial("WXYZ", wrong); });
    EXPECT_EQ(ErrorOf([&] { stubborn.GetRange("k", 3, 4); }).code(), Code::kUnavailable) << wrong;
  }
}

TEST(S3Store, ARangeWithTooManyOrTooFewBytesIsRefused) {
  for (const char* body : {"34567", "345", ""}) {
    Fixture fixture([&](const ServedRequest&, int) { return Partial(body, "bytes 3-6/20"); });
    EXPECT_EQ(ErrorOf([&] { fixture.GetRange("k", 3, 4); }).code(), Code::kUnavailable) << body;
  }
}

TEST(S3Store, AnObjectThatEndsEarlyIsCorrupted) {
  Fixture cut([](const ServedRequest&, int) { return Partial("ij", "bytes 18-19/20"); });
  EXPECT_EQ(ErrorOf([&] { cut.GetRange("k", 18, 4); }).code(), Code::kCorrupted);
  Fixture beyond([](const ServedRequest&, int) { return Answer(416, S3ErrorXml("InvalidRange")); });
  EXPECT_EQ(ErrorOf([&] { beyond.GetRange("k", 30, 4); }).code(), Code::kCorrupted);
  EXPECT_EQ(beyond.server.requests().size(), 1u);
}

TEST(S3Store, AnErrorDocumentInPlaceOfARangeIsThatError) {
  Fixture once([](const ServedRequest&, int n) {
    return n == 0 ? Answer(200, S3ErrorXml("SlowDown")) : Partial("3456", "bytes 300-303/400");
  });
  EXPECT_EQ(once.GetRange("k", 300, 4), "3456");
  Fixture always([](const ServedRequest&, int) { return Answer(200, S3ErrorXml("SlowDown")); });
  const Error error = ErrorOf([&] { always.GetRange("k", 300, 4); });
  EXPECT_EQ(error.code(), Code::kUnavailable);
  EXPECT_THAT(error.detail(), HasSubstr("code SlowDown in a success"));
}

TEST(S3Store, AnEncodedBodyIsRefused) {
  Fixture fixture([](const ServedRequest& request, int) {
    const bool ranged = request.headers.contains("range");
    return Answer(ranged ? 206 : 200, "3456",
                  std::string("Content-Encoding: gzip\r\n") + (ranged ? "Content-Range: bytes 3-6/20\r\n" : ""));
  });
  EXPECT_EQ(ErrorOf([&] { fixture.Get("k"); }).code(), Code::kUnavailable);
  EXPECT_EQ(ErrorOf([&] { fixture.GetRange("k", 3, 4); }).code(), Code::kUnavailable);
}

// --- listings and deletes ---

std::string ListXml(const std::string& contents, const std::string& more = "<IsTruncated>false</IsTruncated>") {
  return "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" + more +
         contents + "</ListBucketResult>";
}

std::string ObjectXml(const std::string& key, const std::string& date = "2024-02-29T12:00:00.000Z") {
  return "<Contents><Key>" + key + "</Key><LastModified>" + date + "</LastModified><Size>7</Size></Contents>";
}

TEST(S3Store, ListsUrlEncodedAndPlainKeys) {
  for (const auto& [written, more] : {std::pair{"pre/fix/a%20b%2Bc+%26/%C3%A9", "<EncodingType>url</EncodingType>"},
                                      std::pair{"pre/fix/a b+c &amp;/\xc3\xa9", ""}}) {
    Fixture fixture([&](const ServedRequest&, int) {
      return Answer(200, ListXml(ObjectXml(written) + ObjectXml("elsewhere/x"),
                                 std::string(more) + "<IsTruncated>false</IsTruncated>"));
    });
    const std::vector<ObjectInfo> found = fixture.store->List("a", fixture.never);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].key, "a b+c &/\xc3\xa9");
    EXPECT_EQ(found[0].size, 7u);
    EXPECT_EQ(found[0].modified, 1709208000);
    EXPECT_EQ(fixture.server.requests().at(0).target,
              "/bucket/?encoding-type=url&list-type=2&max-keys=1000&prefix=pre%2Ffix%2Fa");
  }
}

TEST(S3Store, ListGoesThroughPagesAndNoticesACircle) {
  Fixture fixture([](const ServedRequest& request, int n) {
    const bool last = n == 2;
    const std::string token = n > 0 ? "continuation-token=t%2F" + std::to_string(n) : "";
    EXPECT_THAT(request.target, HasSubstr(token));
    return Answer(200, ListXml(ObjectXml("pre/fix/" + std::to_string(9 - n)),
                               last ? "<IsTruncated>false</IsTruncated>"
                                    : "<IsTruncated>true</IsTruncated><NextContinuationToken>t/" +
                                          std::to_string(n + 1) + "</NextContinuationToken>"));
  });
  const std::vector<ObjectInfo> found = fixture.store->List("", fixture.never);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].key, "7");
  EXPECT_EQ(fixture.store->counters().put_requests, 3u);

  Fixture circle([](const ServedRequest&, int) {
    return Answer(200, ListXml("", "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"));
  });
  EXPECT_EQ(ErrorOf([&] { circle.store->List("", circle.never); }).code(), Code::kUnavailable);
}

TEST(S3Store, AListThatMakesNoSenseIsAnError) {
  const std::string good = ObjectXml("pre/fix/a");
  for (const std::string& body :
       {std::string(""), std::string("no xml"), std::string("<html/>"), ListXml(good, ""), ListXml("<Contents/>"),
        ListXml(ObjectXml("")), ListXml(ObjectXml("pre/fix/a", "yesterday")), ListXml(ObjectXml("pre/fix/a", "")),
        ListXml(good, "<IsTruncated>true</IsTruncated>"),
        ListXml(ObjectXml("a%zz"), "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"),
        ListXml(good).substr(0, 200)}) {
    Fixture fixture([&](const ServedRequest&, int) { return Answer(200, body); });
    EXPECT_EQ(ErrorOf([&] { fixture.store->List("", fixture.never); }).code(), Code::kUnavailable) << body;
  }
}

TEST(S3Store, HostileXmlIsNoList) {
  const std::string entities =
      "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY f SYSTEM "
      "\"file:///etc/passwd\">]>";
  Fixture fixture([&](const ServedRequest&, int) {
    const std::string list = ListXml(ObjectXml("pre/fix/&b;&f;"));
    return Answer(200, entities + list.substr(list.find("?>") + 2));
  });
  // Entities stay as they are written: nothing grows and nothing is read.
  EXPECT_EQ(fixture.store->List("", fixture.never).at(0).key, "&b;&f;");

  Fixture deep([](const ServedRequest&, int) {
    std::string body = "<ListBucketResult>";
    for (int i = 0; i < 500'000; ++i) body += "<a>";
    return Answer(200, body);
  });
  EXPECT_EQ(ErrorOf([&] { deep.store->List("", deep.never); }).code(), Code::kUnavailable);
}

TEST(S3Store, DeletesInBatchesOfAThousand) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(200, "<DeleteResult/>"); });
  std::vector<ObjectKey> keys;
  for (int i = 0; i < 2001; ++i) keys.push_back("k&" + std::to_string(i));
  fixture.store->Delete(keys, fixture.never);
  const std::vector<ServedRequest> requests = fixture.server.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].target, "/bucket/?delete=");
  EXPECT_EQ(requests[0].headers.at("content-md5").size(), 24u);
  EXPECT_THAT(requests[0].body, HasSubstr("<Object><Key>pre/fix/k&amp;0</Key></Object>"));
  EXPECT_THAT(requests[2].body, AllOf(HasSubstr("k&amp;2000<"), Not(HasSubstr("k&amp;1999<"))));
  EXPECT_EQ(fixture.store->counters().delete_requests, 3u);
}

TEST(S3Store, KeysThatCouldNotBeDeletedAreErrors) {
  const auto failing = [](const char* code) {
    return "<DeleteResult><Error><Key>pre/fix/k</Key><Code>" + std::string(code) +
           "</Code><Message>not for messages</Message></Error></DeleteResult>";
  };
  const std::vector<ObjectKey> keys = {"k"};
  Fixture denied([&](const ServedRequest&, int) { return Answer(200, failing("AccessDenied")); });
  const Error error = ErrorOf([&] { denied.store->Delete(keys, denied.never); });
  EXPECT_EQ(error.code(), Code::kPermissionDenied);
  EXPECT_THAT(error.message(), HasSubstr("\"pre/fix/k\""));

  Fixture passing([&](const ServedRequest&, int n) {
    return Answer(200, n == 0 ? failing("InternalError") : std::string("<DeleteResult/>"));
  });
  passing.store->Delete(keys, passing.never);
  EXPECT_EQ(passing.server.requests().size(), 2u);

  Fixture gone([&](const ServedRequest&, int) { return Answer(200, failing("NoSuchKey")); });
  gone.store->Delete(keys, gone.never);

  Fixture nonsense([&](const ServedRequest&, int) { return Answer(200, "<html/>"); });
  EXPECT_EQ(ErrorOf([&] { nonsense.store->Delete(keys, nonsense.never); }).code(), Code::kUnavailable);
}

TEST(S3Store, ServersTextsAreMadeFitForMessages) {
  Fixture fixture([](const ServedRequest&, int) {
    return Answer(400, "<Error><Code>Bad\nCode\xff<![CDATA[<b>]]></Code><RequestId>" + std::string(500, 'r') +
                           "</RequestId></Error>");
  });
  const Error error = ErrorOf([&] { fixture.Get("k"); });
  EXPECT_THAT(error.detail(), AllOf(HasSubstr("code Bad?Code?"), Not(HasSubstr("\n")), Not(HasSubstr("\xff"))));
  EXPECT_LT(error.detail().size(), 300u);
}

}  // namespace
}  // namespace s3v
