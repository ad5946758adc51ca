#include "engine/update_plan.h"

#include <algorithm>
#include <numeric>

#include "engine/build_plan.h"

namespace s3v {
namespace {

// Lists. A list that is too large was so from the start, or cannot be split, unless much of it is fresh.
constexpr double kOverfull = 2;             // times the wanted size
constexpr double kUnderfull = 1.0 / 8;      // of it
constexpr double kUnderfullForGood = 0.25;  // when optimizing
constexpr double kFreshOfWanted = 0.5;
constexpr double kFreshOfList = 1.0 / 8;
constexpr size_t kDissolvedPart = 16;  // without a split a new base pays when one in so many lists is dissolved

// Segments. How often an entry may be written again depends on what it takes beside its row's vector: least where raw
// vectors are kept.
constexpr double kRewrites = 10;        // at most so many times the bytes of the changes are written
constexpr double kMostFoldRatio = 8;    // fresh ones, the next larger one to what is merged
constexpr double kRewritesForFold = 6;  // of those that are possible, one in so many makes the ratio
constexpr double kWornPart = 4;         // a settled one is worn when one in so many of its entries is masked or to come
constexpr double kWornPartIfDear = 2;
constexpr double kDear = 20;       // rewrites that are possible
constexpr double kMergeRatio = 2;  // small settled ones
constexpr double kSmallPart = 4;   // of the largest segment
constexpr uint64_t kSettledBytes = 64u << 20;
constexpr uint64_t kSettledForWritten = 8;

// Deltas.
constexpr uint64_t kDeltaRatio = 4;
constexpr size_t kMostDeltas = 6;

constexpr double kGrowth = 1.1;  // since probing was calibrated

uint64_t LiveEntries(const UpdateSizes& sizes) {
  uint64_t live = 0;
  for (const UpdateSizes::List& list : sizes.lists) live += list.live;
  return live;
}

double WantedSize(const UpdateSizes& sizes) {
  const uint64_t live = LiveEntries(sizes);
  const size_t lists = sizes.wanted_lists > 0 ? sizes.wanted_lists : ChooseLists(live, sizes.dimensions);
  return std::max(1.0, static_cast<double>(live) / static_cast<double>(lists));
}

bool IsAsBuilt(const UpdateSizes& sizes) {
  return sizes.changed_since_base + sizes.new_entries == 0 && LiveEntries(sizes) == sizes.calibrated_entries;
}

bool IsOverfull(const UpdateSizes::List& list, double wanted, bool optimize) {
  const auto live = static_cast<double>(list.live);
  const auto fresh = static_cast<double>(list.fresh);
  return live > kOverfull * wanted && (optimize || (fresh >= kFreshOfWanted * wanted && fresh >= kFreshOfList * live));
}

// A new base costs what the changes did that made it necessary; less where a list has grown far too large, since
// queries near it pay until it is split.
bool BaseIsDue(const UpdateSizes& sizes, double wanted) {
  double urgency = 1;
  for (const UpdateSizes::List& list : sizes.lists) {
    if (IsOverfull(list, wanted, false))
      urgency = std::max(urgency, static_cast<double>(list.live) / (kOverfull * wanted));
  }
  const uint64_t changed = sizes.changed_since_base + sizes.new_entries;
  return urgency * static_cast<double>(changed * sizes.entry_bytes) >= static_cast<double>(sizes.base_bytes);
}

double PossibleRewrites(const UpdateSizes& sizes) {
  return kRewrites * static_cast<double>(sizes.dimensions * sizeof(float)) / static_cast<double>(sizes.entry_bytes);
}

double FoldRatio(const UpdateSizes& sizes) {
  return std::clamp(PossibleRewrites(sizes) / kRewritesForFold, 1.0, kMostFoldRatio);
}

double WornPart(const UpdateSizes& sizes) { return PossibleRewrites(sizes) < kDear ? kWornPartIfDear : kWornPart; }

class SegmentPlanner {
 public:
  explicit SegmentPlanner(const UpdateSizes& sizes)
      : sizes_(sizes), fresh_of_(sizes.segments.size()), is_rewritten_(sizes.segments.size()) {
    for (const UpdateSizes::List& list : sizes.lists) {
      if (list.is_made) {
        settling_bytes_ += static_cast<double>(list.live * sizes.entry_bytes);
      } else if (list.owner != UpdateSizes::kNoOwner) {
        fresh_of_[list.owner] += list.fresh;
      }
    }
  }

  SegmentPlan Run() {
    RewriteWorn();
    MergeSmall();
    Fold();
    SettleAll();
    for (uint32_t i = 0; i < is_rewritten_.size(); ++i) {
      if (is_rewritten_[i]) plan_.rewritten.push_back(i);
    }
    std::ranges::sort(plan_.folded);
    return std::move(plan_);
  }

 private:
  double LiveBytes(uint32_t i) const {
    const UpdateSizes::Segment& segment = sizes_.segments[i];
    return static_cast<double>(segment.bytes) * static_cast<double>(segment.live) /
           static_cast<double>(std::max<uint64_t>(segment.entries, 1));
  }

  // Of what it would be rewritten to.
  double SettledBytes(uint32_t i) const {
    return LiveBytes(i) + static_cast<double>(fresh_of_[i] * sizes_.entry_bytes);
  }

  double Wear(uint32_t i) const {
    const UpdateSizes::Segment& segment = sizes_.segments[i];
    return static_cast<double>(segment.entries - segment.live + fresh_of_[i]) /
           static_cast<double>(std::max<uint64_t>(segment.live, 1));
  }

