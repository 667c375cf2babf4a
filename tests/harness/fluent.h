#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/harness/test_upstream.h"
#include "tests/harness/weir_process.h"

// The harness for tests about time, faults and memory:
//   TestUpstream app;
//   app.on("/slow").delay(300ms);
//   Proxy proxy = weir().upstream(app).route("/", "{cluster: app, timeout: 0.1s}").start();
//   EXPECT_EQ(proxy.get("/slow").status, 504);
namespace weir::test {

// What a client got.
struct Reply {
  int status = 0;         // 0: no whole head came
  bool complete = false;  // the body too, to its proper end
  std::string body;
  std::map<std::string, std::string> headers;  // names in lower case
  Milliseconds took{0};
};

// A running proxy.
class Proxy {
 public:
  explicit Proxy(WeirProcess::Options options)
      : weir_(std::make_unique<WeirProcess>(std::move(options))) {}

  WeirProcess& weir() const { return *weir_; }
  uint16_t port() const { return weir_->port(); }
  // A request on a connection of its own; waits for the reply or the end of the connection.
  Reply get(const std::string& path, Milliseconds patience = kPatience) const;
  Reply send(const std::string& bytes, Milliseconds patience = kPatience) const;
  Reply admin(const std::string& path, const std::string& method = "GET") const;
  // A figure of /stats; -1 when there is none of that name.
  long stat(const std::string& name) const;

  void signal(int number) const { weir_->process().signal(number); }
  int wait(Milliseconds patience) const { return weir_->process().wait(patience); }
  long memory_kib() const;     // resident set
  double cpu_seconds() const;  // used so far
  size_t open_files() const;

 private:
  std::unique_ptr<WeirProcess> weir_;
};

// Builds the configuration: tests/cases/configs/gateway.yaml with its slots filled.
class ProxyBuilder {
 public:
  // The cluster `app`.
  ProxyBuilder& upstream(const TestUpstream& upstream);
  ProxyBuilder& upstream_port(uint16_t port);
  // Routes in the order given; `action` is a RouteAction in YAML. Without any, `/` goes to `app`.
  ProxyBuilder& route(const std::string& prefix, const std::string& action);
  ProxyBuilder& direct(const std::string& prefix, int status, const std::string& body);
  // Lines of YAML for a slot: hcm, app, listener, clusters, http_filters, bootstrap.
  ProxyBuilder& with(const std::string& slot, const std::string& yaml);
  ProxyBuilder& argument(const std::string& argument);
  ProxyBuilder& max_files(unsigned count);
  ProxyBuilder& environment(const std::string& entry);

  std::string config() const;
  Proxy start() const;  // fails the test when it does not come up

 private:
  std::map<std::string, std::vector<std::string>> slots_;
  std::vector<std::string> routes_;
  WeirProcess::Options options_;
};

inline ProxyBuilder weir() {
  return {};
}

// An access log to @LOG@ of one text line per entry, for the slot access_log.
std::string log_of(const std::string& format);

// Waits until the condition holds; says whether it did in time.
bool eventually(const std::function<bool()>& condition, Milliseconds patience = kPatience);

// A client that holds a connection and says what it likes.
class RawClient {
 public:
  explicit RawClient(const Proxy& proxy) : wire_(connect_to_loopback(proxy.port())) {}

  RawClient& send(std::string_view bytes);
  // Reads until so many bytes are there or the connection ends.
  const std::string& read(size_t bytes, Milliseconds patience = kPatience);
  Reply reply(Milliseconds patience = kPatience);
  bool closed_within(Milliseconds patience);
  bool connected() const { return wire_.open(); }
  Wire& wire() { return wire_; }

 private:
  Exchange exchange() {
    return Exchange([this] { return Exchange::Wires{&wire_}; }, {}, [](size_t) {});
  }
  Wire wire_;
};

}  // namespace weir::test
