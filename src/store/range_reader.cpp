#include "store/range_reader.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace s3v {
namespace {

constexpr uint64_t kMaxErrorDocument = 64 * 1024;

struct ContentRange {
  uint64_t first = 0;
  uint64_t last = 0;
};

bool TakeNumber(std::string_view* text, uint64_t* number) {
  const auto [rest, failure] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (failure != std::errc()) return false;
  text->remove_prefix(static_cast<size_t>(rest - text->data()));
  return true;
}

bool TakeText(std::string_view* text, std::string_view expected) {
  if (!text->starts_with(expected)) return false;
  text->remove_prefix(expected.size());
  return true;
}

// "bytes 0-9/100" or "bytes 0-9/*"
std::optional<ContentRange> ParseContentRange(std::string_view text) {
  ContentRange range;
  const bool well_formed = TakeText(&text, "bytes ") && TakeNumber(&text, &range.first) && TakeText(&text, "-") &&
                           TakeNumber(&text, &range.last) && TakeText(&text, "/");
  if (!well_formed || range.last < range.first || range.last >= (uint64_t{1} << 63)) return std::nullopt;
  return range;
}

}  // namespace

std::optional<std::string> EncodingProblem(const HttpResponse& head) {
  const std::string* encoding = head.Header("content-encoding");
  if (encoding == nullptr || encoding->empty() || *encoding == "identity" || *encoding == "aws-chunked") {
    return std::nullopt;
  }
  return "unexpected Content-Encoding";
}

void RangeReader::Reset() { *this = RangeReader(offset_, length_); }

void RangeReader::Begin(const HttpResponse& head) {
  has_begun_ = true;
  if (const auto problem = EncodingProblem(head)) {
    problem_ = *problem;
    return;
  }
  if (head.status == 206) {
    const std::string* header = head.Header("content-range");
    const std::optional<ContentRange> range = header ? ParseContentRange(*header) : std::nullopt;
    if (!range || range->first != offset_ || range->last >= offset_ + length_) {
      problem_ = "the answer is another range than the one asked for";
      return;
    }
    position_ = offset_;
    end_ = range->last + 1;
  } else if (head.status == 200 && head.ContentLength()) {
    position_ = 0;
    end_ = *head.ContentLength();
  } else {
    problem_ = "the answer to a range request has status " + std::to_string(head.status) + " and no known length";
    return;
  }
  is_too_short_ = end_ < offset_ + length_;
}

bool RangeReader::Take(const HttpResponse& head, ByteView piece) {
  if (!has_begun_) Begin(head);
  if (!problem_.empty()) return false;
  if (is_too_short_) {
    const bool may_be_error = head.status == 200 && end_ <= kMaxErrorDocument && piece.size() <= end_ - bytes_.size();
    if (may_be_error) Append(bytes_, piece);
    return may_be_error;
  }
  if (piece.size() > end_ - position_) {
    problem_ = "the answer is longer than it says";
    return false;
  }
  if (bytes_.empty()) bytes_.reserve(length_);
  const uint64_t begin = std::clamp(offset_, position_, position_ + piece.size());
  const uint64_t end = std::clamp(offset_ + length_, position_, position_ + piece.size());
  const ByteView wanted = piece.subspan(begin - position_, end - begin);
  Append(bytes_, wanted);
  position_ += piece.size();
  return bytes_.size() < length_ || position_ == end_;
}

std::optional<std::string> RangeReader::Problem(const HttpResponse& head) {
  if (!has_begun_) Begin(head);  // an answer without a body
  if (!problem_.empty()) return problem_;
  if (!is_too_short_ && bytes_.size() < length_) return "the answer is shorter than it says";
  return std::nullopt;
}

}  // namespace s3v
