#include "engine/recalibrate.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/parallel.h"
#include "engine/build_plan.h"
#include "engine/calibration.h"
#include "engine/entry_decoder.h"
#include "ivf/neighbour_levels.h"

namespace s3v {
namespace {

constexpr size_t kMostQueries = 256;
constexpr size_t kLeastQueries = 64;  // and rows
constexpr size_t kDrawnOfDouble = 3;  // drawn for each query where rows lie in two lists: some are dropped
constexpr uint64_t kReadAtOnce = 16u << 20;

// Tells the entries of one row from those of others, among some tens.
uint32_t RowMark(ByteView key) { return static_cast<uint32_t>(std::hash<std::string_view>{}(AsText(key))); }

// Entries in the assignment space of the new base, rotated.
struct EntryBlock {
  std::vector<float> vectors;
  std::vector<uint32_t> lists;
  std::vector<uint32_t> marks;
};

class Recalibration {
 public:
  Recalibration(const RecalibrationInput& input, ObjectStore& store, Stop& stop)
      : input_(input),
        stop_(stop),
        dimensions_(input.space.dimensions),
        width_(input.space.width()),
        block_rows_(std::clamp<size_t>(input.memory_bytes / 16 / (width_ * sizeof(float)), 64, 8192)),
        is_double_(input.navigation.shape.has_duplicates),
        decoder_(input.navigation, input.live, std::min<uint64_t>(input.memory_bytes / 8, kReadAtOnce), store),
        key_reader_(input.navigation, input.live, EntryParts::kKeys,
                    std::min<uint64_t>(input.memory_bytes / 8, kReadAtOnce), store) {
    for (const Piece& piece : input.navigation.pieces) {
      if (input.live.LiveIn(piece) > 0) pieces_.push_back(&piece);
    }
  }

  ProbeRule Run() {
    const uint64_t old_entries = input_.live.live();
    const uint64_t entries = old_entries + input_.rows.entries();
    if (entries < kLeastQueries) return EveryList(input_.tables.lists.count);
    SampleQueries(entries, old_entries);
    const size_t copies = is_double_ ? 2 : 1;
    LevelCounts counts(CountLevels(entries / copies), input_.tables.lists.count);
    const auto neighbours = FindNeighbours(entries, CountLevels(entries / copies), counts);
    // Twice: nor will the rows to come be like those that are there.
    return ChooseRule(RankLists(), neighbours, ListSizes(), counts, copies, CalibrationTarget(input_.recall));
  }

 private:
  // Entries are numbered: the live ones of the version, piece after piece, then those of the rows put.
  void SampleQueries(uint64_t entries, uint64_t old_entries) {
    // Each keeps its ranking of all lists until the rule is found.
    const uint64_t fit = input_.memory_bytes / 4 / (input_.tables.lists.count * sizeof(RankedList));
    const uint64_t count = std::clamp(fit, kLeastQueries, kMostQueries);
    Random random(input_.seed);
    const auto sampled = SampleNumbers(entries, std::min(entries, is_double_ ? kDrawnOfDouble * count : count), random);
    const auto new_ones = std::ranges::lower_bound(sampled, old_entries);
    SampleOld({sampled.begin(), new_ones});
    SampleNew({new_ones, sampled.end()}, old_entries);
    numbers_.resize(std::min<size_t>(numbers_.size(), count));
    queries_.resize(numbers_.size() * width_);
  }

  void SampleOld(std::span<const uint64_t> wanted) {
    std::vector<const Piece*> pieces;
    std::vector<uint64_t> first_number;
    uint64_t number = 0;
    auto next = wanted.begin();
    for (const Piece* piece : pieces_) {
      const uint64_t end = number + input_.live.LiveIn(*piece);
      if (next != wanted.end() && *next < end) {
        pieces.push_back(piece);
        first_number.push_back(number);
        while (next != wanted.end() && *next < end) ++next;
      }
      number = end;
    }
    size_t place = 0;
    const Piece* current = nullptr;
    next = wanted.begin();
    decoder_.Read(
        pieces,
        [&](const Piece& piece, uint32_t, ByteView key, std::span<const float> row) {
          if (&piece != current) number = first_number[place++];
          current = &piece;
          if (next == wanted.end() || *next != number++) return;
          if (!is_double_ || IsNearest(row, input_.places.place_of[piece.list])) AddQuery(*next, row, RowMark(key));
          ++next;
        },
        stop_);
  }

