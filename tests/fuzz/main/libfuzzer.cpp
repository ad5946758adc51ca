// One program for all targets: s3v_fuzz --target=NAME [libFuzzer's own options] FOLDER. `--list` prints their names,
// and
// `--seeds=FOLDER` writes the target's seeds and words there.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz/target.h"

namespace {

using s3v::Bytes;
using s3v::fuzz::AllTargets;
using s3v::fuzz::Target;

const Target* target = nullptr;

const Target* FindTarget(std::string_view name) {
  for (const Target& one : AllTargets()) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

// As libFuzzer reads dictionaries: every byte of a word may be an escape.
std::string Escaped(std::string_view word) {
  std::string text;
  for (const char c : word) {
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\x%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    text += escape;
  }
  return text;
}

void WriteSeeds(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  int number = 0;
  for (const Bytes& seed : target->seeds()) {
    std::ofstream(folder / ("seed-" + std::to_string(number++)), std::ios::binary) << s3v::AsText(seed);
  }
  std::ofstream words(folder.string() + ".dict");
  for (const std::string_view word : target->words) words << '"' << Escaped(word) << "\"\n";
  std::ofstream(folder.string() + ".max") << target->max_input;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kTarget = "--target=";
  constexpr std::string_view kSeeds = "--seeds=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (argument == "--list") {
      for (const Target& one : AllTargets()) std::printf("%s\n", std::string(one.name).c_str());
      std::exit(0);
    }
    if (argument.starts_with(kTarget)) target = FindTarget(argument.substr(kTarget.size()));
    if (argument.starts_with(kSeeds) && target != nullptr) {
      WriteSeeds(argument.substr(kSeeds.size()));
      std::exit(0);
    }
  }
  if (target == nullptr) {
    std::fprintf(stderr, "s3v_fuzz: --target=NAME, one of those that --list prints\n");
    std::exit(2);
  }
  return 0;
}

// What `run` throws ends the process: libFuzzer keeps the input.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  s3v::fuzz::RunMeasured(*target, {data, size});
  return 0;
}
