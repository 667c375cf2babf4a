#pragma once

#include <event2/event_struct.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "proxy/base/buffer.h"
#include "proxy/net/timer_wheel.h"

struct event_base;

namespace weir::net {

class Loop;
class Connection;
struct WriteBatch;
struct TlsScratch;

// What a watched descriptor may tell; several at once.
enum Ready : uint8_t { kReadable = 1, kWritable = 2, kPeerClosed = 4 };

// A descriptor's place in the kernel's interest list. Registered once, edge-triggered, for
// reading, writing and the peer's close together, so nothing is ever changed there again: the
// owner remembers what it wanted. Owned by whoever owns the descriptor; one loop.
class Watch {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_ready(uint8_t ready) = 0;  // bits of Ready
  };

  Watch() = default;
  ~Watch() { stop(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void start(Loop& loop, int fd, Owner& owner);
  // Level-triggered and for reading only: listeners and wake-up descriptors.
  void start_level(Loop& loop, int fd, Owner& owner);
  void stop();  // before the descriptor is closed

 private:
  static void dispatch(int fd, short what, void* owner);
  event event_{};  // without a base: not started
};

// One thread's event loop on libevent, with what a data path needs around it: a cached clock, a
// timer wheel, recycled blocks, one read scratch, and a list of connections that have gathered
// bytes to write. Everything but post() and stop() belongs to the loop's own thread.
class Loop {
 public:
  // Full reads end on a loopback segment boundary, which keeps bulk transfers in whole segments.
  static constexpr size_t kReadBytes = 65472;
  // Room before the read bytes, for the unfinished head that a connection kept.
  static constexpr size_t kHeadRoomBytes = 256 * 1024;

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();   // until stop()
  void stop();  // any thread

  // Runs the task on the loop's thread, soon. Any thread.
  void post(std::function<void()> task);

  // Deletes it after the present event; the way for an object to end itself.
  template <class T>
  void retire(std::unique_ptr<T> object) {
    retired_.emplace_back(object.release(), [](void* p) { delete static_cast<T*>(p); });
  }

  // Calls `then(object)` after the present event.
  void defer(void* object, void (*then)(void*)) { retired_.emplace_back(object, then); }

  // Monotonic time, read once per turn of the loop.
  int64_t now_ns() {
    if (now_ns_ == 0) refresh_clock();
    return now_ns_;
  }
  int64_t now_ms() { return now_ns() / 1'000'000; }
  // Microseconds since 1970, of the same moment.
  int64_t wall_us() { return wall_offset_us_ + now_ns() / 1000; }

  TimerWheel& timers() { return timers_; }
  BlockPool& blocks() { return blocks_; }
  // A buffer for somebody who has one only while there is something in it.
  std::unique_ptr<Buffer> take_buffer();
  void give_buffer(std::unique_ptr<Buffer> buffer);
  uint64_t random();  // xorshift; not for secrets

  // kReadBytes of scratch with kHeadRoomBytes before it.
  char* read_scratch() { return scratch_.get() + kHeadRoomBytes; }

  // Sends what connections have gathered. `more`: the reader expects more at once, so the kernel
  // may hold a partial segment back.
  void flush(bool more = false);
  // Sends partial segments that flush(true) held back, because nothing followed.
  void push_held();

 private:
  friend class Watch;
  friend class Connection;

  struct Retired {
    void* object;
    void (*destroy)(void*);
    Retired(void* o, void (*d)(void*)) : object(o), destroy(d) {}
  };

  void refresh_clock();
  void end_of_turn();
  void resume_readers();
  void flush_late();
  TlsScratch& tls_scratch();
  void arm_tick();
  void run_posted();
  static void on_tick(int fd, short what, void* self);
  static void on_wake(int fd, short what, void* self);

  event_base* base_;
  event tick_;
  event wake_;
  int wake_fd_ = -1;
  bool running_ = true;
  int64_t now_ns_ = 0;
  int64_t wall_offset_us_ = 0;
  int64_t wall_checked_ns_ = 0;
  uint64_t random_state_;
  BlockPool blocks_;
  TimerWheel timers_;
  std::unique_ptr<char[]> scratch_;
  std::unique_ptr<TlsScratch> tls_scratch_;  // null until somebody speaks TLS
  static constexpr int kMaxResumeRounds = 4;
  static constexpr size_t kMaxFreeBuffers = 64;

  Connection* flush_list_ = nullptr;
  // Seldom joined, so that a place in them costs a connection nothing while it is in neither. One
  // that ends leaves a null.
  std::vector<Connection*> resume_list_;
  std::vector<Connection*> resuming_;
  std::vector<Connection*> late_list_;  // has bytes that were put off to the end of the turn
  Connection* held_ = nullptr;
  WriteBatch* free_batches_ = nullptr;
  std::vector<std::unique_ptr<Buffer>> free_buffers_;
  bool turn_ends_ = false;
  std::vector<Retired> retired_;
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace weir::net
