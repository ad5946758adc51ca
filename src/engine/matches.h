// What is known of the entries that pass a filter: from summaries at once, from columns once they were read.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/snapshot.h"
#include "filter/expression.h"

namespace s3v {

// Pieces are named by their number in the navigation's table. Shared by all queries of a search; masks are not part of
// it.
class Matches {
 public:
  Matches(const Navigation& navigation, const Expression& filter);

  const Expression& filter() const { return filter_; }
  // False when summaries or columns say that nothing in it matches.
  bool MayHave(uint32_t piece) { return StateOf(piece).matches > 0; }
  bool AreAll(uint32_t piece) { return StateOf(piece).kind == Kind::kAll; }
  // Whether only its columns can tell which entries match.
  bool NeedsColumns(uint32_t piece) {
    const Kind kind = StateOf(piece).kind;
    return kind == Kind::kGuessed || kind == Kind::kCounted;
  }
  // How many match, and how likely any do: for certain once columns were read, or where summaries count. Guesses are
  // corrected by what came of those that were decided.
  double Expected(uint32_t piece);
  double Chance(uint32_t piece);

  // By its columns, in the order of filter().columns(): which entries match, from now on.
  void Decide(uint32_t piece, std::span<const ColumnRange> columns);
  // Which entries match. REQUIRES: !NeedsColumns(piece), and room for its entries.
  void Get(uint32_t piece, std::span<uint8_t> passing);

 private:
  enum class Kind : uint8_t { kUnseen, kNone, kAll, kCounted, kGuessed, kDecided };
  struct State {
    Kind kind = Kind::kUnseen;
    uint32_t first_word = 0;  // kDecided: of its bits
    float matches = 0;
  };
  State& StateOf(uint32_t piece) {
    State& state = states_[piece];
    if (state.kind == Kind::kUnseen) Judge(piece, state);
    return state;
  }
  void JudgeSegments();
  void Judge(uint32_t piece, State& state);

  const Navigation& navigation_;
  const Expression& filter_;
  std::vector<MatchOutlook> segments_;
  std::vector<State> states_;
  std::vector<uint64_t> bits_;  // piece after piece, in the order in which they were decided
  double guessed_ = 0;          // matches in pieces that were decided, by their summaries
  double found_ = 0;            // the same by their columns
  std::vector<ColumnSummary> summaries_;
  std::vector<uint8_t> passing_;
};

}  // namespace s3v
