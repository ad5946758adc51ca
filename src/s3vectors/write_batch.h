// One request of PutVectors or DeleteVectors while it grows, and when it has to become two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "s3vectors/operations.h"

namespace s3v {

class WriteBatch {
 public:
  static constexpr size_t kMaxItems = 500;
  static constexpr size_t kMaxBytes = 20 * 1024 * 1024;

  // `head` is the body up to and with the bracket that opens the list of items.
  WriteBatch(Operation operation, std::string head);

  // `item` is JSON; `logical_bytes` is what the service bills for it.
  bool Fits(std::string_view item) const;
  void Add(std::string_view item, uint64_t logical_bytes);

  Operation operation() const { return operation_; }
  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }
  size_t bytes() const { return body_.size(); }
  uint64_t logical_bytes() const { return logical_bytes_; }

  // The body, closed, for as long as a request has it.
  std::string TakeBody() { return std::move(body_); }
  void ReturnBody(std::string body) { body_ = std::move(body); }
  // REQUIRES: two items at least.
  std::pair<WriteBatch, WriteBatch> Halves() const;
  void Close() { body_ += kTail; }

 private:
  static constexpr std::string_view kTail = "]}";
  struct Item {
    size_t begin;
    size_t end;
    uint64_t logical_bytes;
  };

  Operation operation_;
  size_t head_size_;
  std::string body_;
  std::vector<Item> items_;
  uint64_t logical_bytes_ = 0;
};

}  // namespace s3v
