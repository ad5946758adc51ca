// Pages of vectors as QueryVectors and ListVectors answer them, read without a tree.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "s3vectors/service_client.h"

namespace s3v {

struct AnsweredVector {
  std::string key;
  float distance = 0;         // NaN: it has none
  std::string_view vector;    // the text of its list of numbers; empty: it has none
  std::string_view metadata;  // the text of an object; empty: it has none
};

// `on_vector` is called for each in order; views live during the call. Answers the token of the next page; empty:
// there is none. Throws kCorrupted for an answer that is no such page.
std::string ReadVectorPage(const ServiceCall& call, const std::function<void(const AnsweredVector&)>& on_vector);

}  // namespace s3v
