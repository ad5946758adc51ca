#include "engine/relist.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "engine/build_plan.h"
#include "engine/entry_decoder.h"
#include "engine/row_assigner.h"
#include "ivf/kernels/kernels.h"

namespace s3v {
namespace {

constexpr size_t kSamplePerPart = 256;  // rows that a list is split by

// A parent is split when it has more than this many times the square root of the number of lists, and then some.
constexpr double kParentOverfull = 2;
constexpr size_t kParentSlack = 8;

constexpr double kLimitSlack = 1.05;  // ip: rows that much longer than the limit are cut

// A list of the new base.
struct Child {
  uint32_t old_list = kNoList;  // or
  std::vector<float> made;      // rotated, in the whole assignment space
  uint64_t weight = 1;          // about how many entries it has
};

struct Parent {
  std::vector<Child> children;
  uint32_t old_parent = kNoList;  // whose centroid still stands; kNoList: has to be made
};

OwnedCentroidTable EmptyTable(size_t dimensions) {
  return {.dimensions = dimensions, .codes = {}, .scales = {}, .squared_norms = {}};
}

class Relisting {
 public:
  Relisting(const Navigation& navigation, const LiveMap& live, const ListPlan& plan, std::span<const uint64_t> sizes,
            UpdateRows& rows, const RelistOptions& options, ObjectStore& store, Stop& stop)
      : navigation_(navigation),
        live_(live),
        old_(*navigation.base),
        plan_(plan),
        sizes_(sizes),
        rows_(rows),
        options_(options),
        stop_(stop),
        random_(options.seed),
        decoder_(navigation, live, options.memory_bytes / 8, store) {
    relisted_.base.space = old_.space;
    relisted_.base.rotation_seed = old_.rotation_seed;
    relisted_.base.next_list_id = old_.next_list_id;
    if (space().metric == Metric::kInnerProduct && options.norm_limit > kLimitSlack * old_.space.norm_limit) {
      const double limit = options.norm_limit;
      // As if all rows of a list had one length: the element beyond grows by as much for all.
      norm_growth_ = (limit - old_.space.norm_limit) * (limit + old_.space.norm_limit);
      relisted_.base.space.norm_limit = limit;
    }
  }

  Relisted Run() {
    const std::vector<Parent> parents = SplitParents(NewParents());
    Emit(parents);
    return std::move(relisted_);
  }

 private:
  const AssignmentSpace& space() const { return relisted_.base.space; }

  // Of each split list, in the order of the plan, the rows that are assigned to it.
  std::vector<std::vector<uint64_t>> RowsOfSplits() {
    std::unordered_map<uint32_t, size_t> split_of;
    for (size_t i = 0; i < plan_.splits.size(); ++i) split_of.emplace(plan_.splits[i].list, i);
    std::vector<std::vector<uint64_t>> numbers(plan_.splits.size());
    rows_.ForEachListBlock(
        [&](uint64_t first, std::span<const ListPair> lists) {
          for (size_t i = 0; i < lists.size(); ++i) {
            const auto found = split_of.find(lists[i].first);
            if (found != split_of.end()) numbers[found->second].push_back(first + i);
          }
        },
        stop_);
    return numbers;
  }

