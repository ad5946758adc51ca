// Updates.
#include <memory>
#include <string>
#include <vector>

#include "api/guard.h"
#include "api/handles.h"
#include "api/names.h"
#include "engine/update.h"

using namespace s3v;

struct s3v_update {
  s3v_update(const s3v_env* env, s3v_store* store, std::shared_ptr<const Navigation> navigation,
             const UpdateOptions& options)
      : dimensions(navigation->shape.dimensions),
        stop(env),
        spill(env),
        update(std::move(navigation), options, ObjectsOf(store), spill, ProgressOf(env)) {}

  const size_t dimensions;
  EnvStop stop;
  EnvSpillFactory spill;
  IndexUpdate update;
  std::vector<std::string> keys;  // to be read again: taken from the update, not yet handed out
  size_t next_key = 0;
};

namespace s3v {
namespace {

constexpr size_t kKeysAtOnce = 256;

void CheckThatTheyFit(const Navigation& navigation, const s3v_build_options& options) {
  const auto check = [](const char* what, uint64_t has, uint64_t given) {
    if (has == given) return;
    throw Error(Code::kInvalidArgument, std::string("the version has another ") + what,
                "It has " + std::to_string(has) + ", the update is given " + std::to_string(given) + ".");
  };
  check("metric", static_cast<uint64_t>(navigation.base->space.metric), static_cast<uint64_t>(options.metric));
  check("number of dimensions", navigation.shape.dimensions, options.dimensions);
  check("kind of key", static_cast<uint64_t>(navigation.shape.key_kind), static_cast<uint64_t>(options.key_kind));
}

UpdateOptions UpdateOptionsFrom(const s3v_build_options& from, int optimize) {
  UpdateOptions options;
  for (int i = 0; i < from.metadata_column_count; ++i) options.metadata_columns.emplace_back(from.metadata_columns[i]);
  options.lists = from.lists;
  options.recall = from.recall;
  options.memory_bytes = from.memory_bytes;
  options.threads = from.threads;
  options.optimize = optimize != 0;
  return options;
}

}  // namespace
}  // namespace s3v

s3v_code s3v_update_open(const s3v_env* env, s3v_store* store, const s3v_version_names* names,
                         const s3v_build_options* options, int optimize, s3v_update** update, s3v_error* err) {
  return Guarded(err, [&] {
    if (env == nullptr || env->spill_create == nullptr || env->spill_append == nullptr || env->spill_read == nullptr ||
        env->spill_close == nullptr) {
      throw Error(Code::kInvalidArgument, "an update needs callbacks for temporary files");
    }
    EnvStop stop(env);
    auto navigation = store->navigation.Open(NamesOf(*names), ObjectsOf(store), stop);
    CheckThatTheyFit(*navigation, *options);
    *update = new s3v_update(env, store, std::move(navigation), UpdateOptionsFrom(*options, optimize));
  });
}

s3v_code s3v_update_remove(s3v_update* update, const void* key, size_t key_size, s3v_error* err) {
  return Guarded(err, [&] { update->update.Remove({static_cast<const uint8_t*>(key), key_size}); });
}

s3v_code s3v_update_put(s3v_update* update, const void* key, size_t key_size, const float* vector, const void* metadata,
                        size_t metadata_size, s3v_error* err) {
  return Guarded(err, [&] {
    update->update.Put({static_cast<const uint8_t*>(key), key_size}, {vector, update->dimensions},
                       {static_cast<const uint8_t*>(metadata), metadata_size}, update->stop);
  });
}

s3v_code s3v_update_discard_damaged(s3v_update* update, const s3v_contents* contents, s3v_error* err) {
  return Guarded(err, [&] {
    for (const ObjectId& segment : contents->damaged) update->update.Discard(segment);
  });
}

s3v_code s3v_update_plan(s3v_update* update, s3v_error* err) {
  return Guarded(err, [&] { update->update.Plan(update->stop); });
}

s3v_code s3v_update_take(s3v_update* update, const void** key, size_t* key_size, s3v_error* err) {
  return Guarded(err, [&] {
    if (update->next_key == update->keys.size()) {
      update->keys = update->update.TakeKeys(kKeysAtOnce, update->stop);
      update->next_key = 0;
    }
    const bool is_end = update->keys.empty();
    *key = is_end ? nullptr : update->keys[update->next_key].data();
    *key_size = is_end ? 0 : update->keys[update->next_key].size();
    update->next_key += is_end ? 0 : 1;
  });
}

s3v_code s3v_update_finish(s3v_update* update, s3v_update_result* result, s3v_error* err) {
  return Guarded(err, [&] {
    const UpdateResult finished = update->update.Finish(update->stop);
    *result = {};
    result->changed = finished.is_changed ? 1 : 0;
    result->rows_put = finished.rows_put;
    result->rows_removed = finished.rows_removed;
    if (finished.is_changed) FillVersion(finished.built, &result->version);
  });
}

void s3v_update_free(s3v_update* update) { delete update; }
