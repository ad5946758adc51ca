// Updates through the wall.
#include <gmock/gmock.h>

#include "api/journey.h"

namespace {

using s3v::testing::Journey;

class UpdateJourney : public Journey {
 protected:
  s3v_update* Open(const s3v_build_options& options, int optimize = 0) {
    const s3v_version_names names = Names();
    s3v_update* update = nullptr;
    code_ = s3v_update_open(&server_.env, store_, &names, &options, optimize, &update, &err_);
    return update;
  }

  s3v_code Put(s3v_update* update, const std::string& key, int row) {
    std::string metadata(1, S3V_TAG_INTEGER);
    const int64_t value = row;
    metadata.append(reinterpret_cast<const char*>(&value), sizeof value);
    return s3v_update_put(update, key.data(), key.size(), Vector(row).data(), metadata.data(), metadata.size(), &err_);
  }

  // Rows that have to be read again come from the source, which has all rows but those not in [0, rows).
  s3v_update_result PlanAndFinish(s3v_update* update) {
    EXPECT_EQ(s3v_update_plan(update, &err_), S3V_OK) << err_.message;
    for (;;) {
      const void* key = nullptr;
      size_t size = 0;
      EXPECT_EQ(s3v_update_take(update, &key, &size, &err_), S3V_OK) << err_.message;
      if (key == nullptr) break;
      const std::string copy(static_cast<const char*>(key), size);
      ++taken_;
      const int row = static_cast<uint8_t>(copy[6]) << 8 | static_cast<uint8_t>(copy[7]);
      EXPECT_EQ(Put(update, copy, row), S3V_OK) << err_.message;
    }
    s3v_update_result result{};
    EXPECT_EQ(s3v_update_finish(update, &result, &err_), S3V_OK) << err_.message;
    s3v_update_free(update);
    if (result.changed != 0) version_ = result.version;
    return result;
  }

  s3v_code code_ = S3V_OK;
  int taken_ = 0;
};

TEST_F(UpdateJourney, RowsComeAndGo) {
  ASSERT_EQ(Build(1000), S3V_OK);
  s3v_update* update = Open(Options());
  ASSERT_EQ(code_, S3V_OK) << err_.message;
  for (int row = 0; row < 10; ++row)
    ASSERT_EQ(s3v_update_remove(update, Key(row).data(), 8, &err_), S3V_OK) << err_.message;
  for (int row = 1000; row < 4000; ++row) ASSERT_EQ(Put(update, Key(row), row), S3V_OK) << err_.message;
  s3v_update_result result = PlanAndFinish(update);
  EXPECT_EQ(result.changed, 1);
  EXPECT_EQ(result.rows_put, 3000U);
  EXPECT_EQ(result.rows_removed, 10U);
  EXPECT_EQ(result.version.rows, 3990U);
  EXPECT_GT(taken_, 0) << "lists were split";
  EXPECT_LT(result.version.bytes_written, 4U << 20);
  EXPECT_TRUE(server_.phases.contains("assigning"));
  EXPECT_TRUE(server_.phases.contains("looking up"));
  s3v_search_options options{};
  options.k = 3;
  EXPECT_THAT(Search(3500.2F, options, 3), ::testing::ElementsAre(3500, 3501, 3499));
  EXPECT_THAT(Search(0, options, 3), ::testing::ElementsAre(10, 11, 12));

  result = PlanAndFinish(Open(Options()));
  EXPECT_EQ(result.changed, 0);
  EXPECT_EQ(result.version.rows, 0U);
}

TEST_F(UpdateJourney, OptimizeRewritesWhatIsFresh) {
  ASSERT_EQ(Build(1000), S3V_OK);
  s3v_update* update = Open(Options());
  ASSERT_EQ(Put(update, Key(2000), 2000), S3V_OK);
  EXPECT_EQ(PlanAndFinish(update).version.segments, 2U);
  EXPECT_EQ(version_.delta_count, 1U);
  EXPECT_EQ(PlanAndFinish(Open(Options(), 1)).version.segments, 1U);
  EXPECT_EQ(PlanAndFinish(Open(Options(), 1)).changed, 0);
}

TEST_F(UpdateJourney, WhatDoesNotFitIsRefused) {
  ASSERT_EQ(Build(100), S3V_OK);
  s3v_build_options options = Options();
  options.metric = S3V_COSINE;
  Open(options);
  EXPECT_EQ(code_, S3V_INVALID_ARGUMENT);
  EXPECT_STREQ(err_.message, "the version has another metric");
  options = Options();
  options.dimensions = 3;
  Open(options);
  EXPECT_EQ(code_, S3V_INVALID_ARGUMENT);
  options = Options();
  options.key_kind = S3V_KEY_TEXT;
  Open(options);
  EXPECT_EQ(code_, S3V_INVALID_ARGUMENT);
  options = Options();
  options.metadata_column_count = 0;
  Open(options);
  EXPECT_EQ(code_, S3V_INVALID_ARGUMENT);
  server_.env.spill_create = nullptr;
  Open(Options());
  EXPECT_EQ(code_, S3V_INVALID_ARGUMENT);
}

TEST_F(UpdateJourney, EndsWhenAskedTo) {
  ASSERT_EQ(Build(1000), S3V_OK);
  s3v_update* update = Open(Options());
  for (int row = 1000; row < 1100; ++row) ASSERT_EQ(Put(update, Key(row), row), S3V_OK);
  server_.polls_until_stop = 0;
  EXPECT_EQ(s3v_update_plan(update, &err_), S3V_CANCELLED);
  server_.polls_until_stop = -1;
  s3v_update_free(update);
}

}  // namespace
