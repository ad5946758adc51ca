#include "s3vectors/cost.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "api/s3v_remote_c.h"

namespace s3v {
namespace {

// As published for us-east-1.
constexpr RemotePrices kPrices = {.stored_gb_month = 0.06,
                                  .put_gb = 0.20,
                                  .query = 2.5e-6,
                                  .processed_tb_first = 0.004,
                                  .processed_tb_middle = 0.002,
                                  .processed_tb_last = 0.0004,
                                  .returned_gb = 0.01};
// 1024 dimensions, 100 bytes of key and filterable metadata.
constexpr RemoteVectorBytes kBytes = {.searched = 4196, .stored = 4196};

double PerMillion(double vectors) {
  const RemoteQueryCost cost = QueryCost(kPrices, vectors, kBytes, 10, 0);
  EXPECT_EQ(cost.returned, 0);
  return 1e6 * (cost.request + cost.processed);
}

TEST(RemoteCost, HasTheCheckValuesOfAMillionQueries) {
  const auto cents = [](double dollars) { return std::round(dollars * 100); };
  EXPECT_EQ(cents(PerMillion(1e5)), 403);
  EXPECT_EQ(cents(PerMillion(1e6)), 1090);
  EXPECT_EQ(cents(PerMillion(1e7)), 7959);
  EXPECT_EQ(cents(PerMillion(1e8)), 21697);
}

TEST(RemoteCost, ChargesEachSliceOfVectorsAtItsOwnRate) {
  EXPECT_DOUBLE_EQ(PerMillion(0), 2.5);
  const double one = 4196e6 / std::exp2(40);
  EXPECT_NEAR(PerMillion(1e5) - PerMillion(1e5 - 1), one * 0.004, 1e-9);
  EXPECT_NEAR(PerMillion(1e5 + 1) - PerMillion(1e5), one * 0.002, 1e-9);
  EXPECT_NEAR(PerMillion(1e7 + 1) - PerMillion(1e7), one * 0.0004, 1e-9);
}

TEST(RemoteCost, ReproducesThePublishedExampleToTwoCents) {
  // 40 indexes of 250,000 vectors, 4 KB + 1 KB filterable + 1 KB other + 0.17 KB key, a sixth rewritten, a million
  // queries of one index each.
  const double kb = 1024;
  const RemoteVectorBytes bytes = {.searched = 5.17 * kb, .stored = 6.17 * kb};
  const RemoteQueryCost query = QueryCost(kPrices, 250000, bytes, 10, 0);
  const double total = 40 * StorageCost(kPrices, 250000, bytes) + PutCost(kPrices, 1e7 / 6 * bytes.stored, 1) +
                       1e6 * (query.request + query.processed);
  EXPECT_NEAR(total, 11.38, 0.021);
}

TEST(RemoteCost, HasLeastSizesOfPutsAndResults) {
  EXPECT_DOUBLE_EQ(PutCost(kPrices, 1000, 1), 131072 / std::exp2(30) * 0.20);
  EXPECT_DOUBLE_EQ(PutCost(kPrices, 3e6, 2), 3e6 / std::exp2(30) * 0.20);
  EXPECT_EQ(PutCost(kPrices, 0, 0), 0);
  EXPECT_EQ(QueryCost(kPrices, 0, {}, 2048, 0).returned, 0);
  EXPECT_DOUBLE_EQ(QueryCost(kPrices, 0, {}, 2049, 0).returned, 256 / std::exp2(30) * 0.01);
  EXPECT_DOUBLE_EQ(QueryCost(kPrices, 0, {}, 10, 524288 + 1e6).returned, 1e6 / std::exp2(30) * 0.01);
}

TEST(RemoteCost, IsTheSameThroughTheWall) {
  const s3v_remote_prices prices = {0.06, 0.20, 2.5e-6, 0.004, 0.002, 0.0004, 0.01};
  const s3v_remote_vector_bytes bytes = {4196, 5000};
  s3v_remote_query_dollars dollars;
  s3v_remote_query_cost(&prices, 2e7, &bytes, 5000, 1e6, &dollars);
  const RemoteQueryCost cost = QueryCost(kPrices, 2e7, {.searched = 4196, .stored = 5000}, 5000, 1e6);
  EXPECT_EQ(dollars.request, cost.request);
  EXPECT_EQ(dollars.processed, cost.processed);
  EXPECT_EQ(dollars.returned, cost.returned);
  EXPECT_GT(dollars.returned, 0);
  EXPECT_DOUBLE_EQ(s3v_remote_storage_cost(&prices, 1e6, &bytes), 5e9 / std::exp2(30) * 0.06);
  EXPECT_EQ(s3v_remote_put_cost(&prices, 1e9, 7), PutCost(kPrices, 1e9, 7));
}

}  // namespace
}  // namespace s3v
