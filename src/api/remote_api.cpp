// Rows, searches and contents of indexes that a managed service keeps.
#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "api/guard.h"
#include "api/handles.h"
#include "api/s3v_remote_c.h"
#include "s3vectors/remote_contents.h"
#include "s3vectors/remote_filter.h"
#include "s3vectors/remote_row.h"
#include "s3vectors/remote_search.h"
#include "s3vectors/remote_writer.h"

using namespace s3v;

struct s3v_remote {
  RemoteSchema schema;
};

struct s3v_remote_writer {
  EnvStop stop;
  size_t dimensions;
  RemoteWriter writer;
};

struct s3v_remote_search {
  std::vector<RemoteAnswer> answers;
  std::vector<std::vector<Bytes>> keys;  // of an index of ours, encoded
  std::vector<std::vector<s3v_remote_hit>> hits;
};

namespace s3v {
namespace {

ByteView View(const void* data, size_t size) { return {static_cast<const uint8_t*>(data), size}; }

RemoteSchema SchemaFrom(const s3v_remote_schema& from) {
  RemoteSchema schema{.key_kind = static_cast<KeyKind>(from.key_kind), .dimensions = from.dimensions, .columns = {}};
  for (int i = 0; i < from.column_count; ++i) {
    schema.columns.push_back({.name = from.columns[i].name,
                              .kind = static_cast<ColumnKind>(from.columns[i].kind),
                              .is_filterable = from.nonfilterable[i] == 0});
  }
  return schema;
}

// Cut to what the wall has room for, at a character's end.
void CopyComplaint(const std::string& text, char (&to)[256]) {
  s3v_error cut;
  FillError(&cut, S3V_OK, text.substr(0, sizeof(to) - 1));
  std::copy_n(cut.message, sizeof(to) - 1, to);
  to[sizeof(to) - 1] = '\0';
}

RemoteSearchOptions OptionsFrom(const s3v_remote* remote, const s3v_remote_search_options& from) {
  RemoteSearchOptions options{.filter = {}, .with_metadata = from.with_metadata != 0};
  if (remote != nullptr && from.filter != nullptr) {
    options.filter = TranslateFilter(*from.filter->expression, remote->schema.columns);
  }
  if (from.filter_json != nullptr) options.filter = SpellFilter(from.filter_json);
  return options;
}

// The answer as views that live with it. Vectors that somebody else wrote under keys that are none of ours are no hits.
void ShowHits(s3v_remote_search& search, const s3v_remote* remote, size_t query) {
  for (const RemoteHit& hit : search.answers[query].hits) {
    ByteView key = View(hit.key.data(), hit.key.size());
    if (remote != nullptr) {
      std::optional<Bytes> encoded = KeyFromText(remote->schema.key_kind, hit.key);
      if (!encoded) continue;
      search.keys[query].push_back(std::move(*encoded));
      key = search.keys[query].back();
    }
    search.hits[query].push_back({.key = key.data(),
                                  .key_size = key.size(),
                                  .distance = hit.distance,
                                  .metadata = hit.metadata.empty() ? nullptr : hit.metadata.c_str()});
  }
}

// Asks those that have a top_k, and gives each its place.
std::vector<RemoteAnswer> AskAll(ServiceClient& service, const char* name, const float* queries, size_t query_count,
                                 size_t dimensions, const uint64_t* top_k, const RemoteSearchOptions& options,
                                 Stop& stop) {
  std::vector<RemoteQuery> asked;
  std::vector<size_t> places;
  for (size_t i = 0; i < query_count; ++i) {
    if (top_k[i] == 0) continue;
    asked.push_back({.vector = {queries + i * dimensions, dimensions}, .top_k = top_k[i]});
    places.push_back(i);
  }
  std::vector<RemoteAnswer> found = SearchRemote(service, name, asked, options, stop);
  std::vector<RemoteAnswer> answers(query_count);
  for (size_t i = 0; i < found.size(); ++i) answers[places[i]] = std::move(found[i]);
  return answers;
}

}  // namespace
}  // namespace s3v

/* ---- rows ---- */

s3v_code s3v_remote_open(const s3v_remote_schema* schema, s3v_remote** remote, s3v_error* err) {
  return Guarded(err, [&] { *remote = new s3v_remote{SchemaFrom(*schema)}; });
}

void s3v_remote_free(s3v_remote* remote) { delete remote; }

s3v_code s3v_remote_check_row(const s3v_remote* remote, const void* key, size_t key_size, const void* metadata,
                              size_t metadata_size, int* fits, char complaint[256], s3v_error* err) {
  return Guarded(err, [&] {
    const auto text = ComplaintAbout(remote->schema, View(key, key_size), View(metadata, metadata_size));
    *fits = text ? 0 : 1;
    CopyComplaint(text.value_or(""), *reinterpret_cast<char(*)[256]>(complaint));
  });
}

