// Vectors, filters, key sets and searches.
#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "api/guard.h"
#include "api/handles.h"
#include "api/names.h"
#include "engine/read_manifest.h"
#include "engine/warm.h"
#include "ivf/distance.h"

using namespace s3v;

struct s3v_search {
  std::unique_ptr<Search> search;
  std::vector<Candidate> found;           // of the last call; owns the keys
  std::vector<s3v_candidate> candidates;  // views of it
  std::vector<Bytes> metadata;            // of the last call that read some
  std::vector<s3v_bytes> rows;            // views of it
};

double s3v_distance(s3v_metric metric, const float* a, const float* b, size_t dimensions) {
  return ExactDistance(static_cast<Metric>(metric), {a, dimensions}, {b, dimensions});
}

s3v_vector_state s3v_vector_check(const float* values, size_t dimensions) {
  const std::span<const float> vector(values, dimensions);
  if (!AllFinite(vector)) return S3V_VECTOR_NOT_FINITE;
  return std::ranges::all_of(vector, [](float value) { return value == 0; }) ? S3V_VECTOR_ZERO : S3V_VECTOR_FINE;
}

s3v_code s3v_filter_compile(const char* json, const s3v_column* columns, int column_count, s3v_parse_time parse_time,
                            void* arg, s3v_filter** filter, s3v_error* err) {
  return Guarded(err, [&] {
    std::vector<FilterColumn> declared;
    for (int i = 0; i < column_count; ++i) {
      declared.push_back({columns[i].name, static_cast<ColumnKind>(columns[i].kind)});
    }
    const TimeParser parser = [&](size_t column, const std::string& text, int64_t* microseconds) {
      return parse_time != nullptr && parse_time(arg, static_cast<int>(column), text.c_str(), microseconds) == 0;
    };
    auto compiled = std::make_unique<s3v_filter>();
    compiled->expression = Expression::Compile(json, declared, parser);
    *filter = compiled.release();
  });
}

s3v_code s3v_filter_match(const s3v_filter* filter, const void* row, size_t size, int* matches, s3v_error* err) {
  return Guarded(err, [&] { *matches = filter->expression->Match({static_cast<const uint8_t*>(row), size}) ? 1 : 0; });
}

void s3v_filter_free(s3v_filter* filter) { delete filter; }

s3v_code s3v_keys_create(s3v_keys** keys, s3v_error* err) {
  return Guarded(err, [&] { *keys = new s3v_keys(); });
}

s3v_code s3v_keys_add(s3v_keys* keys, const void* key, size_t size, s3v_error* err) {
  return Guarded(err, [&] { keys->set.emplace(static_cast<const char*>(key), size); });
}

int s3v_keys_contains(const s3v_keys* keys, const void* key, size_t size) {
  return keys->set.contains(std::string_view(static_cast<const char*>(key), size)) ? 1 : 0;
}

size_t s3v_keys_count(const s3v_keys* keys) { return keys->set.size(); }

void s3v_keys_free(s3v_keys* keys) { delete keys; }

s3v_code s3v_version_open(const s3v_env* env, s3v_store* store, const char* index_uuid, const char* manifest,
                          s3v_version_names* names, s3v_version_shape* shape, s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    const Manifest kept = ReadManifest(ObjectsOf(store), UuidFrom(index_uuid), IdFrom(manifest), stop);
    FillNames(NamesOf(kept), names);
    names->index_uuid = index_uuid;
    *shape = {.metric = static_cast<s3v_metric>(kept.metric),
              .dimensions = kept.dimensions,
              .key_kind = static_cast<s3v_key_kind>(kept.key_kind),
              .metadata_column_count = kept.metadata_columns.size(),
              .raw = static_cast<s3v_raw>(kept.raw)};
  });
}

s3v_code s3v_search_open(const s3v_env* env, s3v_store* store, const s3v_version_names* version, const float* queries,
                         size_t query_count, size_t dimensions, const s3v_search_options* options, s3v_search** search,
                         s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    SearchOptions wanted{.k = options->k, .probes = options->probes, .max_bytes = options->max_bytes};
    wanted.raw_from_store = options->raw_from_store != 0;
    if (options->in_flight_bytes > 0) wanted.in_flight_bytes = options->in_flight_bytes;
    if (options->filter != nullptr) wanted.filter = options->filter->expression.get();
    if (options->only != nullptr) wanted.only = &options->only->set;
    if (options->without != nullptr) wanted.without = &options->without->set;

    auto opened = std::make_unique<s3v_search>();
    auto navigation = store->navigation.Open(NamesOf(*version), ObjectsOf(store), stop);
    if (navigation->base->space.dimensions != dimensions) {
      throw Error(Code::kInvalidArgument, "query has " + std::to_string(dimensions) + " dimensions, index has " +
                                              std::to_string(navigation->base->space.dimensions));
    }
    opened->search = std::make_unique<Search>(std::move(navigation), std::span(queries, query_count * dimensions),
                                              wanted, ObjectsOf(store));
    *search = opened.release();
  });
}

s3v_code s3v_search_next(const s3v_env* env, s3v_search* search, size_t query, size_t want, double worst,
                         const s3v_candidate** candidates, size_t* found, s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    search->candidates.clear();
    search->found = search->search->Next(query, want, worst, stop);
    for (const Candidate& candidate : search->found) {
      search->candidates.push_back({candidate.key.data(),
                                    candidate.key.size(),
                                    candidate.estimate,
                                    candidate.lower_bound,
                                    {.piece = candidate.place.piece, .entry = candidate.place.entry}});
    }
    *candidates = search->candidates.data();
    *found = search->candidates.size();
  });
}

s3v_code s3v_search_widen(const s3v_env* env, s3v_search* search, size_t query, int* more, s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    *more = search->search->Widen(query, stop) ? 1 : 0;
  });
}

s3v_code s3v_search_metadata(const s3v_env* env, s3v_search* search, const s3v_place* places, size_t count,
                             const s3v_bytes** rows, s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    std::vector<EntryPlace> wanted;
    for (size_t i = 0; i < count; ++i) wanted.push_back({.piece = places[i].piece, .entry = places[i].entry});
    search->rows.clear();
    search->metadata = search->search->ReadMetadata(wanted, stop);
    for (const Bytes& row : search->metadata) search->rows.push_back({row.data(), row.size()});
    *rows = search->rows.data();
  });
}

void s3v_search_stats_get(const s3v_search* search, s3v_search_stats* stats) {
  const SearchStats now = search->search->stats();
  *stats = {.lists_total = now.lists_total,
            .lists_probed = now.lists_probed,
            .entries_scanned = now.entries_scanned,
            .entries_scored = now.entries_scored,
            .entries_matched = now.entries_matched,
            .exhausted = now.exhausted ? 1 : 0,
            .budget_reached = now.budget_reached ? 1 : 0};
}

void s3v_search_free(s3v_search* search) { delete search; }

s3v_code s3v_warm(const s3v_env* env, s3v_store* store, const s3v_version_names* version, uint64_t max_bytes,
                  uint64_t* fetched, s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    ObjectStore& objects = ObjectsOf(store);
    const uint64_t before = objects.counters().bytes_read;
    const auto navigation = store->navigation.Open(NamesOf(*version), objects, stop);
    Warm(*navigation, max_bytes, objects, stop);
    *fetched = objects.counters().bytes_read - before;
  });
}
