// Everything that is ever asked of an index, as one text: two indexes that hold the same answer the same.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "engine/snapshot.h"
#include "filter/expression.h"
#include "store/object_store.h"

namespace s3v::fuzz {

struct Questions {
  VersionNames names;
  std::vector<std::vector<float>> queries;
  std::vector<const Expression*> filters;  // not owned
  std::vector<std::string> keys;           // ascending: looked up in the key planes
  size_t k = 10;
  bool repeats = true;  // the same search again, as a session does: from what the local cache has by then

  // A search takes distances from raw vectors where the local cache has them, else from codes: with a cache between,
  // which candidates come and how near they are said to be depends on what it has. Then each has to be a `known` one,
  // from searches without a cache, and only searches for everything tell which keys come. Of a row in two lists either
  // entry may be the one: then keys alone are compared.
  std::set<std::string>* learnt = nullptr;
  const std::set<std::string>* known = nullptr;
};

// One answer of each kind, by its name: searches as the version's rule has it, over all lists, filtered, by raw
// vectors, with metadata; the whole contents by key planes; look-ups by key; every entry with all its parts.
// What a question throws is not caught.
using Ask = std::string (*)(const Questions& questions, const Navigation& navigation, ObjectStore& store);
struct Question {
  const char* name;
  Ask ask;
};
const std::vector<Question>& AllQuestions();

// Opened anew, from the store.
std::shared_ptr<const Navigation> OpenVersion(const Questions& questions, ObjectStore& store);

}  // namespace s3v::fuzz
