#include "support/temp_spill.h"

#include <cstdio>

#include "base/error.h"

namespace s3v::testing {
namespace {

class TempSpillFile final : public SpillFile {
 public:
  TempSpillFile() : file_(std::tmpfile()) {
    if (file_ == nullptr) throw Error(Code::kIoError, "could not create a temporary file");
  }
  ~TempSpillFile() override { std::fclose(file_); }
  TempSpillFile(const TempSpillFile&) = delete;
  TempSpillFile& operator=(const TempSpillFile&) = delete;

  void Append(ByteView bytes) override {
    std::fseek(file_, 0, SEEK_END);
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) throw Error(Code::kDiskFull, "disk full");
  }
  void ReadAt(uint64_t offset, std::span<uint8_t> out) override {
    std::fseek(file_, static_cast<long>(offset), SEEK_SET);
    if (std::fread(out.data(), 1, out.size(), file_) != out.size()) throw Error(Code::kIoError, "short read");
  }

 private:
  std::FILE* file_;
};

}  // namespace

std::unique_ptr<SpillFile> TempSpillFactory::Create() {
  ++created_;
  return std::make_unique<TempSpillFile>();
}

}  // namespace s3v::testing
