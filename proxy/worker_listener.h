#pragma once

#include <memory>
#include <vector>

#include "proxy/entrance.h"
#include "proxy/listener_config.h"
#include "proxy/net/loop.h"
#include "proxy/net/timer_wheel.h"

namespace weir {

class Worker;

// One listener on one worker: accepts, and gives each connection to its entrance.
class WorkerListener : private net::Timer::Owner {
 public:
  // Owns the sockets.
  WorkerListener(Worker& worker, std::shared_ptr<const ListenerConfig> config,
                 std::vector<int> sockets);
  ~WorkerListener() override;

  const ListenerConfig& config() const { return entrance_->config(); }
  // Later connections get the new config. Where only chains differ, open ones of those that stay
  // stay too; else they keep their config and drain.
  void replace(std::shared_ptr<const ListenerConfig> config);
  // `take_waiting`: those that wait in the sockets' queues come in first. Else they are left to
  // another process that has the same sockets.
  void stop_accepting(bool take_waiting);
  // Asks connections to end as time goes by: in `drain_more`, as long as that returns true.
  void begin_drain(int64_t time_ms, DrainStrategy strategy);
  bool drain_more(int64_t grace_ms) { return entrance_->drain_more(grace_ms); }
  // Gives the entrance to the worker, which keeps it until its connections are gone. The end of
  // this object.
  void hand_over_entrance();
  void drain(int64_t grace_ms) { entrance_->drain(grace_ms); }
  void close_connections() { entrance_->close_all(); }
  size_t connections() const { return entrance_->connections(); }
  bool has_older_connections() const { return entrance_->has_older_connections(); }
  bool sweep(int64_t now_ms) { return entrance_->sweep(now_ms); }

 private:
  class Socket : public net::Watch::Owner {
   public:
    Socket(WorkerListener& listener, int fd) : listener_(listener), fd_(fd) {}
    ~Socket() override;
    void on_ready(uint8_t ready) override;
    void watch(bool on);
    void take_waiting();
    int fd() const { return fd_; }

   private:
    WorkerListener& listener_;
    net::Watch watch_;
    int fd_;
  };

  void on_timer(net::Timer& timer) override;
  bool accept_one(int listening);
  bool overloaded() const;
  void pause_accepting();

  Worker& worker_;
  std::unique_ptr<Entrance> entrance_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  net::Timer resume_;
  bool paused_ = false;
};

}  // namespace weir
