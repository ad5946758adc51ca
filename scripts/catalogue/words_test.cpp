#include "catalogue/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace s3v::catalogue {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(SplitWords, LowersSplitsAndDropsStopWords) {
  EXPECT_THAT(SplitWords("The PDF-tool, for X11 and (GTK+)"), ElementsAre("pdf", "tool", "x11", "gtk"));
  EXPECT_THAT(SplitWords("of the 3.14 1000"), IsEmpty());
  EXPECT_THAT(SplitWords(""), IsEmpty());
}

TEST(SplitWords, KeepsDigitsInsideWordsAndTheNamesOfLanguages) {
  EXPECT_THAT(SplitWords("python3 mp3 3d utf8"), ElementsAre("python3", "python", "mp3", "mp", "3d", "utf8", "utf"));
  EXPECT_THAT(SplitWords("C++ c+ ++ a++b"), ElementsAre("c++", "c", "a++", "b"));
}

TEST(SplitWords, TypographicPunctuationSeparatesAndOtherScriptsAreLetters) {
  EXPECT_THAT(SplitWords("GNOME\u2019s theme\u2014files caf\u00E9"), ElementsAre("gnom", "them", "fil", "caf\u00E9"));
}

TEST(Stem, EndingsOfOneWordMeet) {
  for (const char* word : {"edits", "editor", "editors", "editing", "edited"}) EXPECT_EQ(Stem(word), "edit") << word;
  for (const char* word : {"annotate", "annotating", "annotation", "annotations", "annotator", "annotated"}) {
    EXPECT_EQ(Stem(word), "annot") << word;
  }
  for (const char* word : {"manage", "manager", "managing", "managed", "management"}) {
    EXPECT_EQ(Stem(word), "manag") << word;
  }
  for (const char* word : {"libraries", "library"}) EXPECT_EQ(Stem(word), "library") << word;
  for (const char* word : {"logging", "logger", "log", "logs"}) {
    EXPECT_EQ(Stem(word), "log") << word;
  }
}

TEST(Stem, LeavesShortWordsAndOthersAlone) {
  for (const char* word :
       {"string", "red", "bus", "css", "analysis", "process", "x11", "c++", "caf\u00E9s", "is", "s"}) {
    EXPECT_EQ(Stem(word), word);
  }
}

TEST(WordsOfPackage, WeighsWordsByField) {
  Package package;
  package.name = "libxpdf2";
  package.description = "viewing PDF";
  package.section = "text";
  package.tags = {"use::viewing", "works-with-format::pdf", "implemented-in::c++", "devel::TODO"};
  EXPECT_THAT(WordsOfPackage(package, {.name = 1, .description = 2, .tags = 4, .section = 8}),
              UnorderedElementsAre(Pair("libxpdf2", 1), Pair("libxpdf", 1), Pair("xpdf2", 1), Pair("xpdf", 1),
                                   Pair("view", 6), Pair("pdf", 6), Pair("text", 8)));
}

TEST(WordsOfQuestion, CountsWords) {
  EXPECT_THAT(WordsOfQuestion("convert files: a file converter"),
              UnorderedElementsAre(Pair("convert", 2), Pair("fil", 2)));
}

}  // namespace
}  // namespace s3v::catalogue
