// core_bench BASE.fbin QUERY.fbin TRUTH.ibin l2|cosine URL [options]: the engine alone, through its C interface,
// without PostgreSQL: builds an index of BASE below URL (file:///directory, s3://bucket/prefix), then asks every query.
//
//   --probes 0,4,8      numbers of lists to probe; 0 is the index's own rule (0)
//   --queries N         the first N queries
//   --repeats N         warm passes; the CPU of a query is the least of them (3)
//   --cold N            queries that each open the store anew (20)
//   --lists N           lists to build; 0: chosen (0)
//   --recall R          what the build calibrates for (0.95)
//   --memory MB         the build's memory (1024)
//   --threads N         the build's threads (1)
//   --bits N            of a code, per dimension (4)
//   --soar 0|1|2        rows in two lists: never, always, where sampled rows say so (0)
//   --raw 0|1|2         vectors beside the codes: none, f32, f16 (0)
//   --cache DIRECTORY   of the local cache, for the warm passes (a new one below /tmp)
//
// An s3:// URL takes S3V_TEST_S3_ENDPOINT, _ACCESS_KEY and _SECRET_KEY from the environment, as tests do.
//
// One line of JSON for the build, one for each number of probes, where "odd" and "even" are query numbers. Recall@10 is
// by true distance. CPU is the thread's: "search" opens, ranks lists, reads and scores; "rerank" computes exact
// distances from BASE in memory, until no candidate's bound can matter. GETs, bytes and waves are the store's own
// counters. "first_pass" has the navigation tier and asks the store for every list; "odd" and "even" are warm: all
// lists lie in the local cache, filled by s3v_warm.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "api/handles.h"
#include "api/s3v_c.h"
#include "store/cached_store.h"

namespace {

constexpr size_t kHits = 10;
constexpr size_t kTake = 16;  // candidates asked for at a time
constexpr double kSlack = 1e-6;
constexpr const char* kUuid = "01020304-0506-0708-090a-0b0c0d0e0f10";

double Clock(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// ---- files
// -----------------------------------------------------------------------------------------------------------

class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int file = open(path.c_str(), O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) throw std::runtime_error("could not read \"" + path + "\"");
    size_ = static_cast<size_t>(status.st_size);
    map_ = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (map_ == MAP_FAILED) throw std::runtime_error("could not map \"" + path + "\"");
  }
  ~MappedFile() { munmap(map_, size_); }
  MappedFile(const MappedFile&) = delete;
  int32_t rows() const { return static_cast<const int32_t*>(map_)[0]; }
  int32_t width() const { return static_cast<const int32_t*>(map_)[1]; }
  const float* row(int64_t i) const { return static_cast<const float*>(map_) + 2 + i * width(); }
  // Of an ibin: the distance of the k-th neighbour.
  float truth(int64_t query, int64_t k) const {
    const int64_t all = static_cast<int64_t>(rows()) * width();
    return static_cast<const float*>(map_)[2 + all + query * width() + k - 1];
  }

 private:
  void* map_;
  size_t size_;
};

// Temporary files of a build, as a server would give them.
class Spill {
 public:
  int Create() {
    files_.push_back(std::tmpfile());
    return files_.back() == nullptr ? -1 : static_cast<int>(files_.size() - 1);
  }
  int Append(int handle, uint64_t offset, const void* data, size_t size) {
    return pwrite(Descriptor(handle), data, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size) ? 0 : 1;
  }
  int Read(int handle, uint64_t offset, void* data, size_t size) {
    return pread(Descriptor(handle), data, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size) ? 0 : 1;
  }
  void Close(int handle) { std::fclose(files_[static_cast<size_t>(handle)]); }

 private:
  int Descriptor(int handle) { return fileno(files_[static_cast<size_t>(handle)]); }
  std::vector<std::FILE*> files_;
};

