#include "engine/unite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/random.h"
#include "format/names.h"

namespace s3v {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const ObjectId kBase = {1};
const IndexShape kShape{.dimensions = 8};

struct ListPart {
  uint32_t list_id;
  uint32_t count;
};

// A delta as DecodeDelta gives it.
class DeltaMaker {
 public:
  explicit DeltaMaker(uint64_t entries = 0) {
    delta_.shape = kShape;
    delta_.state = {.base = kBase, .rows = entries, .entries = entries, .rule = {}};
  }
  DeltaMaker& Segment(const ObjectId& id, const std::vector<ListPart>& parts) {
    SegmentInfo info{.id = id, .length = 1000, .keys = {}, .summaries = {}};
    for (const ListPart& part : parts) {
      delta_.pieces.push_back({.list_id = part.list_id,
                               .segment = static_cast<uint32_t>(delta_.segments.size()),
                               .count = part.count,
                               .first = info.entries});
      info.entries += part.count;
    }
    delta_.segments.push_back(info);
    return *this;
  }
  DeltaMaker& Mask(const ObjectId& id, const std::vector<MaskRun>& runs) {
    delta_.masks.push_back({.segment = id, .whole = false, .runs = runs});
    return *this;
  }
  DeltaMaker& Drop(const ObjectId& id) {
    delta_.masks.push_back({.segment = id, .whole = true, .runs = {}});
    return *this;
  }
  operator NavigationDelta() const { return delta_; }

 private:
  NavigationDelta delta_;
};

// A base of some lists, and deltas over it.
struct Version {
  std::vector<uint32_t> list_ids;
  NavigationBase base;
  Navigation navigation;

  Version(const std::vector<uint32_t>& ids, const std::vector<NavigationDelta>& deltas) : list_ids(ids) {
    base.space.dimensions = kShape.dimensions;
    base.tables.lists.count = list_ids.size();
    base.list_ids = reinterpret_cast<const uint8_t*>(list_ids.data());
    navigation.base = &base;
    navigation.names.base.id = kBase;
    for (const NavigationDelta& delta : deltas) {
      navigation.names.deltas.push_back({.id = {static_cast<uint8_t>(navigation.deltas.size())}, .length = 100});
      navigation.deltas.push_back(std::make_shared<const NavigationDelta>(delta));
    }
  }
  Version(const Version&) = delete;
  Version& operator=(const Version&) = delete;

  const Navigation& Unite() {
    UniteDeltas(navigation);
    return navigation;
  }

  std::string Complaint() {
    try {
      UniteDeltas(navigation);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kCorrupted);
      return error.detail();
    }
    return "none";
  }
};

std::vector<uint32_t> MaskedOf(const Navigation& navigation, const Piece& piece) {
  std::vector<uint32_t> masked;
  for (const MaskRun& run : navigation.MasksOf(piece)) {
    for (uint32_t i = 0; i < run.count; ++i) masked.push_back(run.first + i);
  }
  return masked;
}

TEST(Unite, PiecesGoByListThenSegmentThenPosition) {
  Version version({0, 1, 2}, {DeltaMaker().Segment({7}, {{2, 5}, {0, 3}}).Segment({8}, {{1, 4}, {2, 1}, {2, 2}}),
                              DeltaMaker(22).Segment({9}, {{0, 6}, {2, 1}})});
  const Navigation& navigation = version.Unite();
  EXPECT_THAT(navigation.list_sizes, ElementsAre(9, 4, 9));
  EXPECT_THAT(navigation.first_piece, ElementsAre(0, 2, 3, 7));
  std::vector<std::vector<uint32_t>> found;
  for (const Piece& piece : navigation.pieces) found.push_back({piece.list, piece.segment, piece.first, piece.count});
  EXPECT_THAT(found, ElementsAre(ElementsAre(0, 0, 5, 3), ElementsAre(0, 2, 0, 6), ElementsAre(1, 1, 0, 4),
                                 ElementsAre(2, 0, 0, 5), ElementsAre(2, 1, 4, 1), ElementsAre(2, 1, 5, 2),
                                 ElementsAre(2, 2, 6, 1)));
  ASSERT_EQ(navigation.segments.size(), 3U);
  EXPECT_EQ(navigation.segments[2].key, SegmentKey(navigation.names.index, {9}));
  EXPECT_EQ(navigation.segments[1].live, 7U);
  EXPECT_EQ(navigation.state.entries, 22U);
}

