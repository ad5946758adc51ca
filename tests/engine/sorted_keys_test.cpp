#include "engine/sorted_keys.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/random.h"
#include "support/temp_spill.h"

namespace s3v {
namespace {

std::map<std::string, bool> ReadAll(SortedKeys& keys) {
  std::map<std::string, bool> all;
  SortedKeys::Reader reader(keys);
  std::string last;
  while (reader.Next()) {
    const std::string key(AsText(reader.key()));
    EXPECT_TRUE(all.empty() || last < key) << "ascending, each once";
    last = key;
    all[key] = reader.flag();
  }
  EXPECT_FALSE(reader.Next());
  return all;
}

TEST(SortedKeys, ComeAscendingAndOnceWhateverTheMemory) {
  for (const size_t memory : {100U, 3000U, 1U << 20}) {
    testing::TempSpillFactory spill;
    SortedKeys keys(spill, memory);
    Random random(7);
    std::map<std::string, bool> expected;
    for (int i = 0; i < 5000; ++i) {
      std::string key(random.Below(30), static_cast<char>(random.Below(256)));
      if (i % 1000 == 999) key.assign(50000, static_cast<char>(i % 3));
      const bool flag = random.Below(5) == 0;
      keys.Add(AsBytes(key), flag);
      expected[key] = expected[key] || flag;
    }
    EXPECT_EQ(ReadAll(keys), expected);
    EXPECT_EQ(ReadAll(keys), expected) << "as often as wanted";
    EXPECT_EQ(spill.created(), memory < 1U << 20 ? 1 : 0);
  }
}

TEST(SortedKeys, NoneAndTheEmptyKey) {
  testing::TempSpillFactory spill;
  SortedKeys keys(spill, 1000);
  EXPECT_TRUE(ReadAll(keys).empty());
  keys.Add({}, true);
  EXPECT_EQ(ReadAll(keys), (std::map<std::string, bool>{{"", true}}));
}

}  // namespace
}  // namespace s3v
