#include "engine/wave_scan.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "engine/piece_scan.h"

namespace s3v {
namespace {

// Candidates kept beyond the k nearest by their upper bounds: rows that the caller's snapshot does not see, or that a
// duplicate hides, do not make it scan again.
size_t WantedFor(const SearchOptions& options) { return options.k + std::max<size_t>(6, options.k / 4); }

// Room beyond those: entries whose bounds overlap. Coarse codes overlap more.
size_t CapacityFor(const SearchOptions& options, int bits) {
  const size_t room = std::max(4 * options.k, options.k + 64);
  return bits == 1 ? 16 * room : bits == 2 ? 4 * room : room;
}

// With codes of 7 bits and more, eight bits of the query would be the larger error (docs/design/codes.md).
int QueryBits(int bits) { return bits >= 7 ? 14 : 8; }

// All visits of one piece.
struct PieceVisits {
  std::span<const Visit> visits;
  const Piece& piece() const { return *visits.front().piece; }
  float rank() const { return std::ranges::min_element(visits, {}, &Visit::rank)->rank; }
};

std::vector<PieceVisits> GroupByPiece(std::span<const Visit> visits) {
  std::vector<PieceVisits> groups;
  for (auto first = visits.begin(); first != visits.end();) {
    const auto last =
        std::find_if(first, visits.end(), [&](const Visit& visit) { return visit.piece != first->piece; });
    groups.push_back({{first, last}});
    first = last;
  }
  return groups;
}

// What a call that reads costs, in bytes that could be read in its time.
constexpr size_t kReadCost = 2048;

enum Plane : size_t { kScan, kExtension, kFirstColumn };  // then the other columns of the filter

class Wave {
 public:
  Wave(const ScanScope& scope, ObjectStore& store, Stop& stop)
      : scope_(scope), store_(store), stop_(stop), scanner_(scope) {}

  // Scans what this machine has; answers the rest, in the order given.
  std::vector<PieceVisits> ScanLocal(std::vector<PieceVisits> groups) {
    std::vector<size_t> nearest_first(groups.size());
    for (size_t i = 0; i < groups.size(); ++i) nearest_first[i] = i;
    std::ranges::sort(nearest_first, {}, [&](size_t i) { return groups[i].rank(); });
    std::vector<bool> is_done(groups.size());
    const LocalReads reading(&store_);
    for (const size_t i : nearest_first) {
      stop_.Check();
      LocalPlanes planes(*this, groups[i].piece());
      try {
        is_done[i] = scanner_.Scan(groups[i].piece(), groups[i].visits, planes, stop_);
      } catch (const Error& error) {
        if (error.code() != Code::kCorrupted) throw;
        Forget(groups[i]);
      }
    }
    std::vector<PieceVisits> rest;
    for (size_t i = 0; i < groups.size(); ++i) {
      if (!is_done[i]) rest.push_back(groups[i]);
    }
    return rest;
  }

  // One call of GetRanges. Answers the pieces that arrived damaged; with `is_last_try` it throws instead.
  std::vector<PieceVisits> ScanRemote(const std::vector<PieceVisits>& groups, bool is_last_try) {
    std::vector<RangeRequest> requests;
    std::vector<std::pair<size_t, size_t>> asked;  // which group, which plane
    std::vector<ArrivedPlanes> arrived(groups.size());
    for (size_t i = 0; i < groups.size(); ++i) {
      size_t plane = 0;
      for (RangeRequest& request : RequestsFor(groups[i].piece())) {
        if (request.length > 0) {
          requests.push_back(std::move(request));
          asked.emplace_back(i, plane);
          ++arrived[i].missing;
        }
        ++plane;
      }
    }
    std::vector<PieceVisits> damaged;
    store_.GetRanges(
        requests,
        [&](size_t request, ByteView bytes) {
          stop_.Check();
          const auto [group, plane] = asked[request];
          ArrivedPlanes& planes = arrived[group];
          planes.Put(plane, bytes);
          if (--planes.missing > 0) return;
          try {
            scanner_.Scan(groups[group].piece(), groups[group].visits, planes, stop_);
          } catch (const Error& error) {
            if (error.code() != Code::kCorrupted || is_last_try) throw;
            damaged.push_back(groups[group]);
            Forget(groups[group]);  // here: what a sink accepts is kept, and taken for checked
          }
          planes = {};
        },
        stop_);
    return damaged;
  }