TEST(Unite, ListsAreFoundByTheirIds) {
  Version version({40, 3, 17}, {DeltaMaker(6).Segment({7}, {{3, 1}, {17, 2}, {40, 3}})});
  const Navigation& navigation = version.Unite();
  EXPECT_THAT(navigation.list_sizes, ElementsAre(3, 1, 2));
  for (const Piece& piece : navigation.pieces) EXPECT_EQ(version.list_ids[piece.list], piece.list_id);
}

TEST(Unite, MasksOverSeveralPieces) {
  Version version({0, 1, 2}, {DeltaMaker().Segment({7}, {{0, 4}, {1, 4}, {2, 4}}),
                              DeltaMaker(4).Mask({7}, {{0, 1}, {3, 6}, {11, 1}})});
  const Navigation& navigation = version.Unite();
  EXPECT_THAT(navigation.list_sizes, ElementsAre(2, 0, 2));
  ASSERT_EQ(navigation.pieces.size(), 2U) << "nothing of list 1 is live";
  EXPECT_THAT(MaskedOf(navigation, navigation.pieces[0]), ElementsAre(0, 3, 4, 5, 6, 7, 8)) << "whole runs";
  EXPECT_THAT(MaskedOf(navigation, navigation.pieces[1]), ElementsAre(3, 4, 5, 6, 7, 8, 11));
  EXPECT_EQ(navigation.segments[0].live, 4U);
}

TEST(Unite, MasksOfSeveralDeltasOverlap) {
  Version version({0}, {DeltaMaker().Segment({7}, {{0, 20}}).Mask({7}, {{2, 3}, {10, 2}}),
                        DeltaMaker().Mask({7}, {{4, 4}}), DeltaMaker(10).Mask({7}, {{8, 1}, {11, 1}, {19, 1}})});
  const Navigation& navigation = version.Unite();
  EXPECT_THAT(navigation.segments[0].masked, ElementsAre(MaskRun{2, 7}, MaskRun{10, 2}, MaskRun{19, 1}));
  EXPECT_EQ(navigation.segments[0].live, 10U);
}

TEST(Unite, DeadSegmentsAreLeftOut) {
  Version version({0, 1}, {DeltaMaker().Segment({6}, {{0, 2}}).Segment({7}, {{0, 2}, {1, 2}}).Segment({8}, {{1, 5}}),
                           DeltaMaker(5).Drop({6}).Mask({7}, {{0, 1}, {1, 3}})});
  const Navigation& navigation = version.Unite();
  ASSERT_EQ(navigation.segments.size(), 1U);
  EXPECT_EQ(navigation.segments[0].info.id, (ObjectId{8}));
  ASSERT_EQ(navigation.pieces.size(), 1U);
  EXPECT_EQ(navigation.pieces[0].segment, 0U);
  EXPECT_THAT(navigation.list_sizes, ElementsAre(0, 5));
}

TEST(Unite, MasksOfSegmentsThatNobodyHasAreIgnored) {
  Version version({0}, {DeltaMaker(3).Segment({7}, {{0, 3}}).Drop({5}).Mask({6}, {{1000, 5}})});
  EXPECT_EQ(version.Unite().segments.size(), 1U);
}

TEST(Unite, NothingAtAll) {
  Version version({0, 1}, {DeltaMaker(0)});
  EXPECT_THAT(version.Unite().pieces, IsEmpty());
  EXPECT_THAT(version.navigation.first_piece, ElementsAre(0, 0, 0));
}

TEST(Unite, DeadEntriesMayBeOfListsThatAreGone) {
  Version version({5}, {DeltaMaker().Segment({7}, {{4, 3}, {5, 3}}), DeltaMaker(3).Mask({7}, {{0, 3}})});
  EXPECT_EQ(version.Unite().list_sizes[0], 3U);
}

