#include "catalogue/words.h"

#include <algorithm>
#include <array>

#include "catalogue/text.h"

namespace s3v::catalogue {
namespace {

// Sorted. Besides the usual ones, praise that packages of every kind give themselves ("simple", "powerful").
constexpr std::array kStopWords = std::to_array<std::string_view>(
    {"a",      "about", "all",      "also",  "an",    "and",  "any",   "are",         "as",       "at",
     "be",     "been",  "but",      "by",    "can",   "do",   "does",  "each",        "easy",     "efficient",
     "etc",    "fast",  "flexible", "for",   "from",  "good", "has",   "have",        "high",     "how",
     "i",      "if",    "in",       "into",  "is",    "it",   "its",   "lightweight", "like",     "low",
     "may",    "me",    "modern",   "more",  "most",  "my",   "new",   "nice",        "no",       "not",
     "of",     "on",    "one",      "or",    "other", "our",  "out",   "over",        "powerful", "s",
     "simple", "small", "so",       "some",  "such",  "t",    "than",  "that",        "the",      "their",
     "them",   "then",  "there",    "these", "they",  "this", "those", "tiny",        "to",       "up",
     "upon",   "use",   "used",     "uses",  "using", "via",  "want",  "was",         "we",       "were",
     "what",   "when",  "where",    "which", "who",   "will", "with",  "you",         "your"});
static_assert(std::is_sorted(kStopWords.begin(), kStopWords.end()));

bool IsStopWord(std::string_view word) { return std::binary_search(kStopWords.begin(), kStopWords.end(), word); }

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
// Every byte of a UTF-8 sequence counts as a letter.
bool IsWordByte(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || static_cast<uint8_t>(c) >= 0x80; }
bool IsVowel(char c) { return std::string_view("aeiouy").find(c) != std::string_view::npos; }

// General Punctuation (U+2000 to U+206F): typographic quotes and dashes.
bool IsPunctuation(std::string_view text) { return text.starts_with("\xE2\x80") || text.starts_with("\xE2\x81"); }

// Runs of letters and digits, in lower case; a double plus at the end belongs to the word ("c++").
std::vector<std::string> RawWords(std::string_view text) {
  const std::string lower = LowerCase(text);
  std::string_view rest = lower;
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  while (!rest.empty()) {
    size_t step = 1;
    if (IsPunctuation(rest)) {
      end_word();
      step = 3;
    } else if (IsWordByte(rest.front())) {
      word += rest.front();
    } else if (!word.empty() && rest.starts_with("++")) {
      word += "++";
      end_word();
      step = 2;
    } else {
      end_word();
    }
    rest.remove_prefix(std::min(step, rest.size()));
  }
  end_word();
  return words;
}

bool IsNumber(std::string_view word) { return std::all_of(word.begin(), word.end(), IsDigit); }

// "python3" -> "python", "libssl" -> "": the letters before the digits at the end, when there are both.
std::string_view WithoutNumber(std::string_view word) {
  const size_t letters = word.find_last_not_of("0123456789") + 1;
  if (letters < 2 || letters == word.size()) return {};
  const std::string_view head = word.substr(0, letters);
  return std::any_of(head.begin(), head.end(), IsDigit) ? std::string_view() : head;
}

void AppendWord(std::vector<std::string>& words, const std::string& word) {
  if (IsStopWord(word) || IsNumber(word)) return;
  words.push_back(Stem(word));
  if (const std::string_view head = WithoutNumber(word); !head.empty() && !IsStopWord(head)) {
    words.push_back(Stem(std::string(head)));
  }
}

// Parts of a package name. "libpoppler" is also "poppler", for that is what its siblings are called.
std::vector<std::string> NameWords(std::string_view name) {
  std::vector<std::string> words;
  for (const std::string& part : RawWords(name)) {
    AppendWord(words, part);
    if (part.starts_with("lib") && part.size() >= 6 && part != "library") AppendWord(words, part.substr(3));
  }
  return words;
}

// Facets that say what a package is made of rather than what it is for; "TODO" marks an unfinished review.
bool IsTelling(std::string_view tag) {
  static constexpr std::array kSilentFacets =
      std::to_array<std::string_view>({"implemented-in::", "made-of::", "scope::", "suite::", "uitoolkit::"});
  return !tag.ends_with("::TODO") &&
         std::none_of(kSilentFacets.begin(), kSilentFacets.end(), [&](auto facet) { return tag.starts_with(facet); });
}

std::string_view ValueOfTag(std::string_view tag) {
  const size_t separator = tag.find("::");
  return separator == std::string_view::npos ? tag : tag.substr(separator + 2);
}

void Count(WordCounts& counts, const std::vector<std::string>& words, float weight) {
  if (weight <= 0.0F) return;
  for (const std::string& word : words) counts[word] += weight;
}

struct Ending {
  std::string_view text;
  size_t least_stem;  // letters that must remain
};

// Longest first, so that "annotating" and "annotation" meet in "annot".
constexpr std::array kEndings = std::to_array<Ending>({{"ization", 3},
                                                       {"isation", 3},
                                                       {"izing", 3},
                                                       {"ising", 4},
                                                       {"ation", 4},
                                                       {"ating", 4},
                                                       {"ement", 4},
                                                       {"izer", 3},
                                                       {"ized", 3},
                                                       {"ator", 4},
                                                       {"ated", 4},
                                                       {"ment", 5},
                                                       {"ize", 3},
                                                       {"ise", 5},
                                                       {"ate", 4},
                                                       {"ing", 3},
                                                       {"ed", 3},
                                                       {"er", 4},
                                                       {"or", 4}});

void StripPlural(std::string& word) {
  if (word.size() < 4 || !word.ends_with('s') || word.ends_with("ss") || word.ends_with("us") || word.ends_with("is")) {
    return;
  }
  if (word.size() > 4 && word.ends_with("ies")) {
    word.replace(word.size() - 3, 3, "y");
  } else if (word.ends_with("sses") || word.ends_with("shes") || word.ends_with("ches") || word.ends_with("xes")) {
    word.resize(word.size() - 2);
  } else {
    word.pop_back();
  }
}

// "logg" -> "log"; "call" and "process" stay.
void UndoubleConsonant(std::string& word) {
  const size_t size = word.size();
  if (size < 4 || word[size - 1] != word[size - 2]) return;
  if (std::string_view("aeioulsz").find(word.back()) == std::string_view::npos) word.pop_back();
}

}  // namespace

std::string Stem(std::string word) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  if (!std::all_of(word.begin(), word.end(), is_letter)) return word;
  StripPlural(word);
  for (const Ending& ending : kEndings) {
    if (!word.ends_with(ending.text)) continue;
    const size_t rest = word.size() - ending.text.size();
    if (rest < ending.least_stem || std::none_of(word.begin(), word.begin() + rest, IsVowel)) continue;
    word.resize(rest);
    UndoubleConsonant(word);
    break;
  }
  if (word.size() > 3 && word.ends_with('e')) word.pop_back();
  return word;
}

std::vector<std::string> SplitWords(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string& word : RawWords(text)) AppendWord(words, word);
  return words;
}

WordCounts WordsOfPackage(const Package& package, const FieldWeights& weights) {
  WordCounts counts;
  Count(counts, NameWords(package.name), weights.name);
  Count(counts, SplitWords(package.description), weights.description);
  Count(counts, SplitWords(package.section), weights.section);
  for (const std::string& tag : package.tags) {
    if (IsTelling(tag)) Count(counts, SplitWords(ValueOfTag(tag)), weights.tags);
  }
  return counts;
}

WordCounts WordsOfQuestion(std::string_view question) {
  WordCounts counts;
  Count(counts, SplitWords(question), 1.0F);
  return counts;
}

}  // namespace s3v::catalogue
