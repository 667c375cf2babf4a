#pragma once

#include <sys/epoll.h>
#include <sys/types.h>
#include <time.h>

#include <cstdint>

// What the programs of the benchmark share: a bare epoll loop, sockets and a clock. An error of
// the system ends the program: nothing can be measured then.
namespace weir::bench {

class EventLoop {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void on_events(uint32_t events) = 0;
  };

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void add(int fd, uint32_t events, Handler& handler);
  void change(int fd, uint32_t events, Handler& handler);
  // Waits up to `wait_ms` (-1: for ever) and serves what is ready.
  void turn(int wait_ms);

 private:
  int epoll_;
};

int64_t now_ns();
int listen_on(uint16_t port);   // every address of 127.0.0.0/8 and all others, non-blocking
int connect_to(uint16_t port);  // 127.0.0.1, non-blocking; -1 when refused
int accept_from(int listener);  // non-blocking; -1 when none waits
[[noreturn]] void die(const char* what);

}  // namespace weir::bench
