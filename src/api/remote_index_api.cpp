// Remote indexes: checked, made, found again, described.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "api/guard.h"
#include "api/handles.h"
#include "api/s3v_remote_c.h"
#include "s3vectors/remote_index.h"

namespace s3v {
namespace {

std::vector<std::string> TextsFrom(const char* const* texts, size_t count) { return {texts, texts + count}; }

RemoteCreation CreationFrom(const s3v_remote_creation& from) {
  RemoteCreation creation;
  creation.metric = static_cast<Metric>(from.metric);
  creation.dimensions = from.dimensions;
  creation.nonfilterable = TextsFrom(from.nonfilterable, from.nonfilterable_count);
  creation.create_bucket = from.create_bucket != 0;
  if (from.mode != nullptr) creation.mode = from.mode;
  return creation;
}

// A mode that is longer than any of today's is cut.
template <size_t n>
void CopyText(char (&to)[n], const std::string& from) {
  const size_t size = std::min(from.size(), n - 1);
  std::copy_n(from.data(), size, to);
  to[size] = '\0';
}

// Names of ours have at most 45 characters.
void CopyName(char* to, const std::string& from) {
  static_assert(S3V_MAX_REMOTE_NAME > 45);
  std::strcpy(to, from.c_str());
}

}  // namespace
}  // namespace s3v

using namespace s3v;

s3v_code s3v_remote_check_creation(const s3v_remote_creation* creation, s3v_error* err) {
  return Guarded(err, [&] { CheckRemoteCreation(CreationFrom(*creation)); });
}

s3v_code s3v_remote_make_bucket(const s3v_env* env, s3v_store* store, s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    MakeVectorBucket(ServiceOf(store), stop);
  });
}

s3v_code s3v_remote_create(const s3v_env* env, s3v_store* store, const char* index_uuid,
                           const s3v_remote_creation* creation, char name[S3V_MAX_REMOTE_NAME], s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    CopyName(name, CreateGeneration(ServiceOf(store), UuidFrom(index_uuid), CreationFrom(*creation), stop));
  });
}

s3v_code s3v_remote_find_unfinished(const s3v_env* env, s3v_store* store, const char* index_uuid,
                                    const char* const* published, size_t published_count,
                                    const s3v_remote_creation* creation, char name[S3V_MAX_REMOTE_NAME],
                                    s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    const std::optional<std::string> found = FindUnfinished(
        ServiceOf(store), UuidFrom(index_uuid), TextsFrom(published, published_count), CreationFrom(*creation), stop);
    CopyName(name, found.value_or(""));
  });
}

s3v_code s3v_remote_describe(const s3v_env* env, s3v_store* store, const char* name, s3v_remote_shape* shape,
                             s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    const RemoteShape found = Describe(ServiceOf(store), name, stop);
    *shape = {};
    shape->metric = static_cast<s3v_metric>(found.metric);
    shape->dimensions = found.dimensions;
    CopyText(shape->mode, found.mode);
  });
}
