// Builds.
#include <memory>

#include "api/guard.h"
#include "api/handles.h"
#include "api/names.h"
#include "engine/build.h"

using namespace s3v;

struct s3v_build {
  s3v_build(const s3v_env* env, s3v_store* store, const BuildOptions& options)
      : dimensions(options.dimensions),
        stop(env),
        spill(env),
        build(options, ObjectsOf(store), spill, ProgressOf(env)) {}

  const size_t dimensions;
  EnvStop stop;
  EnvSpillFactory spill;
  IndexBuild build;
};

namespace s3v {
namespace {

BuildOptions OptionsFrom(const s3v_build_options& from) {
  BuildOptions options;
  options.index = UuidFrom(from.index_uuid);
  options.metric = static_cast<Metric>(from.metric);
  options.dimensions = from.dimensions;
  options.key_kind = static_cast<KeyKind>(from.key_kind);
  options.lists = from.lists;
  options.recall = from.recall;
  options.bits = from.bits;
  options.raw = static_cast<RawPlane>(from.raw);
  options.duplicates = static_cast<Duplicates>(from.soar);
  options.memory_bytes = from.memory_bytes;
  options.threads = from.threads;
  for (int i = 0; i < from.metadata_column_count; ++i) options.metadata_columns.emplace_back(from.metadata_columns[i]);
  return options;
}

}  // namespace
}  // namespace s3v

s3v_code s3v_build_open(const s3v_env* env, s3v_store* store, const s3v_build_options* options, s3v_build** build,
                        s3v_error* err) {
  return Guarded(err, [&] {
    if (env == nullptr || env->spill_create == nullptr || env->spill_append == nullptr || env->spill_read == nullptr ||
        env->spill_close == nullptr) {
      throw Error(Code::kInvalidArgument, "a build needs callbacks for temporary files");
    }
    *build = new s3v_build(env, store, OptionsFrom(*options));
  });
}

s3v_code s3v_build_add(s3v_build* build, const void* key, size_t key_size, const float* vector, const void* metadata,
                       size_t metadata_size, s3v_error* err) {
  return Guarded(err, [&] {
    build->build.Add({static_cast<const uint8_t*>(key), key_size}, {vector, build->dimensions},
                     {static_cast<const uint8_t*>(metadata), metadata_size}, build->stop);
  });
}

s3v_code s3v_build_finish(s3v_build* build, s3v_version* version, s3v_error* err) {
  return Guarded(err, [&] { FillVersion(build->build.Finish(build->stop), version); });
}

void s3v_build_free(s3v_build* build) { delete build; }