  // The second entry of a row is far from its centroid: what is decoded from it is too far off to be a query.
  bool IsNearest(std::span<const float> row, uint32_t list) {
    return input_.assigner.AssignRotated(row, false, stop_)[0].first == list;
  }

  void SampleNew(std::span<const uint64_t> wanted, uint64_t number) {
    std::vector<float> row(dimensions_);
    RowSpill::Payloads payloads = input_.rows.payloads();
    auto next = wanted.begin();
    input_.rows.ForEachListBlock(
        [&](uint64_t first, std::span<const ListPair> lists) {
          for (size_t i = 0; i < lists.size(); ++i) {
            payloads.Next();
            const uint64_t end = number + (lists[i].first == lists[i].second ? 1 : 2);
            if (next != wanted.end() && *next < end) {
              input_.rows.ReadVector(first + i, row);
              input_.navigation.base->rotation.Apply(row, row);
              AddQuery(*next, row, RowMark(payloads.key()));
            }
            while (next != wanted.end() && *next < end) ++next;
            number = end;
          }
        },
        stop_);
  }

  // `row` is rotated.
  void AddQuery(uint64_t number, std::span<const float> row, uint32_t mark) {
    queries_.resize(queries_.size() + width_);
    input_.space.PlaceQuery(row, std::span(queries_).last(width_));
    numbers_.push_back(number);
    marks_.push_back(mark);
  }

  std::vector<std::vector<RankedList>> RankLists() const {
    std::vector<std::vector<RankedList>> rankings(numbers_.size());
    ParallelFor(rankings.size(), 1, input_.threads, stop_, [&](size_t i, size_t) {
      ListRanking ranking(input_.tables, std::span(queries_).subspan(i * width_, dimensions_),
                          input_.tables.lists.count);
      ranking.RankAll();
      rankings[i].assign(ranking.ranked().begin(), ranking.ranked().end());
    });
    return rankings;
  }

  // By level, then query: the lists of the nearest rows. Counts what of each level the lists hold.
  NeighboursByLevel FindNeighbours(uint64_t entries, size_t levels, LevelCounts& counts) {
    // Of rows in two lists both entries come, and both of the query's own.
    const size_t wanted = is_double_ ? 2 * (kCalibrationNeighbours + 1) : kCalibrationNeighbours;
    NeighbourLevels nearest(queries_, width_, numbers_, wanted, levels);
    EntryBlock block;
    uint64_t done = 0;
    const auto flush = [&] {
      std::vector<uint64_t> numbers(block.lists.size());
      std::iota(numbers.begin(), numbers.end(), done);
      const std::vector<uint64_t> marks(block.marks.begin(), block.marks.end());
      nearest.Add(block.vectors, numbers, marks, block.lists, block.marks, input_.threads, stop_);
      for (size_t i = 0; i < marks.size(); ++i) counts.Add(block.lists[i], marks[i]);
      done += block.lists.size();
      input_.progress(done, entries);
      block = {};
    };
    const auto add = [&](std::span<const float> rotated_row, uint32_t list, uint32_t mark) {
      block.vectors.resize(block.vectors.size() + width_);
      input_.space.PlaceRow(rotated_row, std::span(block.vectors).last(width_));
      block.lists.push_back(list);
      block.marks.push_back(mark);
      if (block.lists.size() == block_rows_) flush();
    };
    decoder_.Read(
        pieces_,
        [&](const Piece& piece, uint32_t, ByteView key, std::span<const float> row) {
          add(row, input_.places.place_of[piece.list], RowMark(key));
        },
        stop_);
    AddNew(add);
    flush();
    auto neighbours = nearest.Take();
    if (is_double_) FindLists(neighbours);
    for (auto& level : neighbours) {
      for (size_t i = 0; i < level.size(); ++i) level[i] = ListsOfRows(level[i], marks_[i]);
    }
    return neighbours;
  }

