// Comparing an index with its source.
#include <algorithm>
#include <memory>
#include <string>

#include "api/guard.h"
#include "api/handles.h"
#include "api/names.h"
#include "format/content_hash.h"

using namespace s3v;

namespace s3v {
namespace {

void FillDamage(const Damage& from, s3v_damage* damage) {
  s3v_error cut;  // to the length that the wall has for texts
  FillError(&cut, S3V_OK, from.first_complaint);
  static_assert(sizeof cut.message == sizeof damage->complaint);
  damage->objects = from.objects;
  damage->unusable = from.is_unusable ? 1 : 0;
  std::ranges::copy(cut.message, damage->complaint);
}

}  // namespace
}  // namespace s3v

s3v_code s3v_contents_open(const s3v_env* env, s3v_store* store, const s3v_version_names* names, const char* manifest,
                           s3v_contents** contents, s3v_damage* damage, s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    *contents = nullptr;
    const VersionNames version = NamesOf(*names);
    ObjectStore& objects = ObjectsOf(store).uncached();
    const Damage found = Verify(version, IdFrom(manifest), objects, stop);
    FillDamage(found, damage);
    if (found.is_unusable) return;
    auto navigation = store->navigation.Open(version, ObjectsOf(store), stop);
    auto made = std::make_unique<s3v_contents>(env);
    made->damaged = found.segments;
    made->stored.emplace(std::move(navigation), found.segments, objects);
    *contents = made.release();
  });
}

s3v_code s3v_contents_next(s3v_contents* contents, const void** key, size_t* key_size, uint64_t* content_hash,
                           s3v_error* err) {
  return Guarded(err, [&] {
    ByteView view;
    const bool is_end = !contents->Next(&view, content_hash);
    *key = is_end ? nullptr : view.data();
    *key_size = view.size();
  });
}

void s3v_contents_free(s3v_contents* contents) { delete contents; }

uint64_t s3v_content_hash(const float* vector, size_t dimensions, const void* metadata, size_t metadata_size) {
  return ContentHash({vector, dimensions}, {static_cast<const uint8_t*>(metadata), metadata_size});
}