TEST(Unite, WhatDoesNotFitIsCorruption) {
  EXPECT_EQ(Version({0}, {DeltaMaker(4).Segment({7}, {{0, 3}})}).Complaint(),
            "The version has 4 entries, its segments hold 3.");
  EXPECT_EQ(Version({0}, {DeltaMaker(2).Segment({7}, {{0, 3}})}).Complaint(),
            "The version has 2 entries, its segments hold 3.");
  EXPECT_THAT(Version({0}, {DeltaMaker(3).Segment({7}, {{1, 3}})}).Complaint(), ::testing::HasSubstr("list 1"));
  EXPECT_THAT(Version({9}, {DeltaMaker(3).Segment({7}, {{0, 3}})}).Complaint(), ::testing::HasSubstr("list 0"));
  EXPECT_THAT(Version({0}, {DeltaMaker().Segment({7}, {{0, 3}}), DeltaMaker(6).Segment({7}, {{0, 3}})}).Complaint(),
              ::testing::HasSubstr("second time"));
  for (const MaskRun& run : {MaskRun{2, 2}, MaskRun{3, 1}, MaskRun{1, UINT32_MAX}, MaskRun{UINT32_MAX, 1}}) {
    EXPECT_THAT(Version({0}, {DeltaMaker(3).Segment({7}, {{0, 3}}).Mask({7}, {run})}).Complaint(),
                ::testing::HasSubstr("mask leaves segment"));
  }
  NavigationDelta other = DeltaMaker(0);
  other.state.base = {2};
  EXPECT_THAT(Version({0}, {other}).Complaint(), ::testing::HasSubstr("navigation base"));
  EXPECT_EQ(Version({0}, {other, DeltaMaker(0)}).Complaint(), "none") << "an older base's delta may go on";
  other = DeltaMaker(0);
  other.shape.dimensions = 9;
  EXPECT_THAT(Version({0}, {other}).Complaint(), ::testing::HasSubstr("9 dimensions"));
  other = DeltaMaker(0);
  other.shape.bits = 5;
  EXPECT_THAT(Version({0}, {other, DeltaMaker(0)}).Complaint(), ::testing::HasSubstr("another kind"));
}

// Random deltas against a plain table of entries; then the same in another order.
TEST(Unite, AgreesWithATableOfEntriesInAnyOrder) {
  Random random(5);
  for (int round = 0; round < 200; ++round) {
    const std::vector<uint32_t> ids = round % 2 == 0 ? std::vector<uint32_t>{0, 1, 2} : std::vector<uint32_t>{9, 2, 5};
    struct Fate {
      uint32_t list;
      bool is_live = true;
    };
    std::map<ObjectId, std::vector<Fate>> entries;
    std::vector<DeltaMaker> makers(1 + random.Below(5));
    for (DeltaMaker& maker : makers) {
      for (uint64_t segments = random.Below(3); segments > 0; --segments) {
        const ObjectId id = {static_cast<uint8_t>(entries.size() + 1)};
        std::vector<ListPart> parts;
        for (uint32_t list = 0; list < 3; ++list) {
          const auto count = static_cast<uint32_t>(1 + random.Below(6));
          parts.push_back({ids[list], count});
          entries[id].insert(entries[id].end(), count, {.list = list});
        }
        maker.Segment(id, parts);
      }
    }
    for (DeltaMaker& maker : makers) {
      for (auto& [id, fates] : entries) {
        if (random.Below(8) == 0) {
          maker.Drop(id);
          for (Fate& fate : fates) fate.is_live = false;
        } else if (random.Below(2) == 0) {
          std::vector<MaskRun> runs;
          for (uint32_t at = static_cast<uint32_t>(random.Below(4)); at < fates.size();) {
            const auto count =
                std::min(static_cast<uint32_t>(1 + random.Below(4)), static_cast<uint32_t>(fates.size()) - at);
            runs.push_back({at, count});
            for (uint32_t i = 0; i < count; ++i) fates[at + i].is_live = false;
            at += count + 1 + static_cast<uint32_t>(random.Below(5));
          }
          maker.Mask(id, runs);
        }
      }
    }
    uint64_t live = 0;
    for (const auto& [id, fates] : entries)
      live += static_cast<uint64_t>(std::ranges::count_if(fates, [](const Fate& fate) { return fate.is_live; }));

    std::vector<NavigationDelta> deltas(makers.begin(), makers.end());
    for (NavigationDelta& delta : deltas) delta.state.entries = live;
    for (int order = 0; order < 2; ++order, std::ranges::reverse(deltas)) {
      Version version(ids, deltas);
      const Navigation& navigation = version.Unite();
      uint64_t in_lists = 0;
      for (const Piece& piece : navigation.pieces) {
        const LiveSegment& segment = navigation.segments[piece.segment];
        const std::vector<uint32_t> masked = MaskedOf(navigation, piece);
        for (uint32_t position = piece.first; position < piece.first + piece.count; ++position) {
          const Fate& fate = entries[segment.info.id][position];
          ASSERT_EQ(fate.list, piece.list);
          ASSERT_EQ(fate.is_live, !std::ranges::binary_search(masked, position));
          in_lists += fate.is_live ? 1 : 0;
        }
      }
      EXPECT_EQ(in_lists, live);
    }
  }
}

}  // namespace
}  // namespace s3v
