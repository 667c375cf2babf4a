#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir {

// A bump allocator that lives as long as one request and is then recycled by its worker, so that
// the steady state needs no heap. Nothing is destroyed one by one: `make` takes trivially
// destructible types, and who places another type here calls its destructor. One thread.
class Arena {
 public:
  static constexpr size_t kFirstBlockBytes = 4096;

  Arena();
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void* allocate(size_t bytes, size_t align = alignof(std::max_align_t)) {
    const uintptr_t at = (reinterpret_cast<uintptr_t>(next_) + align - 1) & ~(align - 1);
    if (at + bytes > reinterpret_cast<uintptr_t>(end_)) return allocate_slow(bytes, align);
    next_ = reinterpret_cast<char*>(at + bytes);
    return reinterpret_cast<void*>(at);
  }

  // `bytes` characters without alignment, for text.
  char* text(size_t bytes) { return static_cast<char*>(allocate(bytes, 1)); }

  std::string_view copy(std::string_view from) {
    if (from.empty()) return {};
    char* to = text(from.size());
    std::memcpy(to, from.data(), from.size());
    return {to, from.size()};
  }

  std::string_view concat(std::initializer_list<std::string_view> parts);

  template <class T, class... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>, "nobody would call the destructor");
    return new (allocate(sizeof(T), alignof(T))) T(std::forward<Args>(args)...);
  }

  template <class T>
  T* array(size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(allocate(sizeof(T) * count, alignof(T)));
  }

  // Forgets everything; keeps the first block.
  void reset();

  // Bytes held in blocks beyond the first: what limits and tests look at.
  size_t overflow_bytes() const { return overflow_bytes_; }

 private:
  struct Block {
    Block* next;
    size_t bytes;
  };

  void* allocate_slow(size_t bytes, size_t align);

  char* next_;
  char* end_;
  Block* overflow_ = nullptr;
  size_t overflow_bytes_ = 0;
  alignas(std::max_align_t) char first_[kFirstBlockBytes];
};

}  // namespace weir
