#include "s3vectors/remote_condition.h"

#include <gtest/gtest.h>

namespace s3v {
namespace {

Condition Of(const std::string& column, size_t values = 1, std::string_view op = "$in") {
  return Condition::Test(column, op, std::vector<std::string>(values, "1"), true);
}

TEST(RemoteCondition, ConjunctionsKeepWhatSaysSomething) {
  EXPECT_EQ(ToJson(Condition::All({Of("a"), Of("b", 2)})), R"({"$and":[{"a":{"$eq":1}},{"b":{"$in":[1,1]}}]})");
  const Condition partly = Condition::All({Condition::Everything(), Of("a")});
  EXPECT_EQ(ToJson(partly), R"({"a":{"$eq":1}})");
  EXPECT_FALSE(partly.is_exact);
  EXPECT_EQ(Condition::All({Condition::Everything(), Condition::Everything()}).kind, Condition::Kind::kEverything);
  const Condition nothing = Condition::All({Condition::Everything(), Condition::Nothing("n"), Of("a")});
  EXPECT_EQ(ToJson(nothing), R"({"$and":[{"n":{"$exists":true}},{"n":{"$exists":false}}]})");
  EXPECT_TRUE(nothing.is_exact);
  EXPECT_EQ(nothing.constraints(), 2u);
}

TEST(RemoteCondition, DisjunctionsAreAllOrNothing) {
  EXPECT_EQ(Condition::Any({Of("a"), Condition::Everything()}).kind, Condition::Kind::kEverything);
  EXPECT_EQ(Condition::Any({Condition::Nothing("a"), Condition::Nothing("b")}).kind, Condition::Kind::kNothing);
  const Condition one = Condition::Any({Condition::Nothing("a"), Of("b")});
  EXPECT_EQ(ToJson(one), R"({"b":{"$eq":1}})");
  EXPECT_TRUE(one.is_exact);
}

TEST(RemoteCondition, NestsOnlyWhereTheKindChanges) {
  const Condition nested = Condition::All({Condition::All({Of("a"), Of("b")}), Condition::Any({Of("c"), Of("d")})});
  EXPECT_EQ(ToJson(nested), R"({"$and":[{"a":{"$eq":1}},{"b":{"$eq":1}},{"$or":[{"c":{"$eq":1}},{"d":{"$eq":1}}]}]})");
  EXPECT_EQ(nested.constraints(), 4u);
}

TEST(RemoteCondition, FitsByLeavingOutTheWidest) {
  const auto fit = [](Condition condition, size_t most) { return Fit(std::move(condition), most); };
  EXPECT_EQ(fit(Condition::All({Of("a", 3), Of("b", 5), Of("c", 4)}), 12).constraints(), 12u);
  const Condition less = fit(Condition::All({Of("a", 3), Of("b", 5), Of("c", 4)}), 11);
  EXPECT_EQ(less.constraints(), 7u);
  EXPECT_FALSE(less.is_exact);
  EXPECT_EQ(fit(Condition::All({Of("a", 3), Of("b", 5), Of("c", 4)}), 3).constraints(), 3u);
  EXPECT_EQ(fit(Of("a", 5), 4).kind, Condition::Kind::kEverything);
  EXPECT_EQ(fit(Condition::Any({Of("a", 3), Of("b", 3)}), 5).kind, Condition::Kind::kEverything);
  // Enough inside of the widest part.
  EXPECT_EQ(ToJson(fit(Condition::All({Of("z"), Condition::Any({Of("a"), Condition::All({Of("b", 4), Of("c")})})}), 4)),
            R"({"$and":[{"z":{"$eq":1}},{"$or":[{"a":{"$eq":1}},{"c":{"$eq":1}}]}]})");
}

TEST(RemoteCondition, ExclusionsLoseValuesOnly) {
  const Condition fit = Fit(Condition::Any({Of("a", 8, "$nin"), Of("b")}), 5);
  EXPECT_EQ(ToJson(fit), R"({"$or":[{"a":{"$nin":[1,1,1,1]}},{"b":{"$eq":1}}]})");
  EXPECT_FALSE(fit.is_exact);
  EXPECT_EQ(ToJson(Of("a", 1, "$nin")), R"({"a":{"$ne":1}})");
}

TEST(RemoteCondition, KnowsItsOperators) {
  EXPECT_TRUE(Condition::All({Of("a"), Of("b", 1, "$startsWith")}).Uses("$startsWith"));
  EXPECT_FALSE(Condition::All({Of("a"), Of("$startsWith")}).Uses("$startsWith"));
}

}  // namespace
}  // namespace s3v