s3v_env MakeEnv(Spill* spill) {
  s3v_env env{};
  env.arg = spill;
  env.stop_requested = [](void*) { return 0; };
  env.spill_create = [](void* arg) { return static_cast<Spill*>(arg)->Create(); };
  env.spill_append = [](void* arg, int handle, uint64_t offset, const void* data, size_t size) {
    return static_cast<Spill*>(arg)->Append(handle, offset, data, size);
  };
  env.spill_read = [](void* arg, int handle, uint64_t offset, void* data, size_t size) {
    return static_cast<Spill*>(arg)->Read(handle, offset, data, size);
  };
  env.spill_close = [](void* arg, int handle) { static_cast<Spill*>(arg)->Close(handle); };
  return env;
}

// ---- the engine
// ------------------------------------------------------------------------------------------------------

void Check(s3v_code code, const s3v_error& error) {
  if (code != S3V_OK) throw std::runtime_error(std::string(error.message) + " " + error.detail);
}

struct Options {
  std::string base, query, truth, metric, url;
  std::vector<uint64_t> probes = {0};
  int64_t queries = 0, repeats = 3, cold = 20;
  uint64_t lists = 0, memory_mb = 1024;
  double recall = 0.95;
  int threads = 1, bits = 4, soar = 0, raw = 0;
  std::string cache;
};

using Store = std::unique_ptr<s3v_store, decltype(&s3v_store_close)>;

Store OpenStore(const std::string& url) {
  s3v_store_config config{};
  config.url = url.c_str();
  config.endpoint = std::getenv("S3V_TEST_S3_ENDPOINT");
  config.access_key_id = std::getenv("S3V_TEST_S3_ACCESS_KEY");
  config.secret_access_key = std::getenv("S3V_TEST_S3_SECRET_KEY");
  if (url.rfind("s3://", 0) != 0) config.endpoint = config.access_key_id = config.secret_access_key = nullptr;
  config.path_style = config.endpoint != nullptr;
  s3v_store* store = nullptr;
  s3v_error error{};
  Check(s3v_store_open(&config, &store, &error), error);
  return {store, s3v_store_close};
}

// The same objects behind a local cache that keeps ranges, whatever kind of store it is.
Store OpenCached(const std::string& url, const std::string& cache) {
  Store store = OpenStore(url);
  store->objects =
      s3v::MakeCachedStore(std::move(store->objects), {.directory = cache, .max_bytes = 16ull << 30}, true);
  return store;
}

void EncodeKey(uint32_t row, unsigned char key[8]) {
  const uint64_t flipped = static_cast<uint64_t>(row) ^ (1ull << 63);
  for (int i = 0; i < 8; ++i) key[i] = static_cast<unsigned char>(flipped >> (56 - 8 * i));
}

uint32_t DecodeKey(const void* key) {
  const auto* bytes = static_cast<const unsigned char*>(key);
  return static_cast<uint32_t>(bytes[4]) << 24 | static_cast<uint32_t>(bytes[5]) << 16 |
         static_cast<uint32_t>(bytes[6]) << 8 | bytes[7];
}

s3v_metric MetricOf(const Options& options) { return options.metric == "cosine" ? S3V_COSINE : S3V_L2; }

s3v_version_names NamesOf(const s3v_version& version) {
  s3v_version_names names{.index_uuid = kUuid, .base = version.base, .deltas = {}, .delta_count = version.delta_count};
  std::copy_n(version.deltas, version.delta_count, names.deltas);
  return names;
}

