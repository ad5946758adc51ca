// Which lists one query reads: as many as its k matches are likely to lie in, by what is known of filter and keys.
#pragma once

#include <cstdint>
#include <queue>
#include <span>
#include <vector>

#include "engine/matches.h"
#include "engine/search.h"
#include "engine/wave_scan.h"
#include "ivf/centroid_table.h"

namespace s3v {

class QuerySearch {
 public:
  // `matches`: null without a filter.
  QuerySearch(const Navigation& navigation, std::span<const float> query, const SearchOptions& options,
              Matches* matches);

  QueryScan scan;
  const std::vector<float> vector;  // as the user knows it

  // Candidates taken from `scan` whose raw vectors were looked at: they are handed out when nothing nearer can come.
  struct Later {
    bool operator()(const Candidate& a, const Candidate& b) const {
      return a.lower_bound != b.lower_bound ? a.lower_bound > b.lower_bound : a.key > b.key;
    }
  };
  std::priority_queue<Candidate, std::vector<Candidate>, Later> measured;

  // Lists from the front of the ranking that were read, or could not match.
  size_t read() const { return read_; }
  void set_read(size_t read) { read_ = read; }
  size_t list_count() const { return ranking_.list_count(); }
  bool is_exhausted() const { return read_ == list_count(); }

  // The list of that rank.
  const RankedList& ranked(size_t rank) {
    if (rank >= ranking_.ranked().size()) ranking_.RankAll();
    return ranking_.ranked()[rank];
  }

  // No list can hold another key that may come back.
  bool HasAllOfOnly() const { return options_.only != nullptr && scan.only_seen.size() == options_.only->size(); }

  // How many lists should be read, by what was found so far and is expected of the rest: read() when these are enough.
  size_t WantedLists();

 private:
  bool is_narrowed() const { return matches_ != nullptr || options_.only != nullptr; }
  // Where the walk through the ranked lists meets the k-th match.
  struct Start {
    bool is_met = false;
    size_t rank = 0;
    double entries = 0;  // that hold k matches, among lists with any
  };
  Start FindStart();
  size_t ListsByEntries();
  size_t ListsByMatches();
  size_t ListsWithin(double distance);
  bool HoldMatchesOnly(size_t lists);
  bool AreKeysFew() const;
  bool HasFound() const;
  struct Guess {
    double matches = 0;
    double chance = 0;  // that there are any
  };
  Guess ExpectedIn(size_t rank);
  double OnlyShare() const;
  double WantedMatches() const;
  double WantedEntries() const;
  double DistanceOfFound() const;
  double DistanceOf(size_t rank);  // from the query to the centroid, in the assignment space

  const Navigation& navigation_;
  const SearchOptions& options_;
  Matches* const matches_;
  ListRanking ranking_;
  size_t read_ = 0;
  size_t lists_bounded_ = 0;  // by the k-th match; 0: it was not yet found
};

}  // namespace s3v
