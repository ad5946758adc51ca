// The two things that a Python server is too slow at: reading and writing arrays of numbers. Built by floats.py.
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace {

constexpr std::string_view kKey = "\"float32\"";

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

const char* SkipBlanks(const char* at, const char* end) {
  while (at != end && IsBlank(*at)) ++at;
  return at;
}

constexpr double kPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Digits, at least one; each goes into the mantissa. Nothing when there is none.
const char* ReadDigits(const char* at, const char* end, uint64_t* mantissa, int64_t* count) {
  const char* begin = at;
  for (; at != end && IsDigit(*at); ++at) *mantissa = *mantissa * 10 + static_cast<uint64_t>(*at - '0');
  *count += at - begin;
  return at == begin ? nullptr : at;
}

// A number by JSON's grammar; nothing when it is not one, or not a finite double. Rounded to double and then to float,
// as Python and numpy do it. A mantissa and a power of ten that a double holds exactly need one rounding.
const char* ReadNumber(const char* begin, const char* end, float* value) {
  const char* at = begin != end && *begin == '-' ? begin + 1 : begin;
  uint64_t mantissa = 0;
  int64_t digits = 0, decimals = 0, power = 0;
  const char* first = at;
  if ((at = ReadDigits(at, end, &mantissa, &digits)) == nullptr || (*first == '0' && digits > 1)) return nullptr;
  if (at != end && *at == '.') {
    if ((at = ReadDigits(at + 1, end, &mantissa, &decimals)) == nullptr) return nullptr;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    const char* sign = ++at;
    if (at != end && (*at == '-' || *at == '+')) ++at;
    uint64_t exponent = 0;
    int64_t exponent_digits = 0;
    if ((at = ReadDigits(at, end, &exponent, &exponent_digits)) == nullptr) return nullptr;
    power = exponent_digits > 5 ? 99999 : static_cast<int64_t>(exponent);
    if (*sign == '-') power = -power;
  }
  power -= decimals;
  double wide = 0;
  if (digits + decimals <= 19 && mantissa < (uint64_t{1} << 53) && power >= -22 && power <= 22) {
    wide = static_cast<double>(mantissa);
    wide = power < 0 ? wide / kPowersOfTen[-power] : wide * kPowersOfTen[power];
    if (*begin == '-') wide = -wide;
  } else if (std::from_chars(begin, at, wide).ec != std::errc()) {
    return nullptr;
  }
  *value = static_cast<float>(wide);
  return at;
}

}  // namespace

extern "C" {

// Takes the array of every member "float32" out of a JSON text: its numbers go to `values`, their count to `lengths`,
// and the text without it, a marker and the array's number in its place, to `rest`. Answers how many arrays there were;
// -1 if the text has something that should better be looked at by a whole parser.
int64_t TakeFloats(const char* text, uint64_t size, const char* marker, float* values, uint64_t capacity,
                   uint32_t* lengths, uint64_t max_arrays, char* rest, uint64_t* rest_size) {
  const char* at = text;
  const char* const end = text + size;
  char* out = rest;
  uint64_t arrays = 0, used = 0;
  const uint64_t marker_size = std::strlen(marker);
  while (true) {
    const auto* found = static_cast<const char*>(memmem(at, end - at, kKey.data(), kKey.size()));
    const char* stop = found == nullptr ? end : found + kKey.size();
    std::memcpy(out, at, stop - at);
    out += stop - at;
    at = stop;
    if (found == nullptr) break;
    const bool is_key = found == text || found[-1] != '\\';
    const char* next = SkipBlanks(at, end);
    if (!is_key || next == end || *next != ':') continue;
    next = SkipBlanks(next + 1, end);
    if (next == end || *next != '[') continue;
    const uint64_t begin = used;
    do {
      next = SkipBlanks(next + 1, end);
      if (used == capacity) return -1;
      next = ReadNumber(next, end, &values[used++]);
      if (next == nullptr) return -1;
      next = SkipBlanks(next, end);
    } while (next != end && *next == ',');
    if (next == end || *next != ']' || arrays == max_arrays) return -1;
    lengths[arrays] = static_cast<uint32_t>(used - begin);
    *out++ = ':';
    *out++ = '"';
    std::memcpy(out, marker, marker_size);
    out = std::to_chars(out + marker_size, out + marker_size + 20, arrays).ptr;
    *out++ = '"';
    ++arrays;
    at = next + 1;
  }
  *rest_size = out - rest;
  return static_cast<int64_t>(arrays);
}

// "1,0.5,-3e+10": the shortest text of each float; `out` holds at least 16 bytes a number. Answers the size.
uint64_t WriteFloats(const float* values, uint64_t count, char* out) {
  char* at = out;
  for (uint64_t i = 0; i != count; ++i) {
    if (i != 0) *at++ = ',';
    at = std::to_chars(at, at + 16, values[i]).ptr;
  }
  return at - out;
}

}  // extern "C"
