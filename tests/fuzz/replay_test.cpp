// Every fuzzing target with its seeds, what once failed, and seeded mutations of both: what CI runs, without clang.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/mutate.h"
#include "fuzz/target.h"

namespace s3v::fuzz {
namespace {

constexpr int kMutations = 400;  // of each seed

// Inputs that a fuzzer found, and that were findings then: tests/fuzz/found/<target>/*.
std::vector<Bytes> FoundInputs(std::string_view target) {
  const std::filesystem::path folder = std::filesystem::path(S3V_TEST_DIR) / "fuzz" / "found" / target;
  std::vector<std::filesystem::path> files;
  if (std::filesystem::exists(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::vector<Bytes> inputs;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

class Replay : public ::testing::TestWithParam<Target> {
 protected:
  // False once it has failed.
  static bool Run(const Target& target, ByteView input) {
    try {
      RunMeasured(target, input);
      return true;
    } catch (const Finding& finding) {
      ADD_FAILURE() << finding.what() << "\ninput: " << ToHex(input);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what() << ": " << error.detail() << "\ninput: " << ToHex(input);
    }
    return false;
  }
};

// Wherever a target gives bytes to a decoder, those of some seed are taken.
TEST_P(Replay, SeedsAreTaken) {
  const Target& target = GetParam();
  const std::vector<Bytes> seeds = target.seeds();
  TakenAt().clear();
  for (const Bytes& seed : seeds) ASSERT_TRUE(Run(target, seed));
  EXPECT_FALSE(TakenAt().empty()) << "no seed gets as far as a decoder";
  for (const auto& [place, is_taken] : TakenAt()) {
    EXPECT_TRUE(is_taken) << "no seed is taken at " << place.file << ":" << place.line;
  }
}

TEST_P(Replay, SeedsAndTheirMutations) {
  const Target& target = GetParam();
  std::vector<Bytes> seeds = target.seeds();
  ASSERT_FALSE(seeds.empty());
  for (Bytes& input : FoundInputs(target.name)) seeds.push_back(std::move(input));
  Mutator mutator(seeds, target.words, target.max_input, 20'261'122);
  ASSERT_TRUE(Run(target, {}));
  for (const Bytes& seed : seeds) {
    ASSERT_LE(seed.size(), target.max_input) << "a fuzzer would cut it";
    ASSERT_TRUE(Run(target, seed));
    const int mutations =
        target.name == "index" || target.name == "update" || target.name == "cache" ? kMutations / 4 : kMutations;
    for (int i = 0; i < mutations; ++i) ASSERT_TRUE(Run(target, mutator.Mutated(seed)));
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Replay, ::testing::ValuesIn(AllTargets()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace

void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

}  // namespace s3v::fuzz
