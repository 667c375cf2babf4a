#include "tests/harness/fluent.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/harness/config_slots.h"

namespace weir::test {
namespace {

using Clock = std::chrono::steady_clock;

Reply exchange_with(uint16_t port, const std::string& bytes, Milliseconds patience) {
  Wire wire(connect_to_loopback(port));
  if (!wire.open()) return {};
  wire.send(bytes);
  const auto start = Clock::now();
  const std::string method = bytes.substr(0, bytes.find(' '));
  Message message;
  ParseResult result;
  Exchange exchange([&] { return Exchange::Wires{&wire}; }, {}, [](size_t) {});
  exchange.run_until(
      [&] {
        result = parse_response(wire.input(), {method, wire.ended()}, message);
        return result.parsed >= Parsed::kComplete || wire.ended();
      },
      patience);
  result = parse_response(wire.input(), {method, wire.ended() && !wire.was_reset()}, message);
  Reply reply;
  reply.took = std::chrono::duration_cast<Milliseconds>(Clock::now() - start);
  if (result.parsed == Parsed::kNothing || result.parsed == Parsed::kInvalid) return reply;
  reply.status = message.status;
  reply.complete = result.parsed == Parsed::kComplete;
  reply.body = message.body;
  for (auto [name, value] : message.headers) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    reply.headers[name] = value;
  }
  return reply;
}

std::string request_for(const std::string& path, const std::string& method = "GET") {
  return method + " " + path + " HTTP/1.1\r\nHost: test\r\n\r\n";
}

}  // namespace

Reply Proxy::get(const std::string& path, Milliseconds patience) const {
  return exchange_with(port(), request_for(path), patience);
}

Reply Proxy::send(const std::string& bytes, Milliseconds patience) const {
  return exchange_with(port(), bytes, patience);
}

Reply Proxy::admin(const std::string& path, const std::string& method) const {
  return exchange_with(weir_->admin_port(), request_for(path, method), kPatience);
}

long Proxy::stat(const std::string& name) const {
  std::istringstream lines(admin("/stats").body);
  for (std::string line; std::getline(lines, line);)
    if (line.compare(0, name.size() + 2, name + ": ") == 0)
      return std::stol(line.substr(name.size() + 2));
  return -1;
}

long Proxy::memory_kib() const {
  std::ifstream file("/proc/" + std::to_string(weir_->process().pid()) + "/status");
  for (std::string line; std::getline(file, line);)
    if (line.compare(0, 6, "VmRSS:") == 0) return std::stol(line.substr(6));
  return -1;
}

double Proxy::cpu_seconds() const {
  double ns = 0;
  const std::string tasks = "/proc/" + std::to_string(weir_->process().pid()) + "/task";
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    double running = 0;
    std::ifstream(task.path() / "schedstat") >> running;
    ns += running;
  }
  return ns / 1e9;
}

size_t Proxy::open_files() const {
  std::error_code error;
  const std::filesystem::directory_iterator files(
      "/proc/" + std::to_string(weir_->process().pid()) + "/fd", error);
  return static_cast<size_t>(std::distance(files, {}));
}

ProxyBuilder& ProxyBuilder::upstream(const TestUpstream& upstream) {
  return upstream_port(upstream.port());
}

ProxyBuilder& ProxyBuilder::upstream_port(uint16_t port) {
  options_.words["UPSTREAM"] = std::to_string(port);
  return *this;
}

ProxyBuilder& ProxyBuilder::route(const std::string& prefix, const std::string& action) {
  routes_.push_back("  - {match: {prefix: \"" + prefix + "\"}, route: " + action + "}");
  return *this;
}

ProxyBuilder& ProxyBuilder::direct(const std::string& prefix, int status, const std::string& body) {
  routes_.push_back("  - {match: {prefix: \"" + prefix + "\"}, direct_response: {status: " +
                    std::to_string(status) + ", body: {inline_string: \"" + body + "\"}}}");
  return *this;
}

ProxyBuilder& ProxyBuilder::with(const std::string& slot, const std::string& yaml) {
  std::istringstream lines(yaml);
  for (std::string line; std::getline(lines, line);) slots_[slot].push_back(line);
  return *this;
}

ProxyBuilder& ProxyBuilder::argument(const std::string& argument) {
  options_.arguments.push_back(argument);
  return *this;
}

ProxyBuilder& ProxyBuilder::max_files(unsigned count) {
  options_.max_files = count;
  return *this;
}

ProxyBuilder& ProxyBuilder::environment(const std::string& entry) {
  options_.environment.push_back(entry);
  return *this;
}

std::string ProxyBuilder::config() const {
  auto slots = slots_;
  auto& hosts = slots["virtual_hosts"];
  if (hosts.empty()) {
    hosts = {"- name: all", "  domains: [\"*\"]", "  routes:"};
    hosts.insert(hosts.end(), routes_.begin(), routes_.end());
    if (routes_.empty()) hosts.push_back("  - {match: {prefix: /}, route: {cluster: app}}");
  }
  return fill_slots(read_file(runfile("tests/cases/configs/gateway.yaml")), slots);
}

Proxy ProxyBuilder::start() const {
  WeirProcess::Options options = options_;
  options.config = config();
  options.words.insert({"UPSTREAM", "1"});
  if (std::find(options.arguments.begin(), options.arguments.end(), "--concurrency") ==
      options.arguments.end())
    options.arguments.insert(options.arguments.end(), {"--concurrency", "1"});
  Proxy proxy(std::move(options));
  EXPECT_EQ(proxy.weir().failure(), "");
  return proxy;
}

std::string log_of(const std::string& format) {
  return "- name: file\n"
         "  typed_config:\n"
         "    \"@type\": type.googleapis.com/"
         "envoy.extensions.access_loggers.file.v3.FileAccessLog\n"
         "    path: \"@LOG@\"\n"
         "    log_format: {text_format_source: {inline_string: \"" +
         format + "\\n\"}}\n";
}

bool eventually(const std::function<bool()>& condition, Milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  while (!condition()) {
    if (Clock::now() > deadline) return condition();
    std::this_thread::sleep_for(Milliseconds(2));
  }
  return true;
}

RawClient& RawClient::send(std::string_view bytes) {
  wire_.send(bytes);
  exchange().run_until([&] { return wire_.sent_all() || wire_.ended(); }, Milliseconds(500));
  return *this;
}

const std::string& RawClient::read(size_t bytes, Milliseconds patience) {
  exchange().run_until([&] { return wire_.input().size() >= bytes || wire_.ended(); }, patience);
  return wire_.input();
}

// The next response to a GET; its bytes are consumed.
Reply RawClient::reply(Milliseconds patience) {
  Message message;
  const auto whole = [&] {
    return parse_response(wire_.input(), {"GET", wire_.ended()}, message).parsed ==
           Parsed::kComplete;
  };
  Reply reply;
  reply.complete =
      exchange().run_until([&] { return whole() || wire_.ended(); }, patience) && whole();
  if (message.status == 0) return reply;
  reply.status = message.status;
  reply.body = message.body;
  for (const auto& [name, value] : message.headers) reply.headers[name] = value;
  if (reply.complete) wire_.consume(message.wire_bytes);
  return reply;
}

bool RawClient::closed_within(Milliseconds patience) {
  return exchange().run_until([&] { return wire_.ended(); }, patience);
}

}  // namespace weir::test
