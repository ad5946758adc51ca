// faiss_peer BASE.fbin QUERY.fbin l2|cosine FACTORY [--refine FACTOR] [--probes 1,2,4] [--queries N]
//
// Builds a faiss index by its factory string (IVF256,Flat; IVF256,PQ98) with one thread, then asks every query with
// each number of probes. One line of JSON for the build and one for each number of probes: rows found, and the thread's
// CPU microseconds, for every query. --refine FACTOR keeps the vectors beside the codes and ranks FACTOR * 10 of them
// exactly. Cosine: vectors are normalized, and inner products searched.
#include <faiss/Index.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexRefine.h>
#include <faiss/index_factory.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int kHits = 10;
constexpr int64_t kRowsOfAnAdd = 50000;

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Vectors {
  int64_t rows = 0, dimensions = 0;
  std::vector<float> values;
};

Vectors Read(const std::string& path, bool normalize) {
  std::ifstream file(path, std::ios::binary);
  int32_t header[2];
  if (!file.read(reinterpret_cast<char*>(header), sizeof header)) throw std::runtime_error("could not read " + path);
  Vectors out{header[0], header[1], {}};
  out.values.resize(static_cast<size_t>(out.rows * out.dimensions));
  if (!file.read(reinterpret_cast<char*>(out.values.data()), static_cast<std::streamsize>(out.values.size() * 4))) {
    throw std::runtime_error(path + " is too short");
  }
  for (int64_t r = 0; normalize && r < out.rows; ++r) {
    float* row = out.values.data() + r * out.dimensions;
    double squares = 0;
    for (int64_t i = 0; i < out.dimensions; ++i) squares += static_cast<double>(row[i]) * row[i];
    for (int64_t i = 0; i < out.dimensions; ++i) row[i] = static_cast<float>(row[i] / std::sqrt(squares));
  }
  return out;
}

struct Options {
  std::string base, query, factory;
  bool cosine = false;
  float refine = 0;
  int64_t queries = 0;
  std::vector<size_t> probes = {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256};
};

Options ParseArguments(int count, char** arguments) {
  if (count < 5) throw std::invalid_argument("usage: faiss_peer BASE QUERY l2|cosine FACTORY [options]");
  Options options{arguments[1], arguments[2], arguments[4]};
  options.cosine = std::string(arguments[3]) == "cosine";
  for (int i = 5; i + 1 < count; i += 2) {
    const std::string name = arguments[i], value = arguments[i + 1];
    if (name == "--refine") {
      options.refine = std::stof(value);
    } else if (name == "--queries") {
      options.queries = std::stoll(value);
    } else if (name == "--probes") {
      options.probes.clear();
      std::stringstream text(value);
      for (std::string one; std::getline(text, one, ',');) options.probes.push_back(std::stoul(one));
    } else {
      throw std::invalid_argument("no such option: " + name);
    }
  }
  return options;
}

void Ask(const faiss::Index& index, const Vectors& queries, int64_t count, size_t probes) {
  std::vector<faiss::Index::idx_t> ids(static_cast<size_t>(count * kHits));
  std::vector<double> microseconds(static_cast<size_t>(count));
  float distances[kHits];
  for (int64_t q = 0; q < count; ++q) {
    const double before = CpuSeconds();
    index.search(1, queries.values.data() + q * queries.dimensions, kHits, distances, ids.data() + q * kHits);
    microseconds[static_cast<size_t>(q)] = 1e6 * (CpuSeconds() - before);
  }
  std::printf("{\"probes\": %zu, \"cpu_us\": [", probes);
  for (int64_t q = 0; q < count; ++q) std::printf("%s%.1f", q ? "," : "", microseconds[static_cast<size_t>(q)]);
  std::printf("], \"ids\": [");
  for (int64_t q = 0; q < count; ++q) {
    std::printf("%s[", q ? "," : "");
    bool first = true;
    for (int i = 0; i < kHits; ++i) {
      const auto id = ids[static_cast<size_t>(q * kHits + i)];
      if (id < 0) continue;  // fewer rows than asked for in the lists probed
      std::printf("%s%lld", first ? "" : ",", static_cast<long long>(id));
      first = false;
    }
    std::printf("]");
  }
  std::printf("]}\n");
}

void Run(const Options& options) {
  omp_set_num_threads(1);
  const Vectors base = Read(options.base, options.cosine), queries = Read(options.query, options.cosine);
  const auto metric = options.cosine ? faiss::METRIC_INNER_PRODUCT : faiss::METRIC_L2;

  const double start = CpuSeconds();
  std::unique_ptr<faiss::Index> index(
      faiss::index_factory(static_cast<int>(base.dimensions), options.factory.c_str(), metric));
  auto* lists = dynamic_cast<faiss::IndexIVF*>(index.get());
  if (lists == nullptr) throw std::invalid_argument("not an IVF index: " + options.factory);
  lists->cp.niter = 10;
  lists->cp.max_points_per_centroid = 128;
  if (auto* codes = dynamic_cast<faiss::IndexIVFPQ*>(lists)) {
    codes->do_polysemous_training = false;  // for a filter by Hamming distance, which is not used here
    codes->pq.cp.niter = 10;
    codes->pq.cp.max_points_per_centroid = 64;
  }
  std::unique_ptr<faiss::IndexRefineFlat> refined;
  faiss::Index* whole = index.get();
  if (options.refine > 0) {
    refined = std::make_unique<faiss::IndexRefineFlat>(index.get());
    refined->k_factor = options.refine;
    whole = refined.get();
  }
  whole->train(base.rows, base.values.data());
  for (int64_t first = 0; first < base.rows; first += kRowsOfAnAdd) {
    whole->add(std::min(kRowsOfAnAdd, base.rows - first), base.values.data() + first * base.dimensions);
  }
  std::printf("{\"build_cpu_seconds\": %.3f, \"lists\": %zu, \"code_bytes\": %zu}\n", CpuSeconds() - start,
              lists->nlist, lists->code_size);

  const int64_t count = options.queries > 0 ? std::min(options.queries, queries.rows) : queries.rows;
  for (const size_t probes : options.probes) {
    if (probes > lists->nlist) break;
    lists->nprobe = probes;
    Ask(*whole, queries, count, probes);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int count, char** arguments) {
  try {
    Run(ParseArguments(count, arguments));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "faiss_peer: %s\n", error.what());
    return 1;
  }
}
