// FindMisplaced: what lists near a split one hold that is better off in its parts.
#include <algorithm>
#include <numeric>

#include "engine/entry_decoder.h"
#include "engine/relist.h"
#include "ivf/kernels/kernels.h"

namespace s3v {
namespace {

constexpr size_t kNeighbours = 8;  // lists that are looked at for each new one
constexpr float kNearer = 0.8F;    // squared distance to the new list, of that to the old one, for which a row moves

std::span<const float> CentroidOf(const Centroids& centroids, size_t place) {
  return std::span(centroids.lists).subspan(place * centroids.width, centroids.width);
}

// Old lists, ascending, among the nearest of any list that was made.
std::vector<uint32_t> NeighboursOfMade(const ListPlaces& places, const Centroids& centroids, Stop& stop) {
  std::vector<uint32_t> old_of(places.is_made.size(), kNoList);
  for (uint32_t old = 0; old < places.place_of.size(); ++old) {
    if (places.place_of[old] != kNoList) old_of[places.place_of[old]] = old;
  }
  std::vector<bool> is_near(places.place_of.size());
  std::vector<float> distances(old_of.size());
  for (size_t made = 0; made < old_of.size(); ++made) {
    if (!places.is_made[made]) continue;
    stop.Check();
    kernels::SquaredL2Rows(CentroidOf(centroids, made).data(), centroids.lists.data(), distances.size(),
                           centroids.width, distances.data());
    std::vector<uint32_t> staying;
    for (uint32_t place = 0; place < old_of.size(); ++place) {
      if (old_of[place] != kNoList) staying.push_back(place);
    }
    const size_t count = std::min(kNeighbours, staying.size());
    std::ranges::partial_sort(staying, staying.begin() + static_cast<ptrdiff_t>(count), {},
                              [&](uint32_t place) { return distances[place]; });
    for (size_t i = 0; i < count; ++i) is_near[old_of[staying[i]]] = true;
  }
  std::vector<uint32_t> near;
  for (uint32_t old = 0; old < is_near.size(); ++old) {
    if (is_near[old]) near.push_back(old);
  }
  return near;
}

class MisplacedSearch {
 public:
  MisplacedSearch(const ListPlaces& places, RowAssigner& assigner, size_t most_rows, const VisitMisplaced& visit,
                  Stop& stop)
      : places_(places), assigner_(assigner), most_rows_(most_rows), visit_(visit), stop_(stop) {}

  void Add(const Piece& piece, uint32_t position, ByteView key, std::span<const float> row) {
    Append(keys_, key);
    rows_.insert(rows_.end(), row.begin(), row.end());
    entries_.push_back({&piece, position, keys_.size()});
    if (entries_.size() == most_rows_) Flush();
  }

  void Flush() {
    if (entries_.empty()) return;
    const std::vector<ListPair> nearest = assigner_.AssignRotated(rows_, false, stop_);
    size_t key_begin = 0;
    for (size_t i = 0; i < entries_.size(); ++i) {
      const auto& [piece, position, key_end] = entries_[i];
      const uint32_t list = nearest[i].first;
      if (places_.is_made[list] && Distance(i, list) < kNearer * Distance(i, places_.place_of[piece->list]))
        visit_(*piece, position, ByteView(keys_).subspan(key_begin, key_end - key_begin));
      key_begin = key_end;
    }
    rows_.clear();
    entries_.clear();
    keys_.clear();
  }

 private:
  struct Decoded {
    const Piece* piece;
    uint32_t position;
    size_t key_end;  // in keys_
  };

  float Distance(size_t i, uint32_t place) const {
    const Centroids& centroids = assigner_.centroids();
    float distance = 0;
    kernels::SquaredL2Rows(assigner_.placed().data() + i * centroids.width, CentroidOf(centroids, place).data(), 1,
                           centroids.width, &distance);
    return distance;
  }

  const ListPlaces& places_;
  RowAssigner& assigner_;
  const size_t most_rows_;
  const VisitMisplaced& visit_;
  Stop& stop_;
  std::vector<float> rows_;
  std::vector<Decoded> entries_;
  Bytes keys_;
};

}  // namespace

void FindMisplaced(const Navigation& navigation, const LiveMap& live, const ListPlaces& places, RowAssigner& assigner,
                   size_t memory_bytes, const VisitMisplaced& visit, ObjectStore& store, Stop& stop) {
  std::vector<const Piece*> pieces;
  for (const uint32_t list : NeighboursOfMade(places, assigner.centroids(), stop)) {
    for (uint32_t p = navigation.first_piece[list]; p < navigation.first_piece[list + 1]; ++p) {
      if (live.LiveIn(navigation.pieces[p]) > 0) pieces.push_back(&navigation.pieces[p]);
    }
  }
  const size_t row_bytes = assigner.centroids().width * sizeof(float);
  MisplacedSearch search(places, assigner, std::clamp<size_t>(memory_bytes / 32 / row_bytes, 64, 4096), visit, stop);
  EntryDecoder(navigation, live, memory_bytes / 8, store)
      .Read(
          pieces,
          [&](const Piece& piece, uint32_t position, ByteView key, std::span<const float> row) {
            search.Add(piece, position, key, row);
          },
          stop);
  search.Flush();
}

}  // namespace s3v
