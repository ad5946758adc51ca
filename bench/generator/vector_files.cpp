#include "vector_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

namespace s3v::bench {

namespace {

[[noreturn]] void FailToWrite(const std::string& path) {
  throw std::runtime_error("could not write \"" + path + "\": " + std::strerror(errno));
}

void WriteAt(int file, const std::string& path, const void* data, size_t size, off_t offset) {
  const char* from = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = pwrite(file, from, size, offset);
    if (written < 0) FailToWrite(path);
    from += written, offset += written, size -= static_cast<size_t>(written);
  }
}

}  // namespace

void InParallel(int threads, int64_t blocks, const std::function<void(int64_t)>& work) {
  std::atomic<int64_t> next = 0;
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      for (int64_t block; (block = next++) < blocks;) work(block);
    });
  }
  for (std::thread& worker : workers) worker.join();
}

void WriteVectors(const std::string& path, const Recipe& recipe, Stream stream, int64_t rows, int threads) {
  const int64_t d = recipe.dimensions();
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (file < 0) FailToWrite(path);
  const int32_t header[2] = {static_cast<int32_t>(rows), static_cast<int32_t>(d)};
  WriteAt(file, path, header, sizeof header, 0);
  InParallel(threads, (rows + kBlock - 1) / kBlock, [&](int64_t block) {
    const int64_t first = block * kBlock, count = std::min(kBlock, rows - first);
    Floats out(count * d);
    recipe.Draw(stream, first, count, out.data());
    WriteAt(file, path, out.data(), out.size() * sizeof(float), static_cast<off_t>(sizeof header + first * d * 4));
  });
  if (close(file) != 0) FailToWrite(path);
}

void WriteFile(const std::string& path, const void* data, size_t size) {
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (file < 0) FailToWrite(path);
  WriteAt(file, path, data, size, 0);
  if (close(file) != 0) FailToWrite(path);
}

MappedVectors::MappedVectors(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) throw std::runtime_error("could not read \"" + path + "\"");
  size_ = static_cast<size_t>(status.st_size);
  map_ = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (map_ == MAP_FAILED) throw std::runtime_error("could not map \"" + path + "\"");
  const int32_t* header = static_cast<const int32_t*>(map_);
  rows_ = header[0];
  dimensions_ = header[1];
}

MappedVectors::~MappedVectors() { munmap(map_, size_); }

}  // namespace s3v::bench
