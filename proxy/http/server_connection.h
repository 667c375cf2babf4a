#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "proxy/http/stream.h"
#include "proxy/net/connection.h"
#include "proxy/net/proxy_protocol.h"

namespace weir::http {

class ServerConnection;

// What is known of a client's connection when it is handed to its codec.
struct Arrival {
  net::Socket socket;
  int64_t accepted_ns = 0;  // of the loop's clock; 0: in this turn
  uint64_t id = 0;
  net::Address peer;
  // Outlives the connection; null: the socket is asked when somebody wants to know.
  const net::Address* local = nullptr;
  // Instead of `local`: the address before somebody else relayed the connection.
  std::unique_ptr<const net::Address> own_local;
  // The relay in front, when `peer` is whom it speaks for; else null.
  std::unique_ptr<const net::ProxyRelay> relay;
  size_t buffer_limit = 1 << 20;
  // Bytes that were read already; valid during the call only.
  std::string_view received;
};

// Why a client's connection is asked to end: for statistics.
enum class EndCause : uint8_t { kNone, kIdle, kMaxDuration, kMaxRequests, kDrain, kLateHead };
// Whether responses should end their connections, and for whose sake.
enum class Draining : uint8_t { kNo, kDrain, kOverload };

// Whoever owns client connections: makes the streams, knows whether the proxy drains.
class ServerConnectionOwner {
 public:
  virtual ~ServerConnectionOwner() = default;
  virtual ServerStreamEvents& begin_stream(ServerConnection& connection, ServerStream& stream) = 0;
  // The stream that was begun got no request.
  virtual void abandon_stream(ServerStreamEvents& events) = 0;
  virtual Draining draining() const = 0;
  // The connection is closed; the owner retires it.
  virtual void on_closed(ServerConnection& connection) = 0;
  virtual std::string_view date() = 0;  // for the Date line, as of this second
  // HTTP/1 whose options say so: the first bytes, here, begin HTTP/2's preface (RFC 9113 3.4). The
  // owner takes the socket by `give_up_socket` and hands it to the other codec.
  virtual void on_http2_preface(ServerConnection& /*connection*/, std::string_view /*bytes*/) {}
};

// The client's side of one connection, whatever the HTTP version. One loop; owned by its owner,
// which retires it in on_closed.
class ServerConnection {
 public:
  ServerConnection(net::Loop& loop, net::Connection::Owner& codec, ServerConnectionOwner& owner)
      : connection_(loop, codec), owner_(owner) {}
  virtual ~ServerConnection() = default;
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  uint64_t id() const { return id_; }
  int64_t opened_ms() const { return opened_ms_; }
  EndCause end_cause() const { return end_cause_; }
  // Its peer closed it, asked or not.
  bool ended_by_peer() const { return ended_by_peer_; }
  const net::Address& peer() const { return peer_; }
  // The socket's other end, which may speak for `peer`.
  const net::Address& direct_peer() const { return relay() ? relay()->direct_peer : peer_; }
  // What a relay in front said besides addresses, and may be passed on.
  std::span<const net::ProxyTlv> relayed_tlvs() const {
    return relay() ? std::span<const net::ProxyTlv>(relay()->tlvs)
                   : std::span<const net::ProxyTlv>();
  }
  const net::Address& local();
  net::Connection& connection() { return connection_; }
  size_t buffer_limit() const { return connection_.limit(); }

  // Takes the socket over.
  virtual void start(Arrival arrival) = 0;
  // Ends it when what is under way is over; an idle one after the grace, because a request may be
  // on its way at this moment.
  virtual void drain(int64_t grace_ms) = 0;
  virtual void close() = 0;
  // What is left of this object is to be retired; on_closed does not come.
  Arrival give_up_socket();

  uint32_t slot = 0;         // the owner's
  uint8_t http_version = 0;  // the owner's, for its statistics: 1 or 2; 0 while it is not known

 protected:
  void adopt(Arrival& arrival);
  // The first cause counts.
  void note_cause(EndCause cause) {
    if (end_cause_ == EndCause::kNone) end_cause_ = cause;
  }

  net::Connection connection_;
  ServerConnectionOwner& owner_;
  const net::Address* local_ = nullptr;  // null: not asked for yet
  net::Address peer_;
  uint64_t id_ = 0;
  int64_t opened_ms_ = 0;
  EndCause end_cause_ = EndCause::kNone;
  bool ended_by_peer_ = false;
  uint32_t drain_grace_ms_ = 0;  // once it drains: how long a next request is waited for

 private:
  // What few connections have: an own address that is not the listener's, or a relay in front.
  struct Ends {
    net::Address local;  // where `local_` points, unless that is somebody else's
    std::unique_ptr<const net::ProxyRelay> relay;
  };
  Ends& ends();
  const net::ProxyRelay* relay() const { return ends_ == nullptr ? nullptr : ends_->relay.get(); }
  bool owns_local() const { return ends_ != nullptr && local_ == &ends_->local; }

  std::unique_ptr<Ends> ends_;
};

// The connections of one owner. One loop.
class ServerConnections {
 public:
  ~ServerConnections() { close_all(); }

  ServerConnection& add(std::unique_ptr<ServerConnection> connection);
  // From on_closed, or after give_up_socket: gone at the end of the turn.
  void retire(ServerConnection& connection);
  void drain(int64_t grace_ms);
  // The same for each one with that probability.
  void drain_some(int64_t grace_ms, double share);
  void close_all();
  size_t size() const { return connections_.size(); }

 private:
  std::vector<std::unique_ptr<ServerConnection>> connections_;
};

}  // namespace weir::http
