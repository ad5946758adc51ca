#include "api/guard.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

extern "C" int s3v_header_check(void);

namespace s3v {
namespace {

TEST(Guard, HeaderIsPlainC) { EXPECT_EQ(s3v_header_check(), 1); }

TEST(Guard, EveryExceptionBecomesACode) {
  s3v_error err{};
  EXPECT_EQ(Guarded(&err, [] {}), S3V_OK);
  EXPECT_EQ(Guarded(&err, [] { throw Error(Code::kConflict, "message", "detail", "hint"); }), S3V_CONFLICT);
  EXPECT_EQ(err.code, S3V_CONFLICT);
  EXPECT_STREQ(err.message, "message");
  EXPECT_STREQ(err.detail, "detail");
  EXPECT_STREQ(err.hint, "hint");
  EXPECT_EQ(Guarded(&err, [] { throw std::bad_alloc(); }), S3V_OUT_OF_MEMORY);
  EXPECT_STREQ(err.message, "out of memory");
  EXPECT_STREQ(err.detail, "") << "nothing is left of the error before";
  EXPECT_EQ(Guarded(&err, [] { throw std::runtime_error("what"); }), S3V_INTERNAL);
  EXPECT_STREQ(err.message, "what");
  EXPECT_EQ(Guarded(&err, [] { throw 42; }), S3V_INTERNAL);
  EXPECT_EQ(Guarded(nullptr, [] { throw 42; }), S3V_INTERNAL);
}

TEST(Guard, CodesOfBothSidesAreTheSame) {
  EXPECT_EQ(static_cast<int>(Code::kOk), S3V_OK);
  EXPECT_EQ(static_cast<int>(Code::kInvalidArgument), S3V_INVALID_ARGUMENT);
  EXPECT_EQ(static_cast<int>(Code::kNotSupported), S3V_NOT_SUPPORTED);
  EXPECT_EQ(static_cast<int>(Code::kObjectMissing), S3V_OBJECT_MISSING);
  EXPECT_EQ(static_cast<int>(Code::kUnavailable), S3V_UNAVAILABLE);
  EXPECT_EQ(static_cast<int>(Code::kPermissionDenied), S3V_PERMISSION_DENIED);
  EXPECT_EQ(static_cast<int>(Code::kCorrupted), S3V_CORRUPTED);
  EXPECT_EQ(static_cast<int>(Code::kCancelled), S3V_CANCELLED);
  EXPECT_EQ(static_cast<int>(Code::kOutOfMemory), S3V_OUT_OF_MEMORY);
  EXPECT_EQ(static_cast<int>(Code::kLimitExceeded), S3V_LIMIT_EXCEEDED);
  EXPECT_EQ(static_cast<int>(Code::kConflict), S3V_CONFLICT);
  EXPECT_EQ(static_cast<int>(Code::kIoError), S3V_IO_ERROR);
  EXPECT_EQ(static_cast<int>(Code::kDiskFull), S3V_DISK_FULL);
  EXPECT_EQ(static_cast<int>(Code::kInternal), S3V_INTERNAL);
  EXPECT_EQ(static_cast<int>(Code::kStoreMissing), S3V_STORE_MISSING);
}

TEST(Guard, LongTextsAreCutAtACharacter) {
  const std::string euro = "\xe2\x82\xac";
  for (size_t before = 1015; before <= 1030; ++before) {
    s3v_error err{};
    FillError(&err, S3V_INTERNAL, std::string(before, 'x') + euro + euro + euro + euro);
    const std::string message = err.message;
    ASSERT_LE(message.size(), 1023U);
    ASSERT_GE(message.size(), std::min<size_t>(before, 1021));
    const size_t whole = message.size() - std::min(before, message.size());
    EXPECT_EQ(whole % 3, 0U) << before;
  }
  s3v_error err{};
  FillError(&err, S3V_INTERNAL, std::string(1023, 'x'));
  EXPECT_EQ(std::string(err.message).size(), 1023U) << "what fits is not cut";
}

}  // namespace
}  // namespace s3v
