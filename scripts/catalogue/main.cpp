// s3v_catalogue: apt's package catalogue -> rows with vectors (build), a question -> its vector (query).
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "base/error.h"
#include "catalogue/copy_text.h"
#include "catalogue/model.h"
#include "catalogue/package.h"
#include "catalogue/words.h"

namespace s3v::catalogue {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUsage =
    "usage: s3v_catalogue build --input FILE --out DIR    FILE: what \"apt-cache dumpavail\" prints, \"-\" for stdin\n"
    "       s3v_catalogue query --model FILE QUESTION     FILE: model.bin of a build\n"
    "\n"
    "build writes DIR/packages.tsv (for COPY: id, name, section, size_kb, depends, description, tags, embedding)\n"
    "and DIR/model.bin; query prints the vector of the question as a literal of type real[].\n";

struct UsageError {
  std::string message;
};

[[noreturn]] void FailOnFile(const std::string& what, const fs::path& path) {
  const int error = errno;
  throw Error(error == ENOSPC ? Code::kDiskFull : Code::kIoError,
              "could not " + what + " \"" + path.string() + "\": " + std::strerror(error));
}

// Appears under its name when complete, so that a build that was stopped leaves nothing that looks finished.
class OutputFile {
 public:
  explicit OutputFile(fs::path path) : path_(std::move(path)), unfinished_(path_.string() + ".unfinished") {
    out_.open(unfinished_, std::ios::binary | std::ios::trunc);
    if (!out_) FailOnFile("create", unfinished_);
  }

  void Write(std::string_view text) {
    if (!out_.write(text.data(), static_cast<std::streamsize>(text.size()))) FailOnFile("write", unfinished_);
  }

  void Finish() {
    out_.close();
    if (!out_) FailOnFile("write", unfinished_);
    fs::rename(unfinished_, path_);
  }

 private:
  fs::path path_;
  fs::path unfinished_;
  std::ofstream out_;
};

std::vector<Package> ReadInput(const std::string& path) {
  if (path == "-") return ReadPackages(std::cin);
  std::ifstream in(path, std::ios::binary);
  if (!in) FailOnFile("open", path);
  return ReadPackages(in);
}

Model ReadModel(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) FailOnFile("open", path);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  return Model::Decode(AsBytes(bytes));
}

void WriteModel(const fs::path& path, const Model& model) {
  OutputFile file(path);
  file.Write(AsText(model.Encode()));
  file.Finish();
}

// How many rows have no vector.
size_t WriteRows(const fs::path& path, const std::vector<Package>& packages, const std::vector<WordCounts>& words,
                 const Model& model) {
  OutputFile file(path);
  size_t without_vector = 0;
  for (size_t i = 0; i < packages.size(); ++i) {
    const auto embedding = model.Embed(words[i]);
    if (!embedding) ++without_vector;
    file.Write(CopyRow(static_cast<int64_t>(i) + 1, packages[i], embedding));
  }
  file.Finish();
  return without_vector;
}

void Build(const std::string& input, const fs::path& directory) {
  const std::vector<Package> packages = ReadInput(input);
  if (packages.empty()) {
    throw Error(Code::kInvalidArgument, "no packages in \"" + input + "\"", {}, "Run \"apt-get update\" first.");
  }
  std::vector<WordCounts> words;
  words.reserve(packages.size());
  for (const Package& package : packages) words.push_back(WordsOfPackage(package));
  const Model model = Model::Train(words);

  fs::create_directories(directory);
  const size_t without_vector = WriteRows(directory / "packages.tsv", packages, words, model);
  WriteModel(directory / "model.bin", model);
  std::cout << packages.size() << " packages, " << model.vocabulary().size() << " words, " << model.dimensions()
            << " dimensions, " << without_vector << " rows without a vector\n";
}

void Query(const fs::path& model_path, const std::string& question) {
  const Model model = ReadModel(model_path);
  const auto vector = model.Embed(WordsOfQuestion(question));
  if (!vector) {
    throw Error(Code::kInvalidArgument, "no word of the question is known: \"" + question + "\"", {},
                "The words known are those that at least two packages of the catalogue share.");
  }
  std::cout << RealArrayLiteral(*vector) << "\n";
}

// Takes "--name value" out of the arguments.
std::string TakeOption(std::vector<std::string>& arguments, const std::string& name) {
  for (size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (arguments[i] != name) continue;
    std::string value = arguments[i + 1];
    arguments.erase(arguments.begin() + static_cast<ptrdiff_t>(i), arguments.begin() + static_cast<ptrdiff_t>(i) + 2);
    return value;
  }
  throw UsageError{"missing option " + name};
}

void Run(std::vector<std::string> arguments) {
  if (arguments.empty()) throw UsageError{"missing command"};
  const std::string command = arguments.front();
  arguments.erase(arguments.begin());
  if (command == "build") {
    const std::string input = TakeOption(arguments, "--input");
    const std::string out = TakeOption(arguments, "--out");
    if (!arguments.empty()) throw UsageError{"unexpected argument \"" + arguments.front() + "\""};
    Build(input, out);
  } else if (command == "query") {
    const std::string model = TakeOption(arguments, "--model");
    if (arguments.size() != 1) throw UsageError{"query takes one question, in quotes"};
    Query(model, arguments.front());
  } else if (command == "--help" || command == "-h") {
    std::cout << kUsage;
  } else {
    throw UsageError{"unknown command \"" + command + "\""};
  }
  if (!std::cout.flush()) FailOnFile("write", "standard output");
}

}  // namespace
}  // namespace s3v::catalogue

int main(int argc, char** argv) {
  try {
    s3v::catalogue::Run({argv + 1, argv + argc});
    return 0;
  } catch (const s3v::catalogue::UsageError& error) {
    std::cerr << "s3v_catalogue: " << error.message << "\n" << s3v::catalogue::kUsage;
    return 2;
  } catch (const s3v::Error& error) {
    std::cerr << "s3v_catalogue: " << error.what() << "\n";
    if (!error.hint().empty()) std::cerr << error.hint() << "\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "s3v_catalogue: " << error.what() << "\n";
    return 1;
  }
}