  std::vector<uint32_t> Alive(bool is_settled) const {
    std::vector<uint32_t> alive;
    for (uint32_t i = 0; i < sizes_.segments.size(); ++i) {
      const UpdateSizes::Segment& segment = sizes_.segments[i];
      if (segment.is_settled == is_settled && segment.live > 0 && !segment.is_discarded) alive.push_back(i);
    }
    return alive;
  }

  void Rewrite(uint32_t i) {
    is_rewritten_[i] = true;
    settling_bytes_ += SettledBytes(i);
  }

  // The most worn first, within bounds, but always one.
  void RewriteWorn() {
    std::vector<uint32_t> settled = Alive(true);
    std::ranges::stable_sort(settled, [&](uint32_t a, uint32_t b) { return Wear(a) > Wear(b); });
    const double budget =
        static_cast<double>(std::max(kSettledBytes, kSettledForWritten * sizes_.new_entries * sizes_.entry_bytes));
    double bytes = 0;
    for (const uint32_t i : settled) {
      const bool is_worn = sizes_.optimize ? Wear(i) > 0 : Wear(i) * WornPart(sizes_) >= 1;
      if (!is_worn) return;
      bytes += SettledBytes(i);
      if (bytes > budget && !sizes_.optimize && i != settled.front()) return;
      Rewrite(i);
    }
  }

  void MergeSmall() {
    std::vector<uint32_t> small;
    const double limit = static_cast<double>(sizes_.segment_bytes) / kSmallPart;
    for (const uint32_t i : Alive(true)) {
      if (!is_rewritten_[i] && SettledBytes(i) < limit) small.push_back(i);
    }
    std::ranges::stable_sort(small, [&](uint32_t a, uint32_t b) { return SettledBytes(a) < SettledBytes(b); });
    const bool merge_all = sizes_.optimize && (small.size() > 1 || settling_bytes_ > 0);
    for (const uint32_t i : small) {
      if (!merge_all && SettledBytes(i) > kMergeRatio * settling_bytes_) return;
      Rewrite(i);
    }
  }

  void Fold() {
    std::vector<uint32_t> fresh = Alive(false);
    std::ranges::stable_sort(fresh, [&](uint32_t a, uint32_t b) { return LiveBytes(a) < LiveBytes(b); });
    auto bytes = static_cast<double>(sizes_.new_entries * sizes_.entry_bytes);
    for (const uint32_t i : fresh) {
      if (!sizes_.optimize && LiveBytes(i) > FoldRatio(sizes_) * bytes) return;
      bytes += LiveBytes(i);
      plan_.folded.push_back(i);
    }
  }

  void SettleAll() {
    const std::vector<uint32_t> settled = Alive(true);
    const std::vector<uint32_t> fresh = Alive(false);
    plan_.settles_all = settled.empty() ? plan_.folded.size() == fresh.size()
                                        : std::ranges::all_of(settled, [&](uint32_t i) { return is_rewritten_[i]; });
    if (plan_.settles_all) plan_.folded = fresh;
  }

  const UpdateSizes& sizes_;
  std::vector<uint64_t> fresh_of_;  // entries of the lists that a settled segment owns
  std::vector<bool> is_rewritten_;
  double settling_bytes_ = 0;
  SegmentPlan plan_;
};

}  // namespace

ListPlan PlanLists(const UpdateSizes& sizes) {
  ListPlan plan;
  const double wanted = WantedSize(sizes);
  if (sizes.optimize ? IsAsBuilt(sizes) : !BaseIsDue(sizes, wanted)) return plan;
  const double least = wanted * (sizes.optimize ? kUnderfullForGood : kUnderfull);
  for (uint32_t i = 0; i < sizes.lists.size(); ++i) {
    const auto live = static_cast<double>(sizes.lists[i].live);
    if (IsOverfull(sizes.lists[i], wanted, sizes.optimize)) {
      plan.splits.push_back({i, std::max(2U, static_cast<uint32_t>(live / wanted + 0.5))});
    } else if (live < least) {
      plan.dissolved.push_back(i);
    }
  }
  if (plan.splits.empty() && plan.dissolved.size() == sizes.lists.size()) {
    plan.dissolved.erase(std::ranges::max_element(plan.dissolved, {}, [&](uint32_t i) { return sizes.lists[i].live; }));
  }
  const bool pays =
      !plan.splits.empty() || sizes.optimize || plan.dissolved.size() * kDissolvedPart >= sizes.lists.size();
  return pays ? plan : ListPlan();
}

SegmentPlan PlanSegments(const UpdateSizes& sizes) { return SegmentPlanner(sizes).Run(); }

std::vector<size_t> PlanDeltas(std::span<const uint64_t> alive_bytes, std::span<const uint64_t> stored_bytes,
                               uint64_t new_bytes) {
  std::vector<size_t> by_size(alive_bytes.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::ranges::stable_sort(by_size, {}, [&](size_t i) { return alive_bytes[i]; });
  std::vector<size_t> taken;
  uint64_t bytes = new_bytes;
  size_t left = by_size.size();
  for (const size_t i : by_size) {
    const bool is_next = alive_bytes[i] <= kDeltaRatio * bytes;
    const bool is_worn = alive_bytes[i] * 2 < stored_bytes[i];
    if (!is_next && !is_worn && left < kMostDeltas) continue;
    bytes += alive_bytes[i];
    taken.push_back(i);
    --left;
  }
  std::ranges::sort(taken);
  return taken;
}

bool NeedsCalibration(uint64_t entries, uint64_t calibrated_entries, bool optimize) {
  if (optimize) return entries != calibrated_entries;
  const auto now = static_cast<double>(entries);
  const auto then = static_cast<double>(calibrated_entries);
  return now >= kGrowth * then || now * kGrowth <= then;
}

}  // namespace s3v