 private:
  class LocalPlanes final : public PieceSource {
   public:
    LocalPlanes(Wave& wave, const Piece& piece) : wave_(wave), piece_(piece) {}
    const ByteView* Scan() override { return Get(kScan); }
    // Few codes are read one by one, into their places.
    const ByteView* Extension(std::span<const uint32_t> wanted) override {
      const CodeShape codes = wave_.scope_.navigation.codes();
      if (wanted.size() * (codes.extension_bytes() + kReadCost) > piece_.extension_length) return Get(kExtension);
      Bytes& bytes = wave_.local_[kExtension];
      bytes.resize(piece_.extension_length);
      std::vector<ObjectStore::Part>& parts = wave_.parts_;
      parts.assign({{0, std::span(bytes).first(ExtensionFactorsEnd(piece_.count))}});
      for (const uint32_t i : wanted) {
        const uint64_t from = ExtensionCodeOffset(codes, piece_.count, i);
        parts.push_back({from, std::span(bytes).subspan(from, codes.extension_bytes())});
      }
      wave_.SetRequest(piece_, kExtension, &wave_.local_request_);
      if (!wave_.store_.GetLocalParts(wave_.local_request_, parts)) return nullptr;
      views_[kExtension] = bytes;
      return &views_[kExtension];
    }
    const std::vector<ByteView>* Columns() override {
      const auto requests = ColumnRequests(wave_.scope_.navigation, wave_.scope_.matches->filter(), piece_);
      ranges_.resize(requests.size());
      for (size_t i = 0; i < requests.size(); ++i) {
        if (!wave_.store_.GetLocal(requests[i], &ranges_[i])) return nullptr;
      }
      columns_.assign(ranges_.begin(), ranges_.end());
      return &columns_;
    }
    // The cache checked them.
    Trust trust() const override { return Trust::kVerified; }

   private:
    const ByteView* Get(Plane plane) {
      Bytes& bytes = wave_.local_[plane];
      wave_.SetRequest(piece_, plane, &wave_.local_request_);
      if (!wave_.store_.GetLocal(wave_.local_request_, &bytes)) return nullptr;
      views_[plane] = bytes;
      return &views_[plane];
    }

    Wave& wave_;
    const Piece& piece_;
    std::array<ByteView, kFirstColumn> views_;
    std::vector<Bytes> ranges_;
    std::vector<ByteView> columns_;
  };

  // Copies: what was handed over lives during the call only, and the planes of a piece may come in any order.
  class ArrivedPlanes final : public PieceSource {
   public:
    size_t missing = 0;
    void Put(size_t plane, ByteView bytes) {
      if (plane >= bytes_.size()) bytes_.resize(plane + 1);
      bytes_[plane].assign(bytes.begin(), bytes.end());
    }
    const ByteView* Scan() override { return View(kScan); }
    const ByteView* Extension(std::span<const uint32_t>) override { return View(kExtension); }
    const std::vector<ByteView>* Columns() override {
      columns_.assign(bytes_.begin() + kFirstColumn, bytes_.end());
      return &columns_;
    }
    Trust trust() const override { return Trust::kVerify; }

   private:
    const ByteView* View(size_t plane) {
      views_[plane] = bytes_[plane];
      return &views_[plane];
    }

    std::vector<Bytes> bytes_{kFirstColumn};
    std::array<ByteView, kFirstColumn> views_;
    std::vector<ByteView> columns_;
  };

  // What is damaged must not be kept.
  void Forget(const PieceVisits& group) { store_.Forget(RequestsFor(group.piece())); }

  // Of length 0: not wanted.
  std::vector<RangeRequest> RequestsFor(const Piece& piece) const {
    std::vector<RangeRequest> requests(kFirstColumn);
    SetRequest(piece, kScan, &requests[kScan]);
    SetRequest(piece, kExtension, &requests[kExtension]);
    if (scope_.NeedsColumns(piece)) {
      auto columns = ColumnRequests(scope_.navigation, scope_.matches->filter(), piece);
      std::ranges::move(columns, std::back_inserter(requests));
    }
    return requests;
  }

  // Reuses the memory of the key.
  void SetRequest(const Piece& piece, Plane plane, RangeRequest* request) const {
    request->key = scope_.navigation.segments[piece.segment].key;
    request->offset = plane == kScan ? piece.scan_offset : piece.extension_offset();
    request->length = plane == kScan ? piece.scan_length : piece.extension_length;
  }

  const ScanScope& scope_;
  ObjectStore& store_;
  Stop& stop_;
  PieceScanner scanner_;
  std::array<Bytes, kFirstColumn> local_;
  std::vector<ObjectStore::Part> parts_;
  RangeRequest local_request_;
};

}  // namespace

QueryScan::QueryScan(const Navigation& navigation, std::span<const float> query, const SearchOptions& options)
    : rotated(query.begin(), query.end()),
      list_query(navigation.codes(), navigation.base->space.metric, QueryBits(navigation.shape.bits)),
      candidates(WantedFor(options), CapacityFor(options, navigation.shape.bits),
                 navigation.shape.has_duplicates ? 2 : 1) {
  if (options.filter != nullptr || options.only != nullptr) matched_in.resize(navigation.list_sizes.size());
  const AssignmentSpace& space = navigation.base->space;
  if (space.metric == Metric::kCosine) space.PlaceQuery(query, rotated);
  navigation.base->rotation.Apply(rotated, rotated);
}

void ScanWave(const ScanScope& scope, std::span<const Visit> visits, ObjectStore& store, Stop& stop) {
  Wave wave(scope, store, stop);
  const std::vector<PieceVisits> rest = wave.ScanLocal(GroupByPiece(visits));
  if (rest.empty()) return;
  const std::vector<PieceVisits> damaged = wave.ScanRemote(rest, false);
  if (!damaged.empty()) wave.ScanRemote(damaged, true);
}

}  // namespace s3v
