#include "api/guard.h"

#include <algorithm>

#include "format/names.h"

namespace s3v {
namespace {

// Cut at a character boundary when it does not fit: a byte 10xxxxxx continues the character before it.
template <size_t n>
void Copy(char (&buffer)[n], std::string_view text) noexcept {
  size_t size = std::min(text.size(), n - 1);
  if (size < text.size()) {
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  }
  std::copy_n(text.data(), size, buffer);
  buffer[size] = '\0';
}

// The callback kept the reason to itself; the shim raises it.
[[noreturn]] void ThrowFailedCallback() { throw Error(Code::kCancelled, "canceled"); }

class EnvSpillFile final : public SpillFile {
 public:
  EnvSpillFile(const s3v_env* env, int handle) : env_(env), handle_(handle) {}
  ~EnvSpillFile() override { env_->spill_close(env_->arg, handle_); }
  EnvSpillFile(const EnvSpillFile&) = delete;
  EnvSpillFile& operator=(const EnvSpillFile&) = delete;

  void Append(ByteView bytes) override {
    if (env_->spill_append(env_->arg, handle_, size_, bytes.data(), bytes.size()) != 0) ThrowFailedCallback();
    size_ += bytes.size();
  }
  void ReadAt(uint64_t offset, std::span<uint8_t> out) override {
    if (env_->spill_read(env_->arg, handle_, offset, out.data(), out.size()) != 0) ThrowFailedCallback();
  }

 private:
  const s3v_env* env_;
  const int handle_;
  uint64_t size_ = 0;
};

}  // namespace

s3v_code FillError(s3v_error* err, s3v_code code, std::string_view message, std::string_view detail,
                   std::string_view hint) noexcept {
  if (err != nullptr) {
    err->code = code;
    Copy(err->message, message);
    Copy(err->detail, detail);
    Copy(err->hint, hint);
  }
  return code;
}

std::unique_ptr<SpillFile> EnvSpillFactory::Create() {
  const int handle = env_->spill_create(env_->arg);
  if (handle < 0) ThrowFailedCallback();
  return std::make_unique<EnvSpillFile>(env_, handle);
}

ObjectId IdFrom(const char* text) {
  ObjectId id;
  if (text == nullptr || !ParseId(text, &id)) {
    throw Error(Code::kInvalidArgument, std::string("invalid object id: \"") + (text == nullptr ? "" : text) + "\"");
  }
  return id;
}

ObjectId UuidFrom(const char* text) {
  ObjectId uuid;
  if (text == nullptr || !ParseUuid(text, &uuid)) {
    throw Error(Code::kInvalidArgument, std::string("invalid index uuid: \"") + (text == nullptr ? "" : text) + "\"");
  }
  return uuid;
}

}  // namespace s3v
