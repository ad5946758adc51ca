#include "s3vectors/cost.h"

#include <algorithm>

namespace s3v {

namespace {

constexpr double kGb = 1073741824.0;
constexpr double kTb = 1024 * kGb;
constexpr double kFirstVectors = 1e5;
constexpr double kMiddleVectors = 1e7;

}  // namespace

double StorageCost(const RemotePrices& prices, double vectors, const RemoteVectorBytes& bytes) {
  return vectors * bytes.stored / kGb * prices.stored_gb_month;
}

double PutCost(const RemotePrices& prices, double bytes, double requests) {
  return std::max(bytes, requests * kMinPutBytes) / kGb * prices.put_gb;
}

RemoteQueryCost QueryCost(const RemotePrices& prices, double vectors, const RemoteVectorBytes& bytes, double results,
                          double returned_bytes) {
  const double first = std::min(vectors, kFirstVectors);
  const double middle = std::clamp(vectors, kFirstVectors, kMiddleVectors) - kFirstVectors;
  const double last = std::max(vectors - kMiddleVectors, 0.0);
  const double rate_sum =
      prices.processed_tb_first * first + prices.processed_tb_middle * middle + prices.processed_tb_last * last;
  const double returned = std::max(returned_bytes, kMinResultBytes * results);
  return {.request = prices.query,
          .processed = bytes.searched / kTb * rate_sum,
          .returned = std::max(returned - kFreeReturnedBytes, 0.0) / kGb * prices.returned_gb};
}

}  // namespace s3v
