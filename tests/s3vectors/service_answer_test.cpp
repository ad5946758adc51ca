#include "s3vectors/service_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace s3v {
namespace {

ServiceFault Fault(const std::string& body, const Headers& headers = {}) {
  HttpResponse response;
  response.status = 400;
  response.headers = headers;
  response.body.assign(body.begin(), body.end());
  static const std::string kSecrets[] = {"s3cret", "", std::string(1000, 't')};
  return ReadFault(response, kSecrets);
}

TEST(ServiceAnswer, TheCodeIsTakenFromTheHeaderThenFromTheBody) {
  const std::string all = R"({"code":"FromCode","__type":"a.b#FromType","message":"m"})";
  EXPECT_EQ(Fault(all, {{"x-amzn-errortype", "FromHeader"}}).code, "FromHeader");
  EXPECT_EQ(Fault(all).code, "FromCode");
  EXPECT_EQ(Fault(R"({"__type":"com.amazon.s3vectors#NotFoundException"})").code, "NotFoundException");
  EXPECT_EQ(Fault(R"({"code":7,"__type":"NotFoundException:"})").code, "NotFoundException");
  EXPECT_EQ(Fault(R"({"code":null,"message":null})").code, "");
}

TEST(ServiceAnswer, TheCodeIsCutToItsName) {
  for (const char* header :
       {"ValidationException", "ValidationException:http://internal.amazon.com/coral/com.amazon.coral.validate/",
        "aws.protocoltests#ValidationException", "aws.protocoltests#ValidationException:http://x#y"}) {
    EXPECT_EQ(Fault("{}", {{"x-amzn-errortype", header}}).code, "ValidationException") << header;
  }
  EXPECT_EQ(Fault(R"({"code":"Real"})", {{"x-amzn-errortype", ":http://x"}}).code, "Real");
}

TEST(ServiceAnswer, ErrorsInOtherFormsHaveNoCode) {
  for (const char* body :
       {"", "<html><body>502 Bad Gateway</body></html>", "[]", "null", "7", "\"text\"", "{", "{\"code\":", "\x00\xff",
        R"({"type":"about:blank","title":"Not Found","status":404,"detail":"gone"})"}) {
    const ServiceFault fault = Fault(body);
    EXPECT_EQ(fault.code, "") << body;
    EXPECT_EQ(fault.message, "") << body;
    EXPECT_EQ(fault.fields, "") << body;
  }
}

TEST(ServiceAnswer, AnErrorInTheWordsOfS3Counts) {
  EXPECT_EQ(Fault("<?xml version=\"1.0\"?><Error><Code>InvalidAccessKeyId</Code><Message>no</Message></Error>").code,
            "InvalidAccessKeyId");
}

TEST(ServiceAnswer, MessagesAndFields) {
  const ServiceFault fault = Fault(
      R"({"message":"1 validation error detected.","fieldList":[
          {"path":"/dimension","message":"Member must be between 1 and 4096, inclusive"},
          {"path":"/x","message":"no."}, "nonsense", {"path":5}]})",
      {{"x-amzn-requestid", "REQ-1"}});
  EXPECT_EQ(fault.message, "1 validation error detected");
  EXPECT_EQ(fault.fields, "/dimension: Member must be between 1 and 4096, inclusive; /x: no");
  EXPECT_EQ(fault.request_id, "REQ-1");
  EXPECT_EQ(Fault(R"({"Message":"with a capital"})").message, "with a capital");
  EXPECT_EQ(Fault("{}", {{"x-amz-request-id", "REQ 2"}}).request_id, "REQ?2");
}

TEST(ServiceAnswer, ASentenceIsOneLineOfFitLength) {
  EXPECT_EQ(FitSentence("The specified index could not be found"), "The specified index could not be found");
  EXPECT_EQ(FitSentence("one.\n\nThe Canonical String should have been 'x-amz-security-token:abc'"), "one");
  EXPECT_EQ(FitSentence("a\tb\x1b[31m\xc3\xa4"), "a?b?[31m??");
  EXPECT_EQ(FitSentence(std::string(1000, 'x')), std::string(300, 'x') + "...");
  EXPECT_EQ(FitSentence(""), "");
}

TEST(ServiceAnswer, VectorsAreLeftOut) {
  EXPECT_EQ(FitSentence("Value '[0.1, 1,-2.5e-3]' at '/queryVector'"), "Value '...' at '/queryVector'");
  EXPECT_EQ(FitSentence("bad: 0.1, 0.2, 0.3"), "bad: ...");
  EXPECT_EQ(FitSentence("float32:[0.5,0.25,0.125] end"), "float32:... end");
  EXPECT_EQ(FitSentence("v=[[1, 2, 3], [4, 5, 6]]; x"), "v=...; x");
  EXPECT_EQ(FitSentence("1, 2, 3"), "...");
  EXPECT_EQ(FitSentence("satisfy enum value set: [euclidean, cosine]"), "satisfy enum value set: [euclidean, cosine]");
  EXPECT_EQ(FitSentence("length 5, but has length 1"), "length 5, but has length 1");
  EXPECT_EQ(FitSentence("between 1 and 4096, inclusive"), "between 1 and 4096, inclusive");
}

TEST(ServiceAnswer, SecretsAreMadeUnreadable) {
  const std::string token(1000, 't');
  const ServiceFault fault = Fault(
      R"({"message":"a s3cret and s3cret, )" + token + R"(","fieldList":[{"path":"/s3cret","message":"s3cret"}]})",
      {{"x-amzn-errortype", "s3cret"}, {"x-amzn-requestid", token}});
  EXPECT_EQ(fault.message, "a ... and ..., ...");
  EXPECT_EQ(fault.fields, "/...: ...");
  EXPECT_EQ(fault.code, "...");
  EXPECT_EQ(fault.request_id, "...");
}

TEST(ServiceAnswer, WhenToComeBack) {
  const auto wish = [](const std::string& value) {
    HttpResponse response;
    response.headers = {{"x-amz-retry-after", value}};
    return AmzRetryAfter(response);
  };
  EXPECT_EQ(wish("1500"), 1500);
  EXPECT_EQ(wish("0"), 0);
  for (const char* value : {"", "-1", "1.5", "soon", "99999999999999999999"}) EXPECT_EQ(wish(value), std::nullopt);
  EXPECT_EQ(AmzRetryAfter(HttpResponse()), std::nullopt);
}

TEST(ServiceAnswer, ObjectsByTheirLooks) {
  for (const char* text : {"{}", " {\"a\":1}\r\n", "\t{}"}) EXPECT_TRUE(LooksLikeJsonObject(AsBytes(text))) << text;
  for (const char* text : {"", " ", "{", "}", "{\"a\":[1,2", "[]", "null", "<html>{}</html>"}) {
    EXPECT_FALSE(LooksLikeJsonObject(AsBytes(text))) << text;
  }
}

}  // namespace
}  // namespace s3v
