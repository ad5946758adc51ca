// What the service charges: its published formula. Pure arithmetic in doubles; a GB has 2^30 bytes, a TB 2^40.
#pragma once

namespace s3v {

// Dollars.
struct RemotePrices {
  double stored_gb_month = 0;
  double put_gb = 0;
  double query = 0;
  // For each TB of vectors that a query stands before: those up to the 100,000th, to the 10,000,000th, and above. Each
  // slice has its own rate.
  double processed_tb_first = 0;
  double processed_tb_middle = 0;
  double processed_tb_last = 0;
  double returned_gb = 0;  // beyond what is free
};

inline constexpr double kMinPutBytes = 131072;        // a smaller request costs as much
inline constexpr double kMinResultBytes = 256;        // so does a smaller result
inline constexpr double kFreeReturnedBytes = 524288;  // of each query

// Bytes of one vector, on average. Its floats count four bytes each, whatever their text takes.
struct RemoteVectorBytes {
  double searched = 0;  // floats, key, filterable metadata
  double stored = 0;    // floats, key, all metadata
};

struct RemoteQueryCost {
  double request = 0;
  double processed = 0;
  double returned = 0;
};

double StorageCost(const RemotePrices& prices, double vectors, const RemoteVectorBytes& bytes);
// `bytes` in requests of equal size.
double PutCost(const RemotePrices& prices, double bytes, double requests);
// One query of an index with so many vectors.
RemoteQueryCost QueryCost(const RemotePrices& prices, double vectors, const RemoteVectorBytes& bytes, double results,
                          double returned_bytes);

}  // namespace s3v
