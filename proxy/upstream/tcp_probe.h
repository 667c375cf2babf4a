#pragma once

#include <memory>
#include <string>

#include "proxy/net/connection.h"
#include "proxy/upstream/health_probe.h"

namespace weir::upstream {

// tcp_health_check: it is healthy if a connection stands, or if it answers what is expected.
class TcpProbe final : public HealthProbe, public net::Connection::Owner {
 public:
  TcpProbe(const ProbeNeeds& needs, ProbeEvents& events) : needs_(needs), events_(events) {}
  ~TcpProbe() override { close(); }

  void start(const ProbeTarget& target) override;
  void abandon() override { close(); }

 private:
  void on_connected(int error) override;
  void on_readable() override;
  void on_full(bool /*full*/) override {}
  void on_write_error(int error) override;

  const HealthCheckConfig& check() const { return *needs_.cluster->health_check; }
  bool connect();
  void ask();
  void take(std::string_view bytes);
  void finish(CheckResult result);
  void close();

  const ProbeNeeds needs_;
  ProbeEvents& events_;
  ProbeTarget target_;
  std::unique_ptr<net::Connection> connection_;
  std::string received_;
  bool asking_ = false;
};

}  // namespace weir::upstream
