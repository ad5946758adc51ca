#include "format/names.h"

#include <gtest/gtest.h>

#include "format/samples.h"

namespace s3v {
namespace {

using testing::kSampleIndex;
using testing::kSampleObject;

const std::string kUuid = "10111213-1415-1617-1819-1a1b1c1d1e1f";

TEST(Names, UuidHasPostgresTextForm) {
  EXPECT_EQ(UuidText(kSampleIndex), kUuid);
  ObjectId parsed;
  ASSERT_TRUE(ParseUuid(kUuid, &parsed));
  EXPECT_EQ(parsed, kSampleIndex);
  for (const std::string bad : {"", "10111213141516171819-1a1b1c1d1e1f", "10111213-1415-1617-1819-1A1B1C1D1E1F",
                                "10111213-1415-1617-1819-1a1b1c1d1e1", "1011121-31415-1617-1819-1a1b1c1d1e1f",
                                "1011121--1415-1617-1819-1a1b1c1d1e1f", "{0111213-1415-1617-1819-1a1b1c1d1e1}"}) {
    EXPECT_FALSE(ParseUuid(bad, &parsed)) << bad;
  }
}

TEST(Names, EveryKindComesBack) {
  ParsedKey name;
  ASSERT_TRUE(ParseKey(kSampleIndex, OwnerKey(kSampleIndex, 42), &name));
  EXPECT_EQ(name.kind, ObjectKind::kOwner);
  EXPECT_EQ(name.number, 42U);
  ASSERT_TRUE(ParseKey(kSampleIndex, OwnerKey(kSampleIndex, UINT64_MAX), &name));
  EXPECT_EQ(name.number, UINT64_MAX);

  const std::pair<std::string, ObjectKind> keys[] = {
      {ManifestKey(kSampleIndex, kSampleObject), ObjectKind::kManifest},
      {NavigationKey(kSampleIndex, kSampleObject), ObjectKind::kNavigation},
      {SegmentKey(kSampleIndex, kSampleObject), ObjectKind::kSegment}};
  for (const auto& [key, kind] : keys) {
    ASSERT_TRUE(ParseKey(kSampleIndex, key, &name)) << key;
    EXPECT_EQ(name.kind, kind);
    EXPECT_EQ(name.id, kSampleObject);
    EXPECT_TRUE(key.starts_with(IndexPrefix(kSampleIndex)));
  }
}

TEST(Names, FormIsFixed) {
  EXPECT_EQ(OwnerKey(kSampleIndex, 7), kUuid + "/owner/00000000000000000007");
  EXPECT_EQ(OwnerPrefix(kSampleIndex), kUuid + "/owner/");
  EXPECT_EQ(ManifestKey(kSampleIndex, kSampleObject), kUuid + "/manifest/a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
  EXPECT_EQ(NavigationKey(kSampleIndex, kSampleObject), kUuid + "/nav/a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
  EXPECT_EQ(SegmentKey(kSampleIndex, kSampleObject), kUuid + "/segment/a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
}

TEST(Names, WhatDoesNotFitIsForeign) {
  const std::string id = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
  ParsedKey name;
  for (const std::string& rest :
       {std::string(""), std::string("/"), "/segment/" + id + "0", "/segment/" + id.substr(1),
        "/segment/A" + id.substr(1), "/segment/../" + id, "/segments/" + id, "/segment" + id, "/" + id,
        "/segment/" + id + "/x", std::string("/owner/7"), std::string("/owner/00000000000000000000"),
        std::string("/owner/99999999999999999999"), std::string("/owner/0000000000000000000a"),
        std::string("/owner/000000000000000000007"), "/segment/" + id + std::string(1, '\0')}) {
    EXPECT_FALSE(ParseKey(kSampleIndex, kUuid + rest, &name)) << rest;
  }
  EXPECT_FALSE(ParseKey(kSampleObject, SegmentKey(kSampleIndex, kSampleObject), &name)) << "another index";
}

}  // namespace
}  // namespace s3v
