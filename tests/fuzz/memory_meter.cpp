#include "fuzz/memory_meter.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define S3V_UNDER_SANITIZER
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define S3V_UNDER_SANITIZER
#endif

namespace {

std::atomic<int64_t> held;
std::atomic<int64_t> most_held;

void Add(size_t size) {
  const int64_t now = held.fetch_add(static_cast<int64_t>(size)) + static_cast<int64_t>(size);
  if (now > most_held.load()) most_held.store(now);
}

}  // namespace

#ifdef S3V_UNDER_SANITIZER

// Which has an operator new of its own.
#include <sanitizer/allocator_interface.h>

namespace {

void OnMalloc(const volatile void*, size_t size) { Add(size); }
void OnFree(const volatile void* block) {
  held.fetch_sub(static_cast<int64_t>(__sanitizer_get_allocated_size(const_cast<const void*>(block))));
}

const int are_installed = __sanitizer_install_malloc_and_free_hooks(OnMalloc, OnFree);

}  // namespace

#else

#include <malloc.h>

namespace {

void* Count(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  Add(malloc_usable_size(block));
  return block;
}

void Release(void* block) {
  if (block != nullptr) held.fetch_sub(static_cast<int64_t>(malloc_usable_size(block)));
  std::free(block);
}

void* Allocate(size_t size) { return Count(std::malloc(std::max<size_t>(size, 1))); }

void* Allocate(size_t size, std::align_val_t alignment) {
  const auto step = static_cast<size_t>(alignment);
  return Count(std::aligned_alloc(step, std::max<size_t>((size + step - 1) / step, 1) * step));
}

}  // namespace

void* operator new(size_t size) { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void* operator new(size_t size, std::align_val_t alignment) { return Allocate(size, alignment); }
void* operator new[](size_t size, std::align_val_t alignment) { return Allocate(size, alignment); }
void operator delete(void* block) noexcept { Release(block); }
void operator delete[](void* block) noexcept { Release(block); }
void operator delete(void* block, size_t) noexcept { Release(block); }
void operator delete[](void* block, size_t) noexcept { Release(block); }
void operator delete(void* block, std::align_val_t) noexcept { Release(block); }
void operator delete[](void* block, std::align_val_t) noexcept { Release(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { Release(block); }
void operator delete[](void* block, size_t, std::align_val_t) noexcept { Release(block); }

#endif

namespace s3v::fuzz {

MemoryMeter::MemoryMeter() : before_(held.load()) { most_held.store(before_); }

size_t MemoryMeter::peak() const { return static_cast<size_t>(most_held.load() - before_); }

}  // namespace s3v::fuzz
