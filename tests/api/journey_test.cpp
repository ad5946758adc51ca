// The wall from outside: build, search, own, collect.
#include "api/journey.h"

#include <gmock/gmock.h>

namespace {

using s3v::testing::Journey;
using s3v::testing::kNoBound;
using s3v::testing::kUuid;

// Ages are counted from an owner marker, which may be a second older than the objects.
constexpr int64_t kWhateverAge = -60;

TEST_F(Journey, BuildAndSearch) {
  ASSERT_EQ(Build(1000), S3V_OK) << err_.message;
  EXPECT_EQ(version_.rows, 1000U);
  EXPECT_EQ(version_.lists, 4U);
  EXPECT_EQ(version_.segments, 1U);
  EXPECT_EQ(std::strlen(version_.manifest), 32U);
  EXPECT_EQ(version_.bytes, version_.bytes_written);
  EXPECT_TRUE(server_.phases.contains("writing"));

  s3v_search_options options{};
  options.k = 3;
  options.probes = 4;
  EXPECT_THAT(Search(500.2F, options, 3), ::testing::ElementsAre(500, 501, 499));
  EXPECT_EQ(stats_.lists_total, 4U);
  s3v_counters before{}, after{};
  s3v_store_counters(store_, &before);
  EXPECT_THAT(Search(0.1F, options, 3), ::testing::ElementsAre(0, 1, 2));
  s3v_store_counters(store_, &after);
  EXPECT_EQ(after.waves - before.waves, 1U);
}

TEST_F(Journey, FilterAndKeySets) {
  ASSERT_EQ(Build(1000), S3V_OK);
  const s3v_column column = {"n", S3V_COLUMN_NUMBER};
  s3v_filter* filter = nullptr;
  ASSERT_EQ(s3v_filter_compile(R"({"n": {"$gte": 900}})", &column, 1, nullptr, nullptr, &filter, &err_), S3V_OK);
  s3v_keys *only = nullptr, *without = nullptr;
  ASSERT_EQ(s3v_keys_create(&only, &err_), S3V_OK);
  ASSERT_EQ(s3v_keys_create(&without, &err_), S3V_OK);
  for (int row = 0; row < 1000; row += 2) s3v_keys_add(only, Key(row).data(), 8, &err_);
  s3v_keys_add(without, Key(902).data(), 8, &err_);
  EXPECT_EQ(s3v_keys_count(only), 500U);
  EXPECT_EQ(s3v_keys_contains(without, Key(902).data(), 8), 1);
  s3v_search_options options{};
  options.k = 3;
  options.filter = filter;
  EXPECT_THAT(Search(0, options, 3), ::testing::ElementsAre(900, 901, 902));
  options.only = only;
  options.without = without;
  EXPECT_THAT(Search(0, options, 3), ::testing::ElementsAre(900, 904, 906));
  s3v_keys_free(only);
  s3v_keys_free(without);
  s3v_filter_free(filter);
}

TEST_F(Journey, FilterMatchesRowsAndAsksForTimes) {
  const s3v_column columns[] = {{"n", S3V_COLUMN_NUMBER}, {"t", S3V_COLUMN_TIME}};
  int asked = 0;
  const s3v_parse_time parse = [](void* arg, int column, const char* text, int64_t* microseconds) {
    ++*static_cast<int*>(arg);
    EXPECT_EQ(column, 1);
    *microseconds = 5;
    return std::strcmp(text, "soon") == 0 ? 0 : 1;
  };
  s3v_filter* filter = nullptr;
  ASSERT_EQ(s3v_filter_compile(R"({"t": {"$lt": "soon"}})", columns, 2, parse, &asked, &filter, &err_), S3V_OK)
      << err_.message;
  EXPECT_EQ(asked, 1);
  std::string row(1, S3V_TAG_NULL);
  const int64_t time = 4;
  row.push_back(S3V_TAG_TIME);
  row.append(reinterpret_cast<const char*>(&time), sizeof time);
  int matches = 0;
  ASSERT_EQ(s3v_filter_match(filter, row.data(), row.size(), &matches, &err_), S3V_OK);
  EXPECT_EQ(matches, 1);
  EXPECT_EQ(s3v_filter_match(filter, row.data(), row.size() - 1, &matches, &err_), S3V_CORRUPTED);
  s3v_filter_free(filter);
  EXPECT_EQ(s3v_filter_compile(R"({"t": {"$lt": "later"}})", columns, 2, parse, &asked, &filter, &err_),
            S3V_INVALID_ARGUMENT);
  EXPECT_EQ(s3v_filter_compile("{", columns, 2, nullptr, nullptr, &filter, &err_), S3V_INVALID_ARGUMENT);
}

TEST_F(Journey, SearchGoesOnAndWidens) {
  ASSERT_EQ(Build(1000), S3V_OK);
  const s3v_version_names names = Names();
  const float query[] = {10, 1};
  s3v_search_options options{};
  options.k = 1;
  options.probes = 1;
  s3v_search* search = nullptr;
  ASSERT_EQ(s3v_search_open(&server_.env, store_, &names, query, 1, 2, &options, &search, &err_), S3V_OK);
  std::set<std::string> keys;
  int more = 1;
  for (size_t found = 1; more != 0 || found > 0;) {
    const s3v_candidate* candidates = nullptr;
    ASSERT_EQ(s3v_search_next(&server_.env, search, 0, 100, kNoBound, &candidates, &found, &err_), S3V_OK);
    for (size_t i = 0; i < found; ++i) {
      EXPECT_TRUE(keys.emplace(static_cast<const char*>(candidates[i].key), candidates[i].key_size).second);
      EXPECT_GE(candidates[i].lower_bound, 0);
    }
    if (found == 0) {
      ASSERT_EQ(s3v_search_widen(&server_.env, search, 0, &more, &err_), S3V_OK);
    }
  }
  EXPECT_EQ(keys.size(), 1000U);
  s3v_search_stats_get(search, &stats_);
  EXPECT_EQ(stats_.exhausted, 1);
  s3v_search_free(search);
}

TEST_F(Journey, BadNamesAndDimensionsAreRefused) {
  ASSERT_EQ(Build(10), S3V_OK);
  const float query[] = {1, 2, 3};
  s3v_search_options options{};
  options.k = 1;
  s3v_search* search = nullptr;
  s3v_version_names names = Names();
  EXPECT_EQ(s3v_search_open(&server_.env, store_, &names, query, 1, 3, &options, &search, &err_), S3V_INVALID_ARGUMENT);
  EXPECT_STREQ(err_.message, "query has 3 dimensions, index has 2");
  std::strcpy(names.deltas[0].id, "../../etc/passwd");
  EXPECT_EQ(s3v_search_open(&server_.env, store_, &names, query, 1, 2, &options, &search, &err_), S3V_INVALID_ARGUMENT);
  names = Names();
  names.index_uuid = nullptr;
  EXPECT_EQ(s3v_search_open(&server_.env, store_, &names, query, 1, 2, &options, &search, &err_), S3V_INVALID_ARGUMENT);
  names = Names();
  std::memset(names.base.id, 'a', sizeof names.base.id);
  EXPECT_EQ(s3v_search_open(&server_.env, store_, &names, query, 1, 2, &options, &search, &err_), S3V_INVALID_ARGUMENT);
  for (const size_t count : {size_t{0}, size_t{S3V_MAX_DELTAS + 1}}) {
    names = Names();
    names.delta_count = count;
    EXPECT_EQ(s3v_search_open(&server_.env, store_, &names, query, 1, 2, &options, &search, &err_),
              S3V_INVALID_ARGUMENT);
  }
  names = Names();
  std::strcpy(names.base.id, "00000000000000000000000000000000");
  EXPECT_EQ(s3v_search_open(&server_.env, store_, &names, query, 1, 2, &options, &search, &err_), S3V_OBJECT_MISSING);
  s3v_build_options build_options{};
  build_options.index_uuid = "nonsense";
  s3v_build* build = nullptr;
  EXPECT_EQ(s3v_build_open(&server_.env, store_, &build_options, &build, &err_), S3V_INVALID_ARGUMENT);
  const s3v_env no_files{};
  EXPECT_EQ(s3v_build_open(&no_files, store_, &build_options, &build, &err_), S3V_INVALID_ARGUMENT);
}

TEST_F(Journey, RawVectorsFromTheStoreGiveExactDistances) {
  raw_ = S3V_RAW_F32;
  ASSERT_EQ(Build(1000), S3V_OK) << err_.message;
  const s3v_version_names names = Names();
  const float query[] = {200.3F, 1};
  for (const int raw_from_store : {0, 1}) {
    s3v_search_options options{};
    options.k = 5;
    options.raw_from_store = raw_from_store;
    s3v_search* search = nullptr;
    ASSERT_EQ(s3v_search_open(&server_.env, store_, &names, query, 1, 2, &options, &search, &err_), S3V_OK);
    const s3v_candidate* candidates = nullptr;
    size_t found = 0;
    ASSERT_EQ(s3v_search_next(&server_.env, search, 0, 5, kNoBound, &candidates, &found, &err_), S3V_OK);
    ASSERT_EQ(found, 5U);
    for (size_t i = 0; i < found; ++i) {
      const auto* key = static_cast<const uint8_t*>(candidates[i].key);
      const double exact = s3v_distance(S3V_L2, query, Vector(key[6] << 8 | key[7]).data(), 2);
      EXPECT_EQ(candidates[i].estimate == exact, raw_from_store == 1);
      EXPECT_EQ(candidates[i].lower_bound == exact, raw_from_store == 1);
    }
    s3v_search_free(search);
  }
}

TEST_F(Journey, NamesAndShapeOfAKeptVersionComeFromItsManifest) {
  ASSERT_EQ(Build(100), S3V_OK) << err_.message;
  s3v_version_names names{};
  s3v_version_shape shape{};
  ASSERT_EQ(s3v_version_open(&server_.env, store_, kUuid, version_.manifest, &names, &shape, &err_), S3V_OK)
      << err_.message;
  EXPECT_EQ(shape.metric, S3V_L2);
  EXPECT_EQ(shape.dimensions, 2U);
  EXPECT_EQ(shape.key_kind, S3V_KEY_INTEGER);
  EXPECT_EQ(shape.metadata_column_count, 1U);
  EXPECT_EQ(shape.raw, S3V_RAW_NONE);
  EXPECT_EQ(names.index_uuid, kUuid);
  EXPECT_STREQ(names.base.id, version_.base.id);
  EXPECT_EQ(names.base.length, version_.base.length);
  ASSERT_EQ(names.delta_count, 1U);
  EXPECT_STREQ(names.deltas[0].id, version_.deltas[0].id);
  EXPECT_EQ(names.deltas[0].length, version_.deltas[0].length);
  EXPECT_EQ(s3v_version_open(&server_.env, store_, kUuid, version_.base.id, &names, &shape, &err_), S3V_OBJECT_MISSING);
  EXPECT_EQ(s3v_version_open(&server_.env, store_, kUuid, "manifest", &names, &shape, &err_), S3V_INVALID_ARGUMENT);
}

TEST_F(Journey, CandidatesBringTheirMetadata) {
  ASSERT_EQ(Build(1000), S3V_OK) << err_.message;
  const s3v_version_names names = Names();
  const float query[] = {200.3F, 1};
  s3v_search_options options{};
  options.k = 5;
  s3v_search* search = nullptr;
  ASSERT_EQ(s3v_search_open(&server_.env, store_, &names, query, 1, 2, &options, &search, &err_), S3V_OK);
  const s3v_candidate* candidates = nullptr;
  size_t found = 0;
  ASSERT_EQ(s3v_search_next(&server_.env, search, 0, 5, kNoBound, &candidates, &found, &err_), S3V_OK);
  ASSERT_EQ(found, 5U);
  std::vector<s3v_place> places;
  std::vector<int64_t> expected;
  for (size_t i = 0; i < found; ++i) {
    const auto* key = static_cast<const uint8_t*>(candidates[i].key);
    places.push_back(candidates[i].place);
    expected.push_back(key[6] << 8 | key[7]);
  }
  const s3v_bytes* rows = nullptr;
  ASSERT_EQ(s3v_search_metadata(&server_.env, search, places.data(), found, &rows, &err_), S3V_OK) << err_.message;
  for (size_t i = 0; i < found; ++i) {
    ASSERT_EQ(rows[i].size, 9U);
    const auto* row = static_cast<const char*>(rows[i].data);
    EXPECT_EQ(row[0], S3V_TAG_INTEGER);
    EXPECT_EQ(std::memcmp(row + 1, &expected[i], sizeof expected[i]), 0);
  }
  s3v_search_free(search);
}

TEST_F(Journey, StopAndFailedCallbacksCancelAndLeaveNoFileOpen) {
  server_.polls_until_stop = 12;
  EXPECT_EQ(Build(60000), S3V_CANCELLED);
  server_.polls_until_stop = -1;
  server_.spill_fails = true;
  EXPECT_EQ(Build(60000), S3V_CANCELLED);
  EXPECT_EQ(server_.open_files, 0);
  server_.spill_fails = false;
  server_.env.spill_create = [](void*) { return -1; };
  EXPECT_EQ(Build(60000), S3V_CANCELLED);
}

TEST_F(Journey, OwnCollectAndDrop) {
  const s3v_identity identity = {1, 2, 3};
  const s3v_identity stranger = {9, 2, 3};
  char first[33], second[33];
  ASSERT_EQ(s3v_random_id(first, &err_), S3V_OK);
  ASSERT_EQ(s3v_random_id(second, &err_), S3V_OK);
  EXPECT_STRNE(first, second);
  uint64_t number = 0;
  ASSERT_EQ(s3v_owner_claim(&server_.env, store_, kUuid, 0, nullptr, 0, &identity, first, 0, &number, &err_), S3V_OK);
  EXPECT_EQ(number, 1U);
  EXPECT_EQ(s3v_owner_claim(&server_.env, store_, kUuid, 1, nullptr, 0, &stranger, second, 0, &number, &err_),
            S3V_CONFLICT);
  EXPECT_EQ(number, 0U) << "refused before it wrote";
  EXPECT_STRNE(err_.hint, "");
  const char* known[] = {first};
  ASSERT_EQ(s3v_owner_claim(&server_.env, store_, kUuid, 0, known, 1, &identity, second, 0, &number, &err_), S3V_OK);
  EXPECT_EQ(s3v_owner_verify(&server_.env, store_, kUuid, 2, &err_), S3V_OK);
  EXPECT_EQ(s3v_owner_verify(&server_.env, store_, kUuid, 1, &err_), S3V_CONFLICT);

  ASSERT_EQ(Build(100), S3V_OK);
  const s3v_version kept = version_;
  ASSERT_EQ(Build(100), S3V_OK);
  const char* retained[] = {kept.manifest};
  s3v_collected collected{};
  ASSERT_EQ(s3v_collect(&server_.env, store_, kUuid, 0, retained, 1, kWhateverAge, 2, &collected, &err_), S3V_OK)
      << err_.message;
  EXPECT_EQ(collected.deleted, 4U) << "manifest, base, delta and segment of the second build";
  EXPECT_EQ(collected.kept, 4U + 2U);
  EXPECT_EQ(s3v_collect(&server_.env, store_, kUuid, 0, retained, 1, kWhateverAge, 1, &collected, &err_), S3V_OK)
      << "nothing to delete, so the fence is not asked";
  version_ = kept;
  s3v_search_options options{};
  options.k = 1;
  EXPECT_THAT(Search(7, options, 1), ::testing::ElementsAre(7));

  char(*uuids)[37] = nullptr;
  size_t count = 0;
  uint64_t foreign = 0;
  ASSERT_EQ(s3v_store_indexes(&server_.env, store_, &uuids, &count, &foreign, &err_), S3V_OK);
  ASSERT_EQ(count, 1U);
  EXPECT_STREQ(uuids[0], kUuid);
  s3v_store_indexes_free(uuids);
  ASSERT_EQ(s3v_collect(&server_.env, store_, kUuid, 1, nullptr, 0, kWhateverAge, 2, &collected, &err_), S3V_OK)
      << err_.message;
  ASSERT_EQ(s3v_store_indexes(&server_.env, store_, &uuids, &count, &foreign, &err_), S3V_OK);
  EXPECT_EQ(count, 0U);
  s3v_store_indexes_free(uuids);
}

TEST_F(Journey, FencedCollectionDeletesNothing) {
  const s3v_identity identity = {1, 2, 3};
  uint64_t number = 0;
  ASSERT_EQ(s3v_owner_claim(&server_.env, store_, kUuid, 0, nullptr, 0, &identity, "0123456789abcdef0123456789abcdef",
                            0, &number, &err_),
            S3V_OK);
  ASSERT_EQ(Build(100), S3V_OK);
  ASSERT_EQ(s3v_owner_claim(&server_.env, store_, kUuid, 1, nullptr, 0, &identity, "1123456789abcdef0123456789abcdef",
                            0, &number, &err_),
            S3V_OK);
  s3v_collected collected{};
  EXPECT_EQ(s3v_collect(&server_.env, store_, kUuid, 1, nullptr, 0, kWhateverAge, 1, &collected, &err_), S3V_CONFLICT);
  s3v_search_options options{};
  options.k = 1;
  EXPECT_THAT(Search(7, options, 1), ::testing::ElementsAre(7));
}

TEST(Vectors, CheckedAndMeasured) {
  const float a[] = {3, 4};
  const float b[] = {0, 0};
  const float infinite[] = {1, -std::numeric_limits<float>::infinity()};
  EXPECT_EQ(s3v_vector_check(a, 2), S3V_VECTOR_FINE);
  EXPECT_EQ(s3v_vector_check(b, 2), S3V_VECTOR_ZERO);
  EXPECT_EQ(s3v_vector_check(infinite, 2), S3V_VECTOR_NOT_FINITE);
  EXPECT_EQ(s3v_distance(S3V_L2, a, b, 2), 5.0);
  EXPECT_EQ(s3v_distance(S3V_INNER_PRODUCT, a, a, 2), -25.0);
  EXPECT_EQ(s3v_distance(S3V_COSINE, a, a, 2), 0.0);
}

TEST(Stores, OptionsAreChecked) {
  s3v_error err{};
  s3v_store_config config{};
  config.url = "gopher://x";
  EXPECT_EQ(s3v_store_check(&config, &err), S3V_INVALID_ARGUMENT);
  s3v_store* store = nullptr;
  EXPECT_EQ(s3v_store_open(&config, &store, &err), S3V_INVALID_ARGUMENT);
  EXPECT_EQ(store, nullptr);
  config.url = nullptr;
  EXPECT_EQ(s3v_store_check(&config, &err), S3V_INVALID_ARGUMENT);
  config.url = "s3://bucket/prefix";
  config.access_key_id = "id";
  config.secret_access_key = "secret";
  config.allowed_endpoints = " a.example:80 , *.b.example,,";
  EXPECT_EQ(s3v_store_check(&config, &err), S3V_OK) << err.message;
  s3v_store_close(nullptr);
}

TEST(Process, ExitGivesBackWhatLibcurlHolds) {
  s3v_store_config config{};
  s3v_store* store = nullptr;
  s3v_error err{};
  config.url = "s3://bucket";
  config.access_key_id = "id";
  config.secret_access_key = "secret";
  ASSERT_EQ(s3v_store_open(&config, &store, &err), S3V_OK) << err.message;
  s3v_store_close(store);
  s3v_process_exit();
  s3v_process_exit();  // harmless
}

}  // namespace
