#include "store/store_url.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace s3v {
namespace {

TEST(StoreUrl, TellsItsParts) {
  EXPECT_EQ(ParseStoreUrl("file:///srv/s3v/").directory, "/srv/s3v");
  const StoreUrl relative = ParseStoreUrl("file://./s3v/objects");
  EXPECT_TRUE(relative.is_relative);
  EXPECT_EQ(relative.directory, "s3v/objects");
  const StoreUrl s3 = ParseStoreUrl("s3://my.bucket-1/a/b c/");
  EXPECT_EQ(s3.kind, StoreUrl::Kind::kS3);
  EXPECT_EQ(s3.bucket, "my.bucket-1");
  EXPECT_EQ(s3.prefix, "a/b c");
  EXPECT_EQ(ParseStoreUrl("s3://bucket").prefix, "");
  EXPECT_EQ(ParseStoreUrl("memory://x").name, "x");
  for (const std::string& name : {std::string("my-vectors-1"), std::string("3vs"), std::string(63, 'v')}) {
    for (const char* end : {"", "/"}) {
      const StoreUrl service = ParseStoreUrl("s3vectors://" + name + end);
      EXPECT_EQ(service.kind, StoreUrl::Kind::kS3Vectors);
      EXPECT_EQ(service.bucket, name);
      EXPECT_EQ(service.prefix, "");
    }
  }
}

TEST(StoreUrl, RefusesWhatItCannotMeanExactly) {
  for (const std::string& url : {std::string(""),
                                 std::string("bucket"),
                                 std::string("http://bucket"),
                                 std::string("S3://bucket"),
                                 std::string("s3:bucket"),
                                 std::string("s3://"),
                                 std::string("s3:///prefix"),
                                 std::string("s3://ab"),
                                 std::string("s3://-bucket"),
                                 std::string("s3://bucket-"),
                                 std::string("s3://buc..ket"),
                                 std::string("s3://buc ket"),
                                 std::string("s3://user@bucket"),
                                 std::string("s3://bucket:80"),
                                 std::string("s3://bucket?endpoint=evil"),
                                 std::string("s3://bucket/a?s3_endpoint=169.254.169.254"),
                                 std::string("s3://bucket/a#b"),
                                 std::string("s3://bucket/%2e%2e"),
                                 std::string("s3://bucket/../other"),
                                 std::string("s3://bucket/./a"),
                                 std::string("s3://bucket//a"),
                                 std::string("s3://bucket/a//b"),
                                 std::string("s3://bucket/a\r\nb"),
                                 std::string("s3://bucket/a\0b", 15),
                                 "s3://bucket/" + std::string(121, 'p'),
                                 "s3://" + std::string(64, 'b'),
                                 std::string("s3vectors:bucket"),
                                 std::string("S3Vectors://bucket"),
                                 std::string("s3vectors://"),
                                 std::string("s3vectors:///"),
                                 std::string("s3vectors://bucket//"),
                                 std::string("s3vectors://bucket/prefix"),
                                 std::string("s3vectors://bucket/index/a"),
                                 std::string("s3vectors://my.bucket"),
                                 std::string("s3vectors://my_bucket"),
                                 std::string("s3vectors://Bucket"),
                                 std::string("s3vectors://ab"),
                                 std::string("s3vectors://-bucket"),
                                 std::string("s3vectors://bucket-"),
                                 std::string("s3vectors://buc ket"),
                                 std::string("s3vectors://b\xc3\xbc"
                                             "cket"),
                                 std::string("s3vectors://user@bucket"),
                                 std::string("s3vectors://bucket:80"),
                                 std::string("s3vectors://bucket?x=y"),
                                 std::string("s3vectors://bucket#x"),
                                 std::string("s3vectors://bucket%2f"),
                                 std::string("s3vectors://buc\0ket", 19),
                                 std::string("s3vectors://bucket\n"),
                                 "s3vectors://" + std::string(64, 'b'),
                                 std::string("file://"),
                                 std::string("file:///"),
                                 std::string("file://host/dir"),
                                 std::string("file:///a/../etc"),
                                 std::string("file:///a//b"),
                                 std::string("file://./"),
                                 std::string("file://./../x"),
                                 std::string("file://../x"),
                                 std::string("file://dir"),
                                 std::string("file:///a\nb"),
                                 std::string("file://./a?b")}) {
    try {
      ParseStoreUrl(url);
      ADD_FAILURE() << url;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument) << url;
      EXPECT_FALSE(error.hint().empty()) << url;
    }
  }
}

TEST(StoreUrl, TheHintTellsTheFormOfAVectorBucket) {
  for (const char* url : {"s3vectors://my.bucket", "s3vectors://bucket/prefix", "gs://bucket"}) {
    try {
      ParseStoreUrl(url);
      ADD_FAILURE() << url;
    } catch (const Error& error) {
      EXPECT_NE(error.hint().find("s3vectors://vector-bucket"), std::string::npos) << url;
    }
  }
}

}  // namespace
}  // namespace s3v
