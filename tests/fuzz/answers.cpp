#include "fuzz/answers.h"

#include <algorithm>
#include <bit>

#include "engine/contents.h"
#include "engine/entry_reader.h"
#include "engine/key_lookup.h"
#include "engine/search.h"

namespace s3v::fuzz {
namespace {

void Put(std::string& text, const void* bytes, size_t size) { text.append(static_cast<const char*>(bytes), size); }
template <class T>
void PutNumber(std::string& text, T number) {
  Put(text, &number, sizeof number);
}
void PutBytes(std::string& text, ByteView bytes) {
  PutNumber(text, bytes.size());
  Put(text, bytes.data(), bytes.size());
}

std::string TextOf(const Candidate& candidate) {
  std::string text;
  PutBytes(text, AsBytes(candidate.key));
  PutNumber(text, candidate.estimate);
  PutNumber(text, candidate.lower_bound);
  return text;
}

void PutCandidates(std::string& text, const Questions& questions, const std::vector<float>& query,
                   const std::vector<Candidate>& found, bool is_everything, bool has_duplicates) {
  const std::string prefix(reinterpret_cast<const char*>(query.data()), query.size() * sizeof(float));
  std::set<std::string> keys;
  for (const Candidate& candidate : found) {
    const std::string whole = TextOf(candidate);
    const std::string seen = prefix + (has_duplicates ? candidate.key : whole);
    if (questions.learnt != nullptr) questions.learnt->insert(seen);
    if (questions.known == nullptr) {
      text += whole;
    } else if (!questions.known->contains(seen)) {
      text += "never seen: " + whole;
    }
    keys.insert(candidate.key);
  }
  if (questions.known == nullptr || !is_everything) return;
  for (const std::string& key : keys) PutBytes(text, AsBytes(key));
}

std::string SearchWith(const Questions& questions, const Navigation& navigation, ObjectStore& store,
                       SearchOptions options, bool with_metadata) {
  NeverStop stop;
  std::string text;
  // Not owned here: the caller's lives as long.
  const std::shared_ptr<const Navigation> shared(&navigation, [](const Navigation*) {});
  for (const std::vector<float>& query : questions.queries) {
    for (int round = 0; round < (questions.repeats ? 2 : 1); ++round) {
      Search search(shared, query, options, store);
      const std::vector<Candidate> found = search.Next(options.k, stop);
      const bool is_everything = options.k > navigation.state.entries;
      PutCandidates(text, questions, query, found, is_everything, navigation.shape.has_duplicates);
      if (!with_metadata || questions.known != nullptr) continue;
      std::vector<EntryPlace> places;
      for (const Candidate& candidate : found) places.push_back(candidate.place);
      for (const Bytes& row : search.ReadMetadata(places, stop)) PutBytes(text, row);
    }
  }
  return text;
}

// A k beyond all entries has every code scored.
SearchOptions Everything(const Navigation& navigation, bool raw_from_store) {
  const size_t k = std::min<uint64_t>(navigation.state.entries + 1, 10'000);
  return {.k = k, .probes = navigation.list_sizes.size(), .raw_from_store = raw_from_store};
}

std::string ByRule(const Questions& questions, const Navigation& navigation, ObjectStore& store) {
  return SearchWith(questions, navigation, store, {.k = questions.k}, true);
}

std::string OverAllLists(const Questions& questions, const Navigation& navigation, ObjectStore& store) {
  return SearchWith(questions, navigation, store, Everything(navigation, false), true);
}

std::string ByRawVectors(const Questions& questions, const Navigation& navigation, ObjectStore& store) {
  std::string text = SearchWith(questions, navigation, store, {.k = questions.k, .raw_from_store = true}, false);
  return text + SearchWith(questions, navigation, store, Everything(navigation, true), false);
}

std::string Filtered(const Questions& questions, const Navigation& navigation, ObjectStore& store) {
  std::string text;
  for (const Expression* filter : questions.filters) {
    text += SearchWith(questions, navigation, store, {.k = questions.k, .filter = filter}, false);
  }
  return text;
}

std::string Contents(const Questions&, const Navigation& navigation, ObjectStore& store) {
  NeverStop stop;
  const std::shared_ptr<const Navigation> shared(&navigation, [](const Navigation*) {});
  IndexContents contents(shared, {}, store);
  std::string text;
  ByteView key;
  for (uint64_t hash = 0; contents.Next(&key, &hash, stop);) {
    PutBytes(text, key);
    PutNumber(text, hash);
  }
  return text;
}

std::string LookUps(const Questions& questions, const Navigation& navigation, ObjectStore& store) {
  NeverStop stop;
  std::string text;
  for (const FoundEntry& found : FindEntries(navigation, questions.keys, {}, store, stop)) {
    PutNumber(text, found.segment);
    PutNumber(text, found.position);
    PutNumber(text, found.key);
  }
  return text;
}

std::string Entries(const Questions&, const Navigation& navigation, ObjectStore& store) {
  NeverStop stop;
  const LiveMap live(navigation);
  EntryReader reader(navigation, live, EntryParts::kAll, 1 << 20, store);
  std::vector<const Piece*> pieces;
  for (const Piece& piece : navigation.pieces) pieces.push_back(&piece);
  std::string text;
  reader.Read(
      pieces,
      [&](const Piece& piece, uint32_t position, const Entry& entry) {
        PutNumber(text, piece.list_id);
        PutNumber(text, position);
        PutBytes(text, entry.key);
        Put(text, entry.signs.data(), entry.signs.size_bytes());
        Put(text, entry.extension.data(), entry.extension.size_bytes());
        PutNumber(text, entry.sign_factors);
        if (navigation.shape.bits > 1) PutNumber(text, entry.code_factors);
        Put(text, entry.vector.data(), entry.vector.size_bytes());
        PutBytes(text, entry.metadata);
        PutNumber(text, entry.content_hash);
      },
      stop);
  return text;
}

}  // namespace

const std::vector<Question>& AllQuestions() {
  static const auto* questions = new std::vector<Question>{
      {"search by rule", ByRule},
      {"search of all lists", OverAllLists},
      {"search by raw vectors", ByRawVectors},
      {"filtered searches", Filtered},
      {"contents", Contents},
      {"look-ups", LookUps},
      {"entries", Entries},
  };
  return *questions;
}

std::shared_ptr<const Navigation> OpenVersion(const Questions& questions, ObjectStore& store) {
  NeverStop stop;
  return NavigationCache().Open(questions.names, store, stop);
}

}  // namespace s3v::fuzz
