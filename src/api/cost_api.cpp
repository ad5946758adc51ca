// What the service charges, past the wall.
#include "api/s3v_remote_c.h"
#include "s3vectors/cost.h"

using namespace s3v;

namespace {

RemotePrices PricesOf(const s3v_remote_prices& prices) {
  return {.stored_gb_month = prices.stored_gb_month,
          .put_gb = prices.put_gb,
          .query = prices.query,
          .processed_tb_first = prices.processed_tb_first,
          .processed_tb_middle = prices.processed_tb_middle,
          .processed_tb_last = prices.processed_tb_last,
          .returned_gb = prices.returned_gb};
}

RemoteVectorBytes BytesOf(const s3v_remote_vector_bytes& bytes) {
  return {.searched = bytes.searched, .stored = bytes.stored};
}

}  // namespace

double s3v_remote_storage_cost(const s3v_remote_prices* prices, double vectors, const s3v_remote_vector_bytes* bytes) {
  return StorageCost(PricesOf(*prices), vectors, BytesOf(*bytes));
}

double s3v_remote_put_cost(const s3v_remote_prices* prices, double bytes, double requests) {
  return PutCost(PricesOf(*prices), bytes, requests);
}

void s3v_remote_query_cost(const s3v_remote_prices* prices, double vectors, const s3v_remote_vector_bytes* bytes,
                           double results, double returned_bytes, s3v_remote_query_dollars* cost) {
  const RemoteQueryCost dollars = QueryCost(PricesOf(*prices), vectors, BytesOf(*bytes), results, returned_bytes);
  cost->request = dollars.request;
  cost->processed = dollars.processed;
  cost->returned = dollars.returned;
}
