#include "memory/failing_new.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace s3v::testing {
namespace {

constexpr uint64_t kNever = UINT64_MAX;

std::atomic<uint64_t> g_asked = 0;
std::atomic<uint64_t> g_fails_at = kNever;
std::atomic<bool> g_stays_short = false;
std::atomic<int64_t> g_live = 0;
thread_local int t_not_counted = 0;

bool Fails() {
  const uint64_t fails_at = g_fails_at;
  if (fails_at == kNever || t_not_counted > 0) return false;
  const uint64_t number = g_asked++;
  return number == fails_at || (g_stays_short && number > fails_at);
}

void* Allocate(size_t size, size_t alignment) noexcept {
  if (Fails()) return nullptr;
  const size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* memory = alignment <= alignof(std::max_align_t) ? std::malloc(size == 0 ? 1 : size)
                                                        : std::aligned_alloc(alignment, rounded);
  if (memory != nullptr) ++g_live;
  return memory;
}

void* AllocateOrThrow(size_t size, size_t alignment) {
  void* memory = Allocate(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void Free(void* memory) noexcept {
  if (memory != nullptr) --g_live;
  std::free(memory);
}

}  // namespace

void BeginShortage(uint64_t n, Shortage how) {
  g_asked = 0;
  g_stays_short = how == Shortage::kFromThere;
  g_fails_at = n;
}

uint64_t EndShortage() {
  g_fails_at = kNever;
  return g_asked;
}

int64_t LiveAllocations() { return g_live; }

NoShortage::NoShortage() { ++t_not_counted; }
NoShortage::~NoShortage() { --t_not_counted; }

}  // namespace s3v::testing

using s3v::testing::Allocate;
using s3v::testing::AllocateOrThrow;
using s3v::testing::Free;

void* operator new(size_t size) { return AllocateOrThrow(size, 1); }
void* operator new[](size_t size) { return AllocateOrThrow(size, 1); }
void* operator new(size_t size, std::align_val_t to) { return AllocateOrThrow(size, static_cast<size_t>(to)); }
void* operator new[](size_t size, std::align_val_t to) { return AllocateOrThrow(size, static_cast<size_t>(to)); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Allocate(size, 1); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return Allocate(size, 1); }
void operator delete(void* memory) noexcept { Free(memory); }
void operator delete[](void* memory) noexcept { Free(memory); }
void operator delete(void* memory, size_t) noexcept { Free(memory); }
void operator delete[](void* memory, size_t) noexcept { Free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { Free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { Free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { Free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { Free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { Free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { Free(memory); }
