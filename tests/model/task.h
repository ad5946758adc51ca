// Work of one session, told as straight code that can be left at every step: the schedule decides who goes on.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace s3v::model {

// A coroutine that starts when it is awaited and then goes on in its caller. Destroying it ends everything it awaits,
// which is what a crash does.
template <class T = void>
class [[nodiscard]] Task;

namespace detail {

struct Promise {
  struct ToWaiting {
    bool await_ready() noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> done) noexcept {
      return done.promise().waiting ? done.promise().waiting : std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  ToWaiting final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { error = std::current_exception(); }

  std::coroutine_handle<> waiting;
  std::exception_ptr error;
};

template <class T>
struct ValuePromise : Promise {
  Task<T> get_return_object() noexcept;
  void return_value(T result) { value = std::move(result); }
  T Take() { return std::move(*value); }
  std::optional<T> value;
};

template <>
struct ValuePromise<void> : Promise {
  Task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void Take() noexcept {}
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::ValuePromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      Destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { Destroy(); }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) noexcept {
    handle_.promise().waiting = waiting;
    return handle_;
  }
  T await_resume() { return Result(); }

  explicit operator bool() const { return static_cast<bool>(handle_); }
  bool done() const { return !handle_ || handle_.done(); }
  std::coroutine_handle<> handle() const { return handle_; }
  // REQUIRES: done. Throws what the work threw.
  T Result() {
    if (handle_.promise().error) std::rethrow_exception(std::exchange(handle_.promise().error, nullptr));
    return handle_.promise().Take();
  }

 private:
  void Destroy() {
    if (handle_) handle_.destroy();
    handle_ = nullptr;
  }
  Handle handle_;
};

template <class T>
Task<T> detail::ValuePromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<ValuePromise>::from_promise(*this));
}
inline Task<void> detail::ValuePromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<ValuePromise>::from_promise(*this));
}

}  // namespace s3v::model
