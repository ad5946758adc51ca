#include "store/s3_xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace s3v {
namespace {

using ::testing::HasSubstr;

const char kList[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
    "<Name>b</Name><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated>"
    "<NextContinuationToken>1/x==</NextContinuationToken><EncodingType>url</EncodingType>"
    "<Contents><Key>a%2Bb+c</Key><LastModified>1970-01-02T00:00:01.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
    "<Size>18446744073709551615</Size></Contents>"
    "<Contents><Key>d</Key><LastModified>2100-03-01T00:00:00Z</LastModified><Size>0</Size></Contents>"
    "</ListBucketResult>";

TEST(S3Xml, List) {
  const std::optional<S3ListPage> page = ParseS3List(AsBytes(kList));
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->is_truncated);
  EXPECT_EQ(page->next_token, "1/x==");
  ASSERT_EQ(page->objects.size(), 2u);
  EXPECT_EQ(page->objects[0].key, "a+b c");
  EXPECT_EQ(page->objects[0].size, 18446744073709551615u);
  EXPECT_EQ(page->objects[0].modified, 86401);
  EXPECT_EQ(page->objects[1].modified, 4107542400);
}

TEST(S3Xml, Error) {
  const auto error = ParseS3Error(AsBytes(
      "<Error><Code>NoSuchKey</Code><Message>m</Message><RequestId>R1</RequestId><Region>eu-west-1</Region></Error>"));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "NoSuchKey");
  EXPECT_EQ(error->request_id, "R1");
  EXPECT_EQ(error->region, "eu-west-1");
  EXPECT_EQ(ParseS3Error(AsBytes("<Error/>"))->code, "unknown");
  EXPECT_FALSE(ParseS3Error(AsBytes("<html><body>Bad Gateway</body></html>")));
  EXPECT_FALSE(ParseS3Error({}));
}

TEST(S3Xml, DeleteRoundTrip) {
  const std::vector<std::string> keys = {"a&b<c>\"d'", " blank ", "\xc3\xa9"};
  const std::string body = WriteS3Delete(keys);
  EXPECT_THAT(body, HasSubstr("<Quiet>true</Quiet>"));
  EXPECT_THAT(body, HasSubstr("<Key>a&amp;b&lt;c&gt;"));
  EXPECT_THAT(body, HasSubstr("<Key> blank </Key>"));
  const auto failures =
      ParseS3DeleteResult(AsBytes("<DeleteResult><Error><Key> blank "
                                  "</Key><Code>AccessDenied</Code></Error><Error><Key>b</Key></Error></DeleteResult>"));
  ASSERT_TRUE(failures);
  ASSERT_EQ(failures->size(), 2u);
  EXPECT_EQ((*failures)[0].key, " blank ");
  EXPECT_EQ((*failures)[0].code, "AccessDenied");
  EXPECT_TRUE(ParseS3DeleteResult(AsBytes("<DeleteResult/>"))->empty());
  EXPECT_FALSE(ParseS3DeleteResult(AsBytes("<Other/>")));
}

TEST(S3Xml, FitForMessage) {
  EXPECT_EQ(FitForMessage("NoSuchKey"), "NoSuchKey");
  EXPECT_EQ(FitForMessage("a b\n\"'\xff%"), "a?b?????");
  EXPECT_EQ(FitForMessage(std::string(100, 'x')).size(), 64u);
}

// Bytes of a hostile server: an answer or none, never more. (What counts here is the sanitizers' silence.)
TEST(S3Xml, SurvivesMutations) {
  Random random(5);
  const std::string list = kList;
  size_t understood = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string mutated = list;
    for (uint64_t change = random.Below(4) + 1; change > 0; --change) {
      const size_t at = random.Below(mutated.size());
      switch (random.Below(3)) {
        case 0:
          mutated[at] = static_cast<char>(random.Below(256));
          break;
        case 1:
          mutated.erase(at, random.Below(20));
          break;
        default:
          mutated.insert(at, mutated.substr(random.Below(mutated.size()), random.Below(40)));
      }
      if (mutated.empty()) mutated = "<";
    }
    understood += ParseS3List(AsBytes(mutated)).has_value();
    ParseS3Error(AsBytes(mutated));
    ParseS3DeleteResult(AsBytes(mutated));
  }
  EXPECT_GT(understood, 100u);
  EXPECT_LT(understood, 19'000u);
}

}  // namespace
}  // namespace s3v
