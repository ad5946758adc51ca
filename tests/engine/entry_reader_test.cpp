#include "engine/entry_reader.h"

#include <gtest/gtest.h>

#include "engine/changing_store.h"
#include "engine/hand_made_index.h"

namespace s3v {
namespace {

using testing::ChangingStore;
using testing::HandMadeIndex;

// Keys in the order in which they are visited; checks the vectors, which are all the same.
std::vector<std::string> ReadAll(const Navigation& navigation, ObjectStore& store) {
  NeverStop stop;
  const LiveMap live(navigation);
  EntryReader reader(navigation, live, EntryParts::kAll, 1 << 20, store);
  std::vector<const Piece*> pieces;
  for (const Piece& piece : navigation.pieces) pieces.push_back(&piece);
  std::vector<std::string> keys;
  reader.Read(
      pieces,
      [&](const Piece&, uint32_t, const Entry& entry) {
        keys.emplace_back(AsText(entry.key));
        for (const float element : entry.vector) EXPECT_EQ(element, 0.5F);
      },
      stop);
  return keys;
}

class EntryReaderTest : public ::testing::Test {
 protected:
  EntryReaderTest() {
    index_.AddSegment(testing::TextEntries(testing::Numbers(30, 60, 1)));
    index_.WriteDelta();
    navigation_ = index_.Open();
  }

  HandMadeIndex index_{KeyKind::kText, false, RawPlane::kFloat16};
  std::shared_ptr<const Navigation> navigation_;
};

TEST_F(EntryReaderTest, WhateverArrivesDamagedIsAskedForOnceMore) {
  size_t ranges = 0;
  ChangingStore counting(*index_.store, [&](Bytes&) { ++ranges; });
  const std::vector<std::string> keys = ReadAll(*navigation_, counting);
  ASSERT_EQ(keys.size(), 30u);
  ASSERT_GE(ranges, 12u) << "three pieces with four planes each";
  for (size_t damaged = 0; damaged < ranges; ++damaged) {
    size_t range = 0;
    ChangingStore changing(*index_.store, [&](Bytes& bytes) {
      if (range++ == damaged) bytes[bytes.size() / 2] ^= 0x40;
    });
    EXPECT_EQ(ReadAll(*navigation_, changing), keys) << "range " << damaged;
  }
}

TEST_F(EntryReaderTest, DamageThatStaysIsTold) {
  const std::string key = index_.KeyOf(0);
  for (const Piece& piece : navigation_->pieces) {
    Bytes bytes = index_.Get(key);
    const Bytes whole = bytes;
    bytes[piece.raw_offset + 200] ^= 1;
    index_.Put(key, bytes);
    try {
      ReadAll(*navigation_, *index_.store);
      FAIL() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kCorrupted);
      EXPECT_NE(error.message().find(key), std::string::npos) << error.message();
    }
    index_.Put(key, whole);
  }
}

}  // namespace
}  // namespace s3v
