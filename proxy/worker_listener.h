#pragma once

#include <memory>
#include <vector>

#include "proxy/http_door.h"
#include "proxy/listener_config.h"
#include "proxy/net/loop.h"
#include "proxy/net/timer_wheel.h"

namespace weir {

class Worker;

// One listener on one worker: accepts, and leads each connection to the door of its chain.
class WorkerListener : private net::Timer::Owner {
 public:
  // Owns the sockets.
  WorkerListener(Worker& worker, std::shared_ptr<const ListenerConfig> config,
                 std::vector<int> sockets);
  ~WorkerListener() override;

  const ListenerConfig& config() const { return *config_; }
  // Later connections get the new config; open ones keep theirs and drain.
  void replace(std::shared_ptr<const ListenerConfig> config);
  void stop_accepting();
  // Gives the doors to the worker, which keeps them until they are empty.
  void hand_over_doors();
  void drain();
  void close_connections();
  size_t connections() const;

 private:
  class Socket : public net::Watch::Owner {
   public:
    Socket(WorkerListener& listener, int fd) : listener_(listener), fd_(fd) {}
    ~Socket() override;
    void on_ready(uint8_t ready) override;
    void watch(bool on);
    int fd() const { return fd_; }

   private:
    WorkerListener& listener_;
    net::Watch watch_;
    int fd_;
  };

  void on_timer(net::Timer& timer) override;
  bool accept_one(int listening);
  void admit(int fd, const net::Address& peer);
  void pause_accepting();
  void open_doors();

  Worker& worker_;
  std::shared_ptr<const ListenerConfig> config_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  std::vector<std::unique_ptr<HttpDoor>> doors_;  // one per chain; null for TCP
  net::Timer resume_;
  bool paused_ = false;
};

}  // namespace weir