  template <class AddEntry>
  void AddNew(const AddEntry& add) {
    std::vector<float> row(dimensions_);
    RowSpill::Payloads payloads = input_.rows.payloads();
    input_.rows.ForEachBlock(
        [&](uint64_t, std::span<const ListPair> lists, std::span<const float> vectors) {
          for (size_t i = 0; i < lists.size(); ++i) {
            payloads.Next();
            input_.navigation.base->rotation.Apply(vectors.subspan(i * dimensions_, dimensions_), row);
            add(row, lists[i].first, RowMark(payloads.key()));
            if (lists[i].second != lists[i].first) add(row, lists[i].second, RowMark(payloads.key()));
          }
        },
        stop_);
  }

  // Of the neighbours, which may have been found by one of their two entries only.
  void FindLists(const NeighboursByLevel& neighbours) {
    for (const auto& level : neighbours) {
      for (const std::vector<NearRow>& entries : level) {
        for (const NearRow& entry : entries) lists_of_.emplace(entry.lists.second, ListPair{kNoList, kNoList});
      }
    }
    const auto note = [&](uint32_t mark, uint32_t list) {
      const auto found = lists_of_.find(mark);
      if (found == lists_of_.end()) return;
      if (found->second.first == kNoList) found->second.first = list;
      found->second.second = list;
    };
    key_reader_.Read(
        pieces_,
        [&](const Piece& piece, uint32_t, const Entry& entry) {
          note(RowMark(entry.key), input_.places.place_of[piece.list]);
        },
        stop_);
    RowSpill::Payloads payloads = input_.rows.payloads();
    input_.rows.ForEachListBlock(
        [&](uint64_t, std::span<const ListPair> lists) {
          for (const ListPair& pair : lists) {
            payloads.Next();
            note(RowMark(payloads.key()), pair.first);
            note(RowMark(payloads.key()), pair.second);
          }
        },
        stop_);
  }

  // Entries with a list and a mark each, nearest first, as rows with the lists they lie in.
  std::vector<NearRow> ListsOfRows(std::span<const NearRow> entries, uint32_t own_mark) const {
    std::vector<NearRow> rows;
    std::vector<uint32_t> marks;
    for (const auto& [entry, squared_distance] : entries) {
      const auto [list, mark] = entry;
      if (!is_double_) {
        rows.push_back({{list, list}, squared_distance});
      } else if (rows.size() < kCalibrationNeighbours && mark != own_mark &&
                 std::ranges::find(marks, mark) == marks.end()) {
        rows.push_back({lists_of_.at(mark), squared_distance});
        marks.push_back(mark);
      }
    }
    return rows;
  }

  std::vector<uint32_t> ListSizes() {
    std::vector<uint32_t> sizes;
    for (const ListSize& put : input_.rows.Sizes(input_.tables.lists.count, stop_)) sizes.push_back(put.entries);
    for (const Piece* piece : pieces_) sizes[input_.places.place_of[piece->list]] += input_.live.LiveIn(*piece);
    return sizes;
  }

  const RecalibrationInput& input_;
  Stop& stop_;
  const size_t dimensions_;
  const size_t width_;
  const size_t block_rows_;
  const bool is_double_;  // rows lie in two lists each
  EntryDecoder decoder_;
  EntryReader key_reader_;
  std::vector<const Piece*> pieces_;                 // with something live
  std::vector<uint64_t> numbers_;                    // of the entries that are queries
  std::vector<float> queries_;                       // placed, rotated
  std::vector<uint32_t> marks_;                      // of their rows
  std::unordered_map<uint32_t, ListPair> lists_of_;  // by mark, of neighbours: kNoList where not yet found
};

}  // namespace

ProbeRule Recalibrate(const RecalibrationInput& input, ObjectStore& store, Stop& stop) {
  return Recalibration(input, store, stop).Run();
}

}  // namespace s3v
