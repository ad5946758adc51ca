// Stores, who owns what lies on them, and clean-up.
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/guard.h"
#include "api/handles.h"
#include "api/s3v_remote_c.h"
#include "engine/collect.h"
#include "engine/fork.h"
#include "engine/ownership.h"
#include "format/names.h"
#include "net/http.h"
#include "s3vectors/remote_collect.h"
#include "s3vectors/remote_objects.h"
#include "store/open_store.h"
#include "store/s3_client.h"
#include "store/store_url.h"

namespace s3v {
namespace {

void SetText(std::string& to, const char* from) {
  if (from != nullptr) to = from;
}

std::vector<std::string> SplitAtCommas(const char* text) {
  std::vector<std::string> parts;
  std::string_view rest = text == nullptr ? "" : text;
  while (!rest.empty()) {
    std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

StoreConfig ConfigFrom(const s3v_store_config& from) {
  StoreConfig config;
  SetText(config.url, from.url);
  SetText(config.data_directory, from.data_directory);
  SetText(config.region, from.region);
  SetText(config.endpoint, from.endpoint);
  config.path_style = from.path_style != 0;
  SetText(config.sse, from.sse);
  SetText(config.kms_key_id, from.kms_key_id);
  SetText(config.ca_file, from.ca_file);
  config.allow_http = from.allow_http != 0;
  config.check_address = from.check_address != 0;
  config.allowed_endpoints = SplitAtCommas(from.allowed_endpoints);
  SetText(config.access_key_id, from.access_key_id);
  SetText(config.secret_access_key, from.secret_access_key);
  SetText(config.session_token, from.session_token);
  if (from.max_parallel_requests > 0) config.max_parallel_requests = from.max_parallel_requests;
  if (from.request_timeout_ms > 0) config.request_timeout_ms = from.request_timeout_ms;
  SetText(config.cache_directory, from.cache_directory);
  config.cache_bytes = from.cache_bytes;
  return config;
}

constexpr size_t kEndpointSize = 256;

// Empty for a url that leads to none.
std::string EndpointTextOf(const StoreConfig& config) {
  switch (ParseStoreUrl(config.url).kind) {
    case StoreUrl::Kind::kS3:
      return EndpointOf(config).Text();
    case StoreUrl::Kind::kS3Vectors:
      return ServiceEndpointOf(config).Text();
    default:
      return {};
  }
}

}  // namespace
}  // namespace s3v

using namespace s3v;

s3v_code s3v_store_check(const s3v_store_config* config, s3v_error* err) {
  return Guarded(err, [&] { CheckStoreConfig(ConfigFrom(*config)); });
}

int s3v_url_is_remote(const char* url) {
  return url != nullptr && std::string_view(url).starts_with("s3vectors://") ? 1 : 0;
}

s3v_code s3v_store_endpoint(const s3v_store_config* config, char endpoint[256], s3v_error* err) {
  return Guarded(err, [&] {
    const std::string text = EndpointTextOf(ConfigFrom(*config));
    if (text.size() >= kEndpointSize) {
      throw Error(Code::kInvalidArgument, "endpoint of " + std::to_string(text.size()) + " characters is too long", {},
                  "At most " + std::to_string(kEndpointSize - 1) + " are possible.");
    }
    std::strcpy(endpoint, text.c_str());
  });
}

s3v_code s3v_store_open(const s3v_store_config* config, s3v_store** store, s3v_error* err) {
  return Guarded(err, [&] {
    auto opened = std::make_unique<s3v_store>();
    const StoreConfig wanted = ConfigFrom(*config);
    const StoreUrl url = ParseStoreUrl(wanted.url);
    if (url.kind == StoreUrl::Kind::kS3Vectors) {
      CheckStoreConfig(wanted);
      opened->service = std::make_unique<ServiceClient>(wanted, url, ServiceRetryPolicy(), SystemClock());
      opened->objects = MakeRemoteObjects(opened->service.get());
    } else {
      opened->objects = OpenStore(wanted);
    }
    *store = opened.release();
  });
}

int s3v_store_is_remote(const s3v_store* store) { return store->service != nullptr ? 1 : 0; }

void s3v_store_close(s3v_store* store) { delete store; }

void s3v_store_counters(const s3v_store* store, s3v_counters* counters) {
  const StoreCounters& now = store->service != nullptr ? store->service->counters() : store->objects->counters();
  *counters = {.waves = now.waves,
               .get_requests = now.get_requests,
               .put_requests = now.put_requests,
               .delete_requests = now.delete_requests,
               .bytes_read = now.bytes_read,
               .bytes_written = now.bytes_written,
               .retries = now.retries,
               .cache_hits = now.cache_hits,
               .cache_failures = now.cache_failures};
}

s3v_code s3v_store_indexes(const s3v_env* env, s3v_store* store, char (**uuids)[37], size_t* count,
                           uint64_t* foreign_objects, s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    const StoredIndexes found =
        store->service != nullptr ? FindRemoteIndexes(*store->service, stop) : FindIndexes(*store->objects, stop);
    auto texts = std::make_unique<char[][37]>(found.indexes.size());
    for (size_t i = 0; i < found.indexes.size(); ++i) std::strcpy(texts[i], UuidText(found.indexes[i]).c_str());
    *uuids = texts.release();
    *count = found.indexes.size();
    *foreign_objects = found.foreign_objects;
  });
}

