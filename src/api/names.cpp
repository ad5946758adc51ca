#include "api/names.h"

#include <cstring>
#include <span>
#include <string>

#include "api/guard.h"

namespace s3v {
namespace {

static_assert(kMaxDeltas == S3V_MAX_DELTAS);

void CopyId(char (&to)[33], const ObjectId& id) { std::strcpy(to, IdText(id).c_str()); }

// Room without a NUL is no id.
ObjectName NameOf(const s3v_object_name& name) {
  const std::string text(name.id, strnlen(name.id, sizeof name.id));
  return {IdFrom(text.c_str()), name.length};
}

void FillName(const ObjectName& from, s3v_object_name* name) {
  CopyId(name->id, from.id);
  name->length = from.length;
}

void FillDeltas(std::span<const ObjectName> from, s3v_object_name (&deltas)[S3V_MAX_DELTAS], size_t* count) {
  if (from.size() > S3V_MAX_DELTAS)
    throw Error(Code::kInternal, "the version has " + std::to_string(from.size()) + " navigation deltas");
  for (size_t i = 0; i < from.size(); ++i) FillName(from[i], &deltas[i]);
  *count = from.size();
}

}  // namespace

VersionNames NamesOf(const s3v_version_names& names) {
  VersionNames version{.index = UuidFrom(names.index_uuid), .base = NameOf(names.base), .deltas = {}};
  if (names.delta_count == 0 || names.delta_count > S3V_MAX_DELTAS) {
    throw Error(Code::kInvalidArgument, "invalid number of navigation deltas: " + std::to_string(names.delta_count));
  }
  for (const s3v_object_name& delta : std::span(names.deltas).first(names.delta_count))
    version.deltas.push_back(NameOf(delta));
  return version;
}

void FillNames(const VersionNames& from, s3v_version_names* names) {
  FillName(from.base, &names->base);
  FillDeltas(from.deltas, names->deltas, &names->delta_count);
}

void FillVersion(const BuildResult& result, s3v_version* version) {
  const Manifest& manifest = result.manifest;
  CopyId(version->manifest, manifest.id);
  FillName(manifest.base, &version->base);
  FillDeltas(manifest.deltas, version->deltas, &version->delta_count);
  version->rows = manifest.rows;
  version->entries = manifest.entries;
  version->lists = manifest.lists;
  version->segments = manifest.segments.size();
  version->bytes = EncodeManifest(manifest).size() + manifest.base.length;
  for (const ObjectName& delta : manifest.deltas) version->bytes += delta.length;
  for (const ObjectName& segment : manifest.segments) version->bytes += segment.length;
  version->bytes_written = result.bytes_written;
  version->cpu_seconds = result.cpu_seconds;
}

}  // namespace s3v
