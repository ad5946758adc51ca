// Whatever allocation fails while an answer of Amazon S3 Vectors is taken apart, or a request put together: it is told
// as such or does no harm, nothing leaks, and the process goes on.
#include <gtest/gtest.h>

#include <functional>
#include <new>
#include <string>
#include <string_view>

#include "memory/failing_new.h"
#include "s3vectors/index_calls.h"
#include "s3vectors/service_answer.h"

namespace s3v {
namespace {

using testing::BeginShortage;
using testing::EndShortage;
using testing::LiveAllocations;
using testing::Shortage;

// `call` answers whether all was as it should be.
void Walk(const std::function<bool()>& call) {
  ASSERT_TRUE(call());
  const int64_t live = LiveAllocations();
  BeginShortage(UINT64_MAX - 1, Shortage::kOnce);
  ASSERT_TRUE(call());
  const uint64_t asked = EndShortage();
  ASSERT_GT(asked, 5U);
  for (const Shortage how : {Shortage::kOnce, Shortage::kFromThere}) {
    for (uint64_t n = 0; n < asked; ++n) {
      bool refused = false, right = false;
      BeginShortage(n, how);
      try {
        right = call();
      } catch (const std::bad_alloc&) {
        refused = true;
      }
      EndShortage();
      EXPECT_TRUE(refused || right) << "allocation " << n;
      ASSERT_EQ(LiveAllocations(), live) << "allocation " << n << " leaks";
    }
  }
}

Bytes BytesOf(std::string_view text) { return {text.begin(), text.end()}; }

TEST(ServiceAnswers, SurviveAShortage) {
  const ServiceCall call{
      .operation = Operation::kListIndexes,
      .answer = BytesOf(R"({"indexes":[{"indexName":"one of a name that is long","creationTime":1795273899.5,)"
                        R"("metadataConfiguration":{"nonFilterableMetadataKeys":["a","b"]}},{"n":[[{}],1.5,true]}]})")};
  Walk([&] {
    const JsonValue answer = ReadAnswer(call);
    const JsonValue* indexes = answer.Find("indexes", JsonValue::Type::kArray);
    return indexes != nullptr && indexes->elements.size() == 2 && CreationTimeOf(indexes->elements[0]) == 1795273899;
  });
}

TEST(ServiceAnswers, RefusalsSurviveAShortage) {
  HttpResponse response;
  response.status = 400;
  response.headers.emplace_back("x-amzn-errortype", "ValidationException");
  response.body = BytesOf(R"({"message":"The vectors are not what they should be",)"
                          R"("fieldList":[{"path":"data","message":"has 3 dimensions, wants 4"},{"path":{}}]})");
  const std::vector<std::string> secrets = {"a secret that is long enough"};
  Walk([&] {
    const ServiceFault fault = ReadFault(response, secrets);
    return fault.code == "ValidationException" && fault.fields == "data: has 3 dimensions, wants 4";
  });
}

TEST(ServiceAnswers, RequestsSurviveAShortage) {
  const std::vector<std::string> names = {"a column of a long name", "b"};
  Walk([&] {
    const JsonValue request = JsonValue::WithMembers(
        {{"prefix", JsonValue::Text("of a name that is long")},
         {"metadataConfiguration", JsonValue::WithMembers({{"keys", JsonValue::TextArray(names)}})}});
    return WriteJson(request) ==
           R"({"metadataConfiguration":{"keys":["a column of a long name","b"]},"prefix":"of a name that is long"})";
  });
}

}  // namespace
}  // namespace s3v