  // What a list is split by, rotated, in the assignment space: all of it or a sample.
  std::vector<float> SampleOf(const ListPlan::Split& split, std::span<const uint64_t> put) {
    const size_t width = space().width();
    std::vector<const Piece*> pieces;
    uint64_t entries = 0;
    for (uint32_t p = navigation_.first_piece[split.list]; p < navigation_.first_piece[split.list + 1]; ++p) {
      const uint32_t left = live_.LiveIn(navigation_.pieces[p]);
      if (left == 0) continue;  // its segment may be discarded, and lost
      pieces.push_back(&navigation_.pieces[p]);
      entries += left;
    }
    const uint64_t total = entries + put.size();
    const uint64_t fits = std::max<uint64_t>(options_.memory_bytes / 4 / (width * sizeof(float)), split.parts);
    const auto numbers = SampleNumbers(total, std::min({total, kSamplePerPart * split.parts, fits}), random_);
    std::vector<float> sample(numbers.size() * width);
    size_t sampled = 0;
    const auto add = [&](std::span<const float> rotated) {
      space().PlaceRow(rotated, std::span(sample).subspan(sampled++ * width, width));
    };
    uint64_t number = 0;
    decoder_.Read(
        pieces,
        [&](const Piece&, uint32_t, ByteView, std::span<const float> row) {
          if (sampled < numbers.size() && numbers[sampled] == number++) add(row);
        },
        stop_);
    std::vector<float> row(space().dimensions);
    while (sampled < numbers.size()) {
      if (sampled % 256 == 0) stop_.Check();
      rows_.ReadVector(put[numbers[sampled] - entries], row);
      old_.rotation.Apply(row, row);
      add(row);
    }
    return sample;
  }

  // The parts of one list, neighbours side by side.
  std::vector<Child> Split(const ListPlan::Split& split, std::span<const uint64_t> put) {
    const size_t width = space().width();
    const std::vector<float> sample = SampleOf(split, put);
    if (sample.empty()) return {};
    const Centroids trained =
        Train(sample, width, {.lists = split.parts, .seed = random_.Next(), .threads = options_.threads}, stop_);
    std::vector<Child> children;
    for (size_t i = 0; i < trained.list_count(); ++i) {
      const auto centroid = trained.lists.begin() + static_cast<ptrdiff_t>(i * width);
      children.push_back({.old_list = kNoList,
                          .made = {centroid, centroid + static_cast<ptrdiff_t>(width)},
                          .weight = std::max<uint64_t>(1, sizes_[split.list] / trained.list_count())});
    }
    return children;
  }

  // The old ones with their new lists; those left without any are gone.
  std::vector<Parent> NewParents() {
    const std::vector<std::vector<uint64_t>> put = RowsOfSplits();
    enum Fate : uint8_t { kStays, kDissolved, kSplit };
    std::vector<uint8_t> fates(old_.tables.lists.count, kStays);
    std::vector<size_t> split_of(fates.size());
    for (const uint32_t list : plan_.dissolved) fates[list] = kDissolved;
    for (size_t i = 0; i < plan_.splits.size(); ++i) {
      fates[plan_.splits[i].list] = kSplit;
      split_of[plan_.splits[i].list] = i;
    }
    std::vector<Parent> parents;
    for (uint32_t p = 0; p < old_.tables.parents.count; ++p) {
      Parent parent{.children = {}, .old_parent = p};
      for (uint32_t list = old_.tables.first(p); list < old_.tables.first(p + 1); ++list) {
        if (fates[list] != kStays) parent.old_parent = kNoList;
        if (fates[list] == kStays) {
          parent.children.push_back({.old_list = list, .made = {}, .weight = std::max<uint64_t>(1, sizes_[list])});
        } else if (fates[list] == kSplit) {
          const size_t split = split_of[list];
          for (Child& child : Split(plan_.splits[split], put[split])) parent.children.push_back(std::move(child));
        }
      }
      if (!parent.children.empty()) parents.push_back(std::move(parent));
    }
    if (parents.empty()) {  // nothing is left of what was to be split: there is one list, wherever it lies
      parents.push_back({.children = {{.old_list = kNoList, .made = std::vector<float>(space().width()), .weight = 1}},
                         .old_parent = kNoList});
    }
    return parents;
  }