s3v_code s3v_remote_row_sizes(const s3v_remote* remote, const void* key, size_t key_size, const void* metadata,
                              size_t metadata_size, s3v_remote_sizes* sizes, s3v_error* err) {
  return Guarded(err, [&] {
    const RowSizes found = SizesOf(remote->schema, View(key, key_size), View(metadata, metadata_size));
    *sizes = {.key_bytes = found.key_bytes,
              .filterable_bytes = found.filterable_bytes,
              .metadata_bytes = found.metadata_bytes};
  });
}

s3v_code s3v_remote_row_hash(const s3v_remote* remote, const float* vector, const void* metadata, size_t metadata_size,
                             uint64_t* hash, s3v_error* err) {
  return Guarded(err, [&] {
    *hash = RemoteContentHash(remote->schema, {vector, remote->schema.dimensions}, View(metadata, metadata_size));
  });
}

/* ---- writing ---- */

s3v_code s3v_remote_writer_open(const s3v_env* env, s3v_store* store, const s3v_remote* remote, const char* name,
                                s3v_remote_writer** writer, s3v_error* err) {
  return Guarded(err, [&] {
    *writer = new s3v_remote_writer{EnvStop(env), remote->schema.dimensions,
                                    RemoteWriter(ServiceOf(store), name, remote->schema)};
  });
}

s3v_code s3v_remote_writer_put(s3v_remote_writer* writer, const void* key, size_t key_size, const float* vector,
                               const void* metadata, size_t metadata_size, s3v_error* err) {
  return Guarded(err, [&] {
    writer->writer.Put(View(key, key_size), {vector, writer->dimensions}, View(metadata, metadata_size), writer->stop);
  });
}

s3v_code s3v_remote_writer_remove(s3v_remote_writer* writer, const void* key, size_t key_size, s3v_error* err) {
  return Guarded(err, [&] { writer->writer.Remove(View(key, key_size), writer->stop); });
}

s3v_code s3v_remote_writer_remove_foreign(s3v_remote_writer* writer, const s3v_contents* contents, s3v_error* err) {
  return Guarded(err, [&] {
    for (const std::string& key : contents->remote->foreign_keys()) writer->writer.RemoveText(key, writer->stop);
  });
}

s3v_code s3v_remote_writer_finish(s3v_remote_writer* writer, s3v_remote_written* written, s3v_error* err) {
  return Guarded(err, [&] {
    const RemoteWritten done = writer->writer.Finish(writer->stop);
    *written = {.put = done.put,
                .removed = done.removed,
                .logical_bytes = done.logical_bytes,
                .requests = done.requests,
                .refusals = done.refusals};
  });
}

void s3v_remote_writer_free(s3v_remote_writer* writer) { delete writer; }

/* ---- searching ---- */

s3v_code s3v_remote_search_open(const s3v_env* env, s3v_store* store, const s3v_remote* remote, const char* name,
                                const float* queries, size_t query_count, size_t dimensions,
                                const s3v_remote_search_options* options, s3v_remote_search** search, s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    auto made = std::make_unique<s3v_remote_search>();
    made->answers = AskAll(ServiceOf(store), name, queries, query_count, dimensions, options->top_k,
                           OptionsFrom(remote, *options), stop);
    made->keys.resize(query_count);
    made->hits.resize(query_count);
    for (size_t i = 0; i < query_count; ++i) {
      made->keys[i].reserve(made->answers[i].hits.size());
      ShowHits(*made, remote, i);
    }
    *search = made.release();
  });
}

s3v_code s3v_remote_search_hits(const s3v_remote_search* search, size_t query, const s3v_remote_hit** hits,
                                size_t* count, int* whole, s3v_error* err) {
  return Guarded(err, [&] {
    *hits = search->hits.at(query).data();
    *count = search->hits[query].size();
    *whole = search->answers[query].is_whole ? 1 : 0;
  });
}

void s3v_remote_search_free(s3v_remote_search* search) { delete search; }

/* ---- comparing with the source ---- */

s3v_code s3v_remote_contents_open(const s3v_env* env, s3v_store* store, const s3v_remote* remote, const char* name,
                                  uint64_t memory_bytes, s3v_contents** contents, uint64_t* foreign, s3v_error* err) {
  return Guarded(err, [&] {
    auto made = std::make_unique<s3v_contents>(env);
    made->remote =
        std::make_unique<RemoteContents>(ServiceOf(store), name, remote->schema, memory_bytes, made->spill, made->stop);
    *foreign = made->remote->foreign_count();
    *contents = made.release();
  });
}