void s3v_store_indexes_free(char (*uuids)[37]) { delete[] uuids; }

s3v_code s3v_random_id(char id[33], s3v_error* err) {
  return Guarded(err, [&] { std::strcpy(id, IdText(RandomId()).c_str()); });
}

s3v_code s3v_owner_claim(const s3v_env* env, s3v_store* store, const char* index_uuid, uint64_t recorded,
                         const char* const* known_tokens, size_t known_count, const s3v_identity* identity,
                         const char* new_token, int adopt, uint64_t* number, s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    const OwnerMarker mine{.system_identifier = identity->system_identifier,
                           .database = identity->database,
                           .timeline = identity->timeline,
                           .token = IdFrom(new_token)};
    std::vector<ObjectId> known;
    for (size_t i = 0; i < known_count; ++i) known.push_back(IdFrom(known_tokens[i]));
    *number = 0;
    ClaimOwnership(*store->objects, UuidFrom(index_uuid), recorded, known, mine, adopt != 0, stop,
                   [&](uint64_t tried) { *number = tried; });
    if (store->service != nullptr) RetireMarkers(*store->service, UuidFrom(index_uuid), *number, stop);
  });
}

s3v_code s3v_owner_verify(const s3v_env* env, s3v_store* store, const char* index_uuid, uint64_t number,
                          s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    VerifyOwnership(*store->objects, UuidFrom(index_uuid), number, stop);
  });
}

s3v_code s3v_collect(const s3v_env* env, s3v_store* store, const char* index_uuid, int dropped,
                     const char* const* retained_manifests, size_t retained_count, int64_t keep_seconds,
                     uint64_t owner_number, s3v_collected* result, s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    const ObjectId index = UuidFrom(index_uuid);
    const IndexState state = dropped != 0 ? IndexState::kDropped : IndexState::kLiving;
    const std::span names(retained_manifests, retained_count);
    const auto look_at_fence = [&] { VerifyOwnership(*store->objects, index, owner_number, stop); };
    const auto collect = [&] {
      if (store->service != nullptr) {
        return CollectRemote(*store->service, index, state, {names.begin(), names.end()}, keep_seconds, owner_number,
                             look_at_fence, stop);
      }
      std::vector<ObjectId> retained;
      for (const char* name : names) retained.push_back(IdFrom(name));
      return Collect(*store->objects, index, state, retained, keep_seconds, owner_number, look_at_fence, stop);
    };
    const CollectResult done = collect();
    *result = {
        .deleted = done.deleted, .bytes = done.bytes, .kept = done.kept, .foreign_objects = done.foreign_objects};
  });
}

s3v_code s3v_fork_version(const s3v_env* env, s3v_store* from, const char* from_uuid, const char* manifest,
                          s3v_store* to, const char* to_uuid, s3v_error* err) {
  return Guarded(err, [&] {
    EnvStop stop(env);
    ForkVersion(ObjectsOf(from), UuidFrom(from_uuid), IdFrom(manifest), ObjectsOf(to), UuidFrom(to_uuid),
                ProgressOf(env), stop);
  });
}

void s3v_process_exit(void) { ReleaseLibcurl(); }
