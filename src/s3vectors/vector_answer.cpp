#include "s3vectors/vector_answer.h"

#include <cctype>
#include <limits>

#include "base/error.h"
#include "s3vectors/json_cursor.h"

namespace s3v {
namespace {

// Anything but a number is none.
bool ReadDistance(JsonCursor& cursor, float* distance) {
  std::string_view other;
  if (cursor.Peek() != '-' && std::isdigit(static_cast<unsigned char>(cursor.Peek())) == 0) {
    return cursor.SkipValue(&other);
  }
  double value = 0;
  if (!cursor.ReadNumber(&value)) return false;
  *distance = static_cast<float>(value);
  return true;
}

// {"float32":[...]}
bool ReadData(JsonCursor& cursor, std::string_view* vector) {
  std::string_view other;
  if (cursor.Peek() != '{') return cursor.SkipValue(&other);
  return cursor.ReadObject(
      [&](std::string_view name) { return cursor.SkipValue(name == "float32" ? vector : &other); });
}

bool ReadVector(JsonCursor& cursor, AnsweredVector* vector) {
  bool has_key = false;
  vector->distance = std::numeric_limits<float>::quiet_NaN();
  vector->vector = {};
  vector->metadata = {};
  const bool is_object = cursor.ReadObject([&](std::string_view name) {
    std::string_view other;
    if (name == "key") return has_key = cursor.ReadString(&vector->key);
    if (name == "distance") return ReadDistance(cursor, &vector->distance);
    if (name == "metadata" && cursor.Peek() == '{') return cursor.SkipValue(&vector->metadata);
    if (name == "data") return ReadData(cursor, &vector->vector);
    return cursor.SkipValue(&other);
  });
  return is_object && has_key;
}

// An absent token and an empty one mean the same; null is as good as absent.
bool ReadToken(JsonCursor& cursor, std::string* token) {
  return cursor.Peek() == 'n' ? cursor.ReadNull() : cursor.ReadString(token);
}

}  // namespace

std::string ReadVectorPage(const ServiceCall& call, const std::function<void(const AnsweredVector&)>& on_vector) {
  JsonCursor cursor(AsText(call.answer));
  std::string token;
  bool has_vectors = false;
  AnsweredVector vector;
  const auto on_element = [&] {
    if (!ReadVector(cursor, &vector)) return false;
    on_vector(vector);
    return true;
  };
  const bool is_object = cursor.ReadObject([&](std::string_view name) {
    std::string_view other;
    if (name == "vectors") return has_vectors = cursor.ReadList(on_element);
    return name == "nextToken" ? ReadToken(cursor, &token) : cursor.SkipValue(&other);
  });
  if (!is_object || !has_vectors || !cursor.AtEnd()) {
    throw Error(Code::kCorrupted, "the answer of " + std::string(TraitsOf(call.operation).name) +
                                      " about remote index \"" + call.subject + "\" is no list of vectors");
  }
  return token;
}

}  // namespace s3v