  std::vector<Parent> SplitParents(std::vector<Parent> parents) {
    size_t lists = 0;
    for (const Parent& parent : parents) lists += parent.children.size();
    const double root = std::sqrt(static_cast<double>(lists));
    std::vector<Parent> result;
    for (Parent& parent : parents) {
      if (static_cast<double>(parent.children.size()) <= kParentOverfull * root + kParentSlack) {
        result.push_back(std::move(parent));
        continue;
      }
      const auto parts = static_cast<size_t>(std::lround(static_cast<double>(parent.children.size()) / root));
      for (Parent& part : SplitParent(std::move(parent), parts)) result.push_back(std::move(part));
    }
    return result;
  }

  std::vector<Parent> SplitParent(Parent parent, size_t parts) {
    const size_t width = space().width();
    const std::vector<float> centroids = CentroidsOf(parent.children);
    const Centroids trained =
        Train(centroids, width, {.lists = parts, .seed = random_.Next(), .threads = options_.threads}, stop_);
    std::vector<uint32_t> assignment(parent.children.size());
    Assign(trained, centroids, {.parents_tried = trained.parent_count(), .threads = options_.threads}, assignment, {},
           stop_);
    std::vector<Parent> split(trained.list_count());
    std::vector<float> last(width);
    for (uint32_t part = 0; part < split.size(); ++part) {
      std::vector<uint32_t> members;
      for (uint32_t i = 0; i < assignment.size(); ++i) {
        if (assignment[i] == part) members.push_back(i);
      }
      for (const uint32_t i : Chain(std::move(members), centroids, last))
        split[part].children.push_back(std::move(parent.children[i]));
    }
    std::erase_if(split, [](const Parent& part) { return part.children.empty(); });
    return split;
  }

  // Members in the order of a greedy chain of nearest neighbours that goes on from `last`.
  std::vector<uint32_t> Chain(std::vector<uint32_t> members, std::span<const float> centroids,
                              std::vector<float>& last) const {
    const size_t width = last.size();
    for (size_t done = 0; done < members.size(); ++done) {
      stop_.Check();
      size_t nearest = done;
      float least = INFINITY;
      for (size_t i = done; i < members.size(); ++i) {
        float distance = 0;
        kernels::SquaredL2Rows(last.data(), centroids.data() + members[i] * width, 1, width, &distance);
        if (distance < least) {
          least = distance;
          nearest = i;
        }
      }
      std::swap(members[done], members[nearest]);
      const auto next = centroids.subspan(members[done] * width, width);
      last.assign(next.begin(), next.end());
    }
    return members;
  }

  std::vector<float> CentroidsOf(std::span<const Child> children) const {
    const size_t width = space().width();
    std::vector<float> centroids(children.size() * width);
    for (size_t i = 0; i < children.size(); ++i)
      CentroidOf(children[i], std::span(centroids).subspan(i * width, width));
    return centroids;
  }

  void CentroidOf(const Child& child, std::span<float> centroid) const {
    if (child.old_list == kNoList) {
      std::ranges::copy(child.made, centroid.begin());
      return;
    }
    DequantizeWhole(space(), old_.tables.lists, child.old_list, centroid);
    if (norm_growth_ > 0)
      centroid.back() =
          static_cast<float>(std::sqrt(static_cast<double>(centroid.back()) * centroid.back() + norm_growth_));
  }

  std::vector<float> MeanOf(std::span<const Child> children) const {
    std::vector<double> sum(space().width());
    std::vector<float> centroid(sum.size());
    double weight = 0;
    for (const Child& child : children) {
      CentroidOf(child, centroid);
      for (size_t j = 0; j < sum.size(); ++j) sum[j] += centroid[j] * static_cast<double>(child.weight);
      weight += static_cast<double>(child.weight);
    }
    for (size_t j = 0; j < sum.size(); ++j) centroid[j] = static_cast<float>(sum[j] / weight);
    return centroid;
  }

  void CopyRow(const CentroidTable& from, size_t i, OwnedCentroidTable& to) const {
    to.codes.insert(to.codes.end(), from.codes + i * from.dimensions, from.codes + (i + 1) * from.dimensions);
    to.scales.push_back(from.scale(i));
    const double norm = from.squared_norm(i) + norm_growth_;
    to.squared_norms.push_back(static_cast<float>(std::min<double>(norm, std::numeric_limits<float>::max())));
  }

