#include "engine/matches.h"

#include <algorithm>
#include <cmath>

#include "format/coding.h"

namespace s3v {
namespace {

constexpr size_t kWordBits = 64;
constexpr float kDoubt = 4;  // a guess may be so many times too high

}  // namespace

Matches::Matches(const Navigation& navigation, const Expression& filter)
    : navigation_(navigation), filter_(filter), states_(navigation.pieces.size()), summaries_(filter.columns().size()) {
  JudgeSegments();
}

// A segment that tells spares a look at each of its pieces.
void Matches::JudgeSegments() {
  std::vector<ColumnSummary> all(navigation_.shape.metadata_columns);
  for (const LiveSegment& segment : navigation_.segments) {
    Decoder decoder(segment.info.summaries, segment.key);
    for (ColumnSummary& summary : all) summary = ReadSummary(decoder, segment.info.entries);
    for (size_t i = 0; i < summaries_.size(); ++i) summaries_[i] = all[filter_.columns()[i]];
    segments_.push_back(filter_.Judge(summaries_));
  }
}

void Matches::Judge(uint32_t number, State& state) {
  const Piece& piece = navigation_.pieces[number];
  MatchOutlook outlook = segments_[piece.segment];
  if (outlook.kind == MatchOutlook::Kind::kSome) {
    for (size_t i = 0; i < summaries_.size(); ++i) summaries_[i] = navigation_.SummaryOf(piece, filter_.columns()[i]);
    outlook = filter_.Judge(summaries_);
  }
  switch (outlook.kind) {
    case MatchOutlook::Kind::kNone:
      state = {.kind = Kind::kNone};
      break;
    case MatchOutlook::Kind::kAll:
      state = {.kind = Kind::kAll, .matches = static_cast<float>(piece.count)};
      break;
    case MatchOutlook::Kind::kSome:
      state = {.kind = outlook.is_counted ? Kind::kCounted : Kind::kGuessed,
               .matches = static_cast<float>(outlook.share * piece.count)};
      break;
  }
}

double Matches::Expected(uint32_t piece) {
  const State& state = StateOf(piece);
  return state.kind == Kind::kGuessed ? state.matches * (1 + found_) / (1 + guessed_) : state.matches;
}

double Matches::Chance(uint32_t piece) {
  if (StateOf(piece).kind == Kind::kGuessed) return 1 - std::exp(-Expected(piece) / kDoubt);
  return StateOf(piece).matches > 0 ? 1 : 0;
}

void Matches::Decide(uint32_t piece, std::span<const ColumnRange> columns) {
  const uint32_t count = navigation_.pieces[piece].count;
  passing_.resize(std::max<size_t>(passing_.size(), count));
  filter_.MatchAll(columns, std::span(passing_).first(count));
  State& state = StateOf(piece);
  const bool was_guessed = state.kind == Kind::kGuessed;
  if (was_guessed) guessed_ += state.matches;
  state = {.kind = Kind::kDecided, .first_word = static_cast<uint32_t>(bits_.size())};
  bits_.resize(bits_.size() + (count + kWordBits - 1) / kWordBits);
  uint64_t* words = bits_.data() + state.first_word;
  uint32_t matches = 0;
  for (uint32_t i = 0; i < count; ++i) {
    words[i / kWordBits] |= uint64_t{passing_[i]} << (i % kWordBits);
    matches += passing_[i];
  }
  state.matches = static_cast<float>(matches);
  if (was_guessed) found_ += matches;
}

void Matches::Get(uint32_t piece, std::span<uint8_t> passing) {
  const State& state = StateOf(piece);
  const std::span<uint8_t> entries = passing.first(navigation_.pieces[piece].count);
  if (state.kind != Kind::kDecided) {
    std::ranges::fill(entries, state.kind == Kind::kAll ? 1 : 0);
    return;
  }
  const uint64_t* words = bits_.data() + state.first_word;
  for (size_t i = 0; i < entries.size(); ++i) entries[i] = words[i / kWordBits] >> (i % kWordBits) & 1;
}

}  // namespace s3v
