#pragma once

#include <memory>

#include "proxy/http/h1_client.h"
#include "proxy/http/h2_client.h"
#include "proxy/upstream/health_probe.h"

namespace weir::upstream {

// A probe's own HTTP connection, of the version that the health check says. Main thread.
class ProbeLink : public http::H1ClientOwner, public http::H2ClientOwner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The stream that was asked for. What is written is flushed by whoever calls.
    virtual void on_link(http::ClientStream& stream) = 0;
    virtual void on_no_link() = 0;
  };

  ProbeLink(const ProbeNeeds& needs, Owner& owner) : needs_(needs), owner_(owner) {}
  ~ProbeLink() override { drop(); }
  ProbeLink(const ProbeLink&) = delete;
  ProbeLink& operator=(const ProbeLink&) = delete;

  // A stream over the connection that stands, or over a new one. One of the owner's functions is
  // called, possibly at once.
  void ask(const ProbeTarget& target, http::ClientStreamEvents& events);
  // Closes the connection. Its stream, if there is one, was reset before.
  void drop();

 private:
  void on_connected(http::H1Client& connection, int error) override;
  void on_reusable(http::H1Client& /*connection*/) override {}
  void on_closed(http::H1Client& connection) override;
  void on_connected(http::H2Client& connection, int error) override;
  void on_stream_capacity(http::H2Client& /*connection*/) override {}
  void on_closed(http::H2Client& connection) override;

  int connect(std::unique_ptr<net::TlsSession> session);
  http::ClientStream* open_stream();
  void connected(int error);

  const ProbeNeeds needs_;
  Owner& owner_;
  ProbeTarget target_;
  const http::H1ClientOptions h1_options_;
  http::ClientStreamEvents* events_ = nullptr;
  std::unique_ptr<http::H1Client> h1_;
  std::unique_ptr<http::H2Client> h2_;
  bool established_ = false;
};

}  // namespace weir::upstream
