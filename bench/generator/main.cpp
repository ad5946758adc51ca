// generate KIND ROWS OUT [--queries N] [--seed N] [--threads N]: large vector sets with exact neighbours, from a seed.
//
//   topics  768 d, unit length, cosine: 4,000 topics of Zipf-like size in 80 super-topics of a latent space of 48
//           dimensions, pushed through a random tanh network, plus noise. Queries are new draws, spread 15 % wider and
//           shifted: they do not come from quite the distribution of the rows, as questions do not.
//   hard    128 d, whole numbers 0 to 255, squared L2: 2,000 overlapping clusters of high local dimension.
//   growth  hard's recipe in 96 d, for one curve over many sizes.
//
// Writes OUT.base.fbin and OUT.query.fbin (int32 n, int32 d, float32 rows), OUT.gt.ibin (int32 n, int32 k, ids, then
// float32 distances, nearest first, equal distances by smaller id; cosine: 1 - cos, otherwise the square of L2), and
// last OUT.json, which says what the set is and how hard: while it is missing, the set is not whole.
//
// Row i depends on seed and i alone: sets of one kind and seed are prefixes of each other and share their queries,
// whatever the number of threads. (Mathematical functions of another C library may change last bits.)
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "neighbours.h"
#include "recipes.h"
#include "vector_files.h"

namespace s3v::bench {

namespace {

struct Options {
  std::string kind, out;
  int64_t rows = 0, queries = 1000;
  uint64_t seed = 7;
  int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
};

Options ParseArguments(int count, char** arguments) {
  if (count < 4)
    throw std::invalid_argument("usage: generate topics|hard|growth ROWS OUT [--queries N] [--seed N] [--threads N]");
  Options options;
  options.kind = arguments[1];
  options.rows = std::stoll(arguments[2]);
  options.out = arguments[3];
  for (int i = 4; i + 1 < count; i += 2) {
    const std::string name = arguments[i];
    const int64_t value = std::stoll(arguments[i + 1]);
    if (name == "--queries")
      options.queries = value;
    else if (name == "--seed")
      options.seed = static_cast<uint64_t>(value);
    else if (name == "--threads")
      options.threads = static_cast<int>(value);
    else
      throw std::invalid_argument("no such option: \"" + name + "\"");
  }
  if (options.rows < 1000 || options.rows > INT32_MAX || options.queries < 1 || options.threads < 1) {
    throw std::invalid_argument("at least 1,000 rows, 1 query, 1 thread");
  }
  return options;
}

void Generate(const Options& options) {
  const std::unique_ptr<Recipe> recipe = MakeRecipe(options.kind, options.seed);
  const std::string base_path = options.out + ".base.fbin", query_path = options.out + ".query.fbin";
  std::remove((options.out + ".json").c_str());
  WriteVectors(base_path, *recipe, Stream::kBase, options.rows, options.threads);
  WriteVectors(query_path, *recipe, Stream::kQuery, options.queries, options.threads);

  const MappedVectors base(base_path), queries(query_path);
  const Neighbours found = ExactNeighbours(base, queries, recipe->cosine(), options.threads);
  CheckAgainstPlain(base, queries, recipe->cosine(), 0, found.front());
  CheckAgainstPlain(base, queries, recipe->cosine(), options.queries - 1, found.back());
  WriteTruth(options.out + ".gt.ibin", found);

  const Difficulty difficulty = Measure(base, queries, found);
  char description[512];
  std::snprintf(description, sizeof description,
                "{\"kind\": \"%s\", \"rows\": %lld, \"dimensions\": %lld, \"queries\": %lld, \"seed\": %llu, "
                "\"metric\": \"%s\", \"mean_to_10th\": %.3f, \"lid\": %.2f}\n",
                options.kind.c_str(), static_cast<long long>(options.rows),
                static_cast<long long>(recipe->dimensions()), static_cast<long long>(options.queries),
                static_cast<unsigned long long>(options.seed), recipe->cosine() ? "cosine" : "l2",
                difficulty.mean_to_10th, difficulty.lid);
  std::fputs(description, stdout);
  WriteFile(options.out + ".json", description, std::strlen(description));
}

}  // namespace

}  // namespace s3v::bench

int main(int count, char** arguments) {
  try {
    s3v::bench::Generate(s3v::bench::ParseArguments(count, arguments));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "generate: %s\n", error.what());
    return 1;
  }
}