s3v_version Build(const Options& options, const MappedFile& base, const s3v_env& env, s3v_store* store) {
  s3v_build_options wanted{};
  wanted.index_uuid = kUuid;
  wanted.metric = MetricOf(options);
  wanted.dimensions = static_cast<size_t>(base.width());
  wanted.key_kind = S3V_KEY_INTEGER;
  wanted.lists = options.lists;
  wanted.recall = options.recall;
  wanted.memory_bytes = options.memory_mb << 20;
  wanted.threads = options.threads;
  wanted.bits = options.bits;
  wanted.soar = static_cast<s3v_soar>(options.soar);
  wanted.raw = static_cast<s3v_raw>(options.raw);
  s3v_error error{};
  s3v_build* opened = nullptr;
  const double wall = Clock(CLOCK_MONOTONIC), cpu = Clock(CLOCK_PROCESS_CPUTIME_ID);
  Check(s3v_build_open(&env, store, &wanted, &opened, &error), error);
  const std::unique_ptr<s3v_build, decltype(&s3v_build_free)> build(opened, s3v_build_free);
  for (int32_t row = 0; row < base.rows(); ++row) {
    unsigned char key[8];
    EncodeKey(static_cast<uint32_t>(row), key);
    Check(s3v_build_add(build.get(), key, sizeof key, base.row(row), nullptr, 0, &error), error);
  }
  s3v_version version{};
  Check(s3v_build_finish(build.get(), &version, &error), error);
  const double seconds = Clock(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  std::printf(
      "{\"build\": {\"rows\": %lld, \"dimensions\": %d, \"lists\": %llu, \"segments\": %llu, \"bytes\": %llu, "
      "\"navigation_bytes\": %llu, \"cpu_seconds\": %.3f, \"wall_seconds\": %.3f, "
      "\"vectors_per_cpu_second\": %.0f}}\n",
      static_cast<long long>(version.rows), base.width(), static_cast<unsigned long long>(version.lists),
      static_cast<unsigned long long>(version.segments), static_cast<unsigned long long>(version.bytes),
      static_cast<unsigned long long>(version.base.length + version.deltas[0].length), seconds,
      Clock(CLOCK_MONOTONIC) - wall, base.rows() / seconds);
  std::fflush(stdout);
  return version;
}

struct Asked {
  double right = 0, search_us = 0, rerank_us = 0;
  double waves = 0, gets = 0, bytes = 0, lists = 0, entries = 0, scored = 0, reranked = 0, hits = 0;
};

class Bench {
 public:
  Bench(const Options& options, const s3v_env& env, const s3v_version& version)
      : options_(options),
        env_(env),
        version_(version),
        base_(options.base),
        queries_(options.query),
        truth_(options.truth) {}

  int64_t count() const {
    return options_.queries > 0 ? std::min<int64_t>(options_.queries, queries_.rows()) : queries_.rows();
  }

  Asked Ask(s3v_store* store, int64_t query, uint64_t probes) const {
    s3v_counters before, after;
    s3v_store_counters(store, &before);
    const double start = Clock(CLOCK_THREAD_CPUTIME_ID);
    double reranking = 0;
    const s3v_version_names names = NamesOf(version_);
    s3v_search_options wanted{};
    wanted.k = kHits;
    wanted.probes = probes;
    wanted.in_flight_bytes = 32 << 20;
    const float* vector = queries_.row(query);
    const size_t dimensions = static_cast<size_t>(queries_.width());
    s3v_error error{};
    s3v_search* opened = nullptr;
    Check(s3v_search_open(&env_, store, &names, vector, 1, dimensions, &wanted, &opened, &error), error);
    const std::unique_ptr<s3v_search, decltype(&s3v_search_free)> search(opened, s3v_search_free);

    Asked asked;
    std::vector<double> nearest;  // a heap of the k least exact distances
    for (bool more = true; more;) {
      const s3v_candidate* candidates = nullptr;
      size_t found = 0;
      const double worst = nearest.size() < kHits ? std::numeric_limits<double>::infinity() : nearest.front();
      Check(s3v_search_next(&env_, search.get(), 0, kTake, worst, &candidates, &found, &error), error);
      more = found > 0;
      const double began = Clock(CLOCK_THREAD_CPUTIME_ID);
      for (size_t i = 0; i < found && more; ++i) {
        more = nearest.size() < kHits || candidates[i].lower_bound <= nearest.front();
        if (more) Keep(Exact(vector, DecodeKey(candidates[i].key)), &nearest);
        asked.reranked += more;
      }
      reranking += Clock(CLOCK_THREAD_CPUTIME_ID) - began;
    }
    const double total = Clock(CLOCK_THREAD_CPUTIME_ID) - start;
    s3v_store_counters(store, &after);
    s3v_search_stats stats;
    s3v_search_stats_get(search.get(), &stats);
    asked.rerank_us = 1e6 * reranking;
    asked.search_us = 1e6 * (total - reranking);
    asked.waves = static_cast<double>(after.waves - before.waves);
    asked.gets = static_cast<double>(after.get_requests - before.get_requests);
    asked.bytes = static_cast<double>(after.bytes_read - before.bytes_read);
    asked.lists = static_cast<double>(stats.lists_probed);
    asked.entries = static_cast<double>(stats.entries_scanned);
    asked.scored = static_cast<double>(stats.entries_scored);
    asked.hits = static_cast<double>(after.cache_hits - before.cache_hits);
    asked.right = Right(query, nearest);
    return asked;
  }

 private:
  double Exact(const float* vector, uint32_t row) const {
    return s3v_distance(MetricOf(options_), vector, base_.row(row), static_cast<size_t>(base_.width()));
  }
  static void Keep(double distance, std::vector<double>* nearest) {
    nearest->push_back(distance);
    std::push_heap(nearest->begin(), nearest->end());
    if (nearest->size() <= kHits) return;
    std::pop_heap(nearest->begin(), nearest->end());
    nearest->pop_back();
  }
  // The share of hits whose distance is not above the k-th true one; the file has the squares of L2.
  double Right(int64_t query, const std::vector<double>& nearest) const {
    double limit = truth_.truth(query, kHits);
    if (MetricOf(options_) == S3V_L2) limit = std::sqrt(limit);
    limit *= 1 + kSlack;
    return static_cast<double>(std::count_if(nearest.begin(), nearest.end(), [&](double d) { return d <= limit; })) /
           kHits;
  }

  const Options& options_;
  const s3v_env& env_;
  const s3v_version& version_;
  MappedFile base_, queries_, truth_;
};

// ---- what is printed
// -------------------------------------------------------------------------------------------------

double Mean(const std::vector<Asked>& all, double Asked::*member) {
  double sum = 0;
  for (const Asked& one : all) sum += one.*member;
  return all.empty() ? 0 : sum / static_cast<double>(all.size());
}

double Max(const std::vector<Asked>& all, double Asked::*member) {
  double most = 0;
  for (const Asked& one : all) most = std::max(most, one.*member);
  return most;
}

void Print(const char* name, const std::vector<Asked>& all) {
  std::printf(
      "\"%s\": {\"queries\": %zu, \"recall\": %.5f, \"search_us\": %.1f, \"rerank_us\": %.1f, \"waves\": %.3f, "
      "\"waves_max\": %.0f, \"gets\": %.2f, \"gets_max\": %.0f, \"bytes\": %.0f, \"bytes_max\": %.0f, "
      "\"lists\": %.2f, \"entries\": %.1f, \"scored\": %.1f, \"reranked\": %.2f, \"cache_hits\": %.1f}",
      name, all.size(), Mean(all, &Asked::right), Mean(all, &Asked::search_us), Mean(all, &Asked::rerank_us),
      Mean(all, &Asked::waves), Max(all, &Asked::waves), Mean(all, &Asked::gets), Max(all, &Asked::gets),
      Mean(all, &Asked::bytes), Max(all, &Asked::bytes), Mean(all, &Asked::lists), Mean(all, &Asked::entries),
      Mean(all, &Asked::scored), Mean(all, &Asked::reranked), Mean(all, &Asked::hits));
}

void Measure(const Options& options, const Bench& bench, s3v_store* store, s3v_store* cached, uint64_t probes) {
  std::vector<Asked> first, halves[2], cold;
  bench.Ask(store, 0, probes);  // opens the navigation tier
  for (int64_t pass = 0; pass <= options.repeats; ++pass) {
    for (int64_t q = 0; q < bench.count(); ++q) {
      const Asked asked = bench.Ask(pass == 0 ? store : cached, q, probes);
      if (pass == 0) {
        first.push_back(asked);
      } else if (pass == 1) {
        halves[q % 2].push_back(asked);
      } else {
        Asked& least = halves[q % 2][static_cast<size_t>(q / 2)];
        least.search_us = std::min(least.search_us, asked.search_us);
        least.rerank_us = std::min(least.rerank_us, asked.rerank_us);
      }
    }
  }
  for (int64_t i = 0; i < std::min(options.cold, bench.count()); ++i) {
    const Store fresh = OpenStore(options.url);
    cold.push_back(bench.Ask(fresh.get(), i * bench.count() / std::min(options.cold, bench.count()), probes));
  }
  std::printf("{\"probes\": %llu, ", static_cast<unsigned long long>(probes));
  Print("odd", halves[1]);
  std::printf(", ");
  Print("even", halves[0]);
  std::printf(", ");
  Print("first_pass", first);
  std::printf(", ");
  Print("cold", cold);
  std::printf("}\n");
  std::fflush(stdout);
}

std::vector<uint64_t> ParseList(const std::string& text) {
  std::vector<uint64_t> out;
  std::stringstream stream(text);
  for (std::string one; std::getline(stream, one, ',');) out.push_back(std::stoull(one));
  return out;
}

Options ParseArguments(int count, char** arguments) {
  if (count < 6) throw std::invalid_argument("usage: core_bench BASE QUERY TRUTH l2|cosine URL [options]");
  Options options;
  options.base = arguments[1];
  options.query = arguments[2];
  options.truth = arguments[3];
  options.metric = arguments[4];
  options.url = arguments[5];
  const std::map<std::string, int64_t*> numbers = {
      {"--queries", &options.queries}, {"--repeats", &options.repeats}, {"--cold", &options.cold}};
  for (int i = 6; i + 1 < count; i += 2) {
    const std::string name = arguments[i], value = arguments[i + 1];
    if (const auto number = numbers.find(name); number != numbers.end())
      *number->second = std::stoll(value);
    else if (name == "--probes")
      options.probes = ParseList(value);
    else if (name == "--lists")
      options.lists = std::stoull(value);
    else if (name == "--memory")
      options.memory_mb = std::stoull(value);
    else if (name == "--recall")
      options.recall = std::stod(value);
    else if (name == "--bits")
      options.bits = std::stoi(value);
    else if (name == "--soar")
      options.soar = std::stoi(value);
    else if (name == "--raw")
      options.raw = std::stoi(value);
    else if (name == "--cache")
      options.cache = value;
    else if (name == "--threads")
      options.threads = std::stoi(value);
    else
      throw std::invalid_argument("no such option: \"" + name + "\"");
  }
  if (options.repeats < 1) throw std::invalid_argument("--repeats must be at least 1");
  return options;
}

void Run(const Options& options) {
  Spill spill;
  const s3v_env env = MakeEnv(&spill);
  const Store store = OpenStore(options.url);
  const s3v_version version = Build(options, MappedFile(options.base), env, store.get());
  const Bench bench(options, env, version);
  char made[] = "/tmp/core_bench_cache_XXXXXX";
  const std::string cache = options.cache.empty() ? mkdtemp(made) : options.cache;
  {
    const Store cached = OpenCached(options.url, cache);
    const s3v_version_names names = NamesOf(version);
    uint64_t fetched = 0;
    s3v_error error{};
    Check(s3v_warm(&env, cached.get(), &names, uint64_t{1} << 40, &fetched, &error), error);
    for (const uint64_t probes : options.probes) Measure(options, bench, store.get(), cached.get(), probes);
  }
  if (options.cache.empty()) std::filesystem::remove_all(cache);
}

}  // namespace

int main(int count, char** arguments) {
  int result = 0;
  try {
    Run(ParseArguments(count, arguments));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "core_bench: %s\n", error.what());
    result = 1;
  }
  s3v_process_exit();
  return result;
}
