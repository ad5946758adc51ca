// Text of packages and questions -> weighted words.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/package.h"

namespace s3v::catalogue {

// Word -> how often it occurs, each occurrence weighted by the field it stands in. Ordered, so that the same text
// always gives the same numbering of words.
using WordCounts = std::map<std::string, float>;

// What an occurrence counts for, by field. Found by looking at answers: a name is mostly words that no question has.
struct FieldWeights {
  float name = 0.5F;
  float description = 1.0F;
  float tags = 0.5F;
  float section = 1.0F;
};

// Words of prose, in order: lower case, without stop words and bare numbers, stemmed. "mp3" and "c++" are words;
// "python3" counts as "python3" and "python".
std::vector<std::string> SplitWords(std::string_view text);

// Undoes plurals and the commonest endings of verbs ("editing", "editor", "edited", "edits" -> "edit"), so that
// question and description meet. Crude on purpose: both sides go through it, so a stem need not be an English word.
std::string Stem(std::string word);

WordCounts WordsOfPackage(const Package& package, const FieldWeights& weights = {});
WordCounts WordsOfQuestion(std::string_view question);

}  // namespace s3v::catalogue