  void Emit(std::span<const Parent> parents) {
    NavigationBaseParts& base = relisted_.base;
    base.parents = EmptyTable(space().dimensions);
    base.lists = EmptyTable(space().dimensions);
    base.first_list = {0};
    relisted_.places.place_of.assign(old_.tables.lists.count, kNoList);
    for (const Parent& parent : parents) {
      if (parent.old_parent != kNoList) {
        CopyRow(old_.tables.parents, parent.old_parent, base.parents);
      } else {
        AppendQuantized(base.parents, MeanOf(parent.children));
      }
      for (const Child& child : parent.children) EmitList(child);
      base.first_list.push_back(static_cast<uint32_t>(base.list_ids.size()));
    }
  }

  void EmitList(const Child& child) {
    NavigationBaseParts& base = relisted_.base;
    const bool is_made = child.old_list == kNoList;
    if (is_made) {
      AppendQuantized(base.lists, child.made);
      base.list_ids.push_back(base.next_list_id++);
    } else {
      relisted_.places.place_of[child.old_list] = static_cast<uint32_t>(base.list_ids.size());
      CopyRow(old_.tables.lists, child.old_list, base.lists);
      base.list_ids.push_back(old_.list_id(child.old_list));
    }
    relisted_.places.is_made.push_back(is_made);
  }

  const Navigation& navigation_;
  const LiveMap& live_;
  const NavigationBase& old_;
  const ListPlan& plan_;
  const std::span<const uint64_t> sizes_;
  UpdateRows& rows_;
  const RelistOptions& options_;
  Stop& stop_;
  Random random_;
  EntryDecoder decoder_;
  double norm_growth_ = 0;  // of squared norms
  Relisted relisted_;
};

}  // namespace

NavigationBaseParts PartsOf(const NavigationBase& base) {
  const auto copy = [](const CentroidTable& table) {
    OwnedCentroidTable owned{.dimensions = table.dimensions,
                             .codes = {table.codes, table.codes + table.count * table.dimensions},
                             .scales = {},
                             .squared_norms = {}};
    for (size_t i = 0; i < table.count; ++i) {
      owned.scales.push_back(table.scale(i));
      owned.squared_norms.push_back(table.squared_norm(i));
    }
    return owned;
  };
  NavigationBaseParts parts{.space = base.space,
                            .rotation_seed = base.rotation_seed,
                            .first_list = {},
                            .parents = copy(base.tables.parents),
                            .lists = copy(base.tables.lists),
                            .list_ids = {},
                            .next_list_id = base.next_list_id};
  for (size_t parent = 0; parent <= base.tables.parents.count; ++parent)
    parts.first_list.push_back(base.tables.first(parent));
  for (size_t list = 0; list < base.tables.lists.count; ++list) parts.list_ids.push_back(base.list_id(list));
  return parts;
}

CentroidTables TablesOf(const NavigationBaseParts& base) {
  return {.parents = base.parents.view(),
          .lists = base.lists.view(),
          .first_list = reinterpret_cast<const uint8_t*>(base.first_list.data())};
}

ListPlaces UnchangedPlaces(size_t lists) {
  ListPlaces places{.place_of = std::vector<uint32_t>(lists), .is_made = std::vector<bool>(lists)};
  std::iota(places.place_of.begin(), places.place_of.end(), 0U);
  return places;
}

Relisted Relist(const Navigation& navigation, const LiveMap& live, const ListPlan& plan,
                std::span<const uint64_t> sizes, UpdateRows& rows, const RelistOptions& options, ObjectStore& store,
                Stop& stop) {
  return Relisting(navigation, live, plan, sizes, rows, options, store, stop).Run();
}

}  // namespace s3v
