// What every function of the wall shares: errors out, callbacks in.
#pragma once

#include <exception>
#include <functional>
#include <new>
#include <string_view>

#include "api/s3v_c.h"
#include "base/error.h"
#include "base/random.h"
#include "base/spill.h"
#include "base/stop.h"

namespace s3v {

// Copies into fixed buffers: reporting an error must not allocate. `err` may be NULL.
s3v_code FillError(s3v_error* err, s3v_code code, std::string_view message, std::string_view detail = {},
                   std::string_view hint = {}) noexcept;

template <class Fn>
s3v_code Guarded(s3v_error* err, Fn&& fn) noexcept {
  try {
    fn();
    return S3V_OK;
  } catch (const Error& e) {
    return FillError(err, static_cast<s3v_code>(e.code()), e.message(), e.detail(), e.hint());
  } catch (const std::bad_alloc&) {
    return FillError(err, S3V_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return FillError(err, S3V_INTERNAL, e.what());
  } catch (...) {
    return FillError(err, S3V_INTERNAL, "unknown exception");
  }
}

// The caller's callbacks as the core knows them. `env` may be NULL: nothing to ask.
class EnvStop final : public Stop {
 public:
  explicit EnvStop(const s3v_env* env) : env_(env) {}
  bool Requested() override {
    return env_ != nullptr && env_->stop_requested != nullptr && env_->stop_requested(env_->arg) != 0;
  }

 private:
  const s3v_env* env_;
};

// Empty when nobody wants to know. `env` must outlive it.
inline std::function<void(const char* phase, uint64_t done, uint64_t total)> ProgressOf(const s3v_env* env) {
  if (env == nullptr || env->progress == nullptr) return nullptr;
  return [env](const char* phase, uint64_t done, uint64_t total) { env->progress(env->arg, phase, done, total); };
}

class EnvSpillFactory final : public SpillFactory {
 public:
  explicit EnvSpillFactory(const s3v_env* env) : env_(env) {}
  std::unique_ptr<SpillFile> Create() override;

 private:
  const s3v_env* env_;
};

// Ids and uuids as the bookkeeping tables print them. Throw kInvalidArgument.
ObjectId IdFrom(const char* text);
ObjectId UuidFrom(const char* text);

}  // namespace s3v
