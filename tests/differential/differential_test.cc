// Mutated streams through the proxy to node, to nginx and to HAProxy: whatever the proxy says that
// it forwarded and got answered, exactly that each of them must have seen, request for request and
// body for body. What they see is noted by node's parser, behind nginx and HAProxy too.
//
// DIFFERENTIAL_SECONDS: how long each backend is tried (default 4). DIFFERENTIAL_SEED: another
// seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "tests/differential/mutator.h"
#include "tests/harness/escape.h"
#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Seen = std::multiset<std::string>;  // "METHOD /path BYTES"

constexpr size_t kBatch = 100;

double number_from(const char* variable, double otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtod(text, nullptr);
}

// The path up to the first character that a log may have to escape.
std::string plain_path(const std::string& path) {
  const auto is_plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '/'; };
  return std::string(path.begin(), std::find_if_not(path.begin(), path.end(), is_plain));
}

// The lines of `text` behind `read` that have their end; `read` moves there.
std::string whole_lines(const std::string& text, size_t& read) {
  const size_t end = text.rfind('\n');
  if (end == std::string::npos || end < read) return "";
  const size_t from = std::exchange(read, end + 1);
  return text.substr(from, read - from);
}

void remove_common(Seen& a, Seen& b) {
  for (auto each = a.begin(); each != a.end();) {
    const auto found = b.find(*each);
    if (found == b.end()) {
      ++each;
    } else {
      b.erase(found);
      each = a.erase(each);
    }
  }
}

bool starts_to_listen(uint16_t port) {
  return eventually([&] { return connect_to_loopback(port).open(); }, 10s);
}

// What stands behind the proxy: the recorder, and perhaps another program before it.
class Backend {
 public:
  explicit Backend(const std::string& name) : folder_(new_scratch_folder("backend")) {
    std::filesystem::create_directories(folder_);
    const std::string port = std::to_string(recorder_port_.number());
    recorder_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{"node", runfile("tests/differential/recorder.mjs"), port, log()},
        ChildProcess::Options{folder_ + "/recorder.out", {}, 0, ""});
    up_ = starts_to_listen(recorder_port_.number());
    if (name == "node") return;
    write_file(folder_ + "/config", name == "nginx" ? nginx_config() : haproxy_config());
    const std::string config = folder_ + "/config";
    const std::vector<std::string> command =
        name == "nginx" ? std::vector<std::string>{"nginx", "-e", folder_ + "/errors", "-c", config}
                        : std::vector<std::string>{"haproxy", "-db", "-f", config};
    front_ = std::make_unique<ChildProcess>(
        command, ChildProcess::Options{
                     folder_ + "/front.out", {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, 0, ""});
    up_ = up_ && starts_to_listen(front_port_.number());
  }

  bool up() const { return up_; }
  std::string output() const {
    return read_file(folder_ + "/recorder.out") + read_file(folder_ + "/front.out");
  }
  uint16_t port() const { return front_ ? front_port_.number() : recorder_port_.number(); }
  std::string log() const { return folder_ + "/seen"; }

 private:
  std::string nginx_config() const {
    std::string text =
        "user root; daemon off; master_process off; worker_processes 1; pid @/pid; error_log "
        "@/errors;\n"
        "events { worker_connections 1000; }\n"
        "http { access_log off; keepalive_requests 1000000; client_body_temp_path @/1;\n"
        "proxy_temp_path @/2; fastcgi_temp_path @/3; uwsgi_temp_path @/4; scgi_temp_path @/5;\n"
        "upstream recorder { server 127.0.0.1:RECORDER; keepalive 100; }\n"
        "server { listen 127.0.0.1:FRONT reuseport; location / { proxy_pass http://recorder;\n"
        "proxy_http_version 1.1; proxy_set_header Connection \"\"; } } }\n";
    return with_ports(text);
  }
  std::string haproxy_config() const {
    return with_ports(
        "global\n  maxconn 1000\n"
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n"
        "  timeout server 60s\n"
        "frontend front\n  bind 127.0.0.1:FRONT\n  default_backend recorder\n"
        "backend recorder\n  server one 127.0.0.1:RECORDER\n");
  }
  std::string with_ports(std::string text) const {
    const std::map<std::string, std::string> words{
        {"@", folder_},
        {"RECORDER", std::to_string(recorder_port_.number())},
        {"FRONT", std::to_string(front_port_.number())}};
    for (const auto& [word, value] : words)
      for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += value.size())
        text.replace(at, word.size(), value);
    return text;
  }

  std::string folder_;
  ReservedPort recorder_port_;
  ReservedPort front_port_;
  std::unique_ptr<ChildProcess> recorder_;
  std::unique_ptr<ChildProcess> front_;
  bool up_ = false;
};

// What the proxy's log says of a batch.
struct Forwarded {
  Seen answered;  // with 200 by the backend: it must have seen these
  int refused = 0;
};

class Differential : public testing::TestWithParam<std::string> {
 protected:
  // Sends each stream on a connection of its own and waits until nothing more is said.
  void send_all(const Proxy& proxy, const std::vector<std::string>& streams, Mutator& mutator) {
    std::vector<std::unique_ptr<Wire>> wires;
    Exchange exchange(
        [&] {
          Exchange::Wires all;
          for (const auto& wire : wires) all.push_back(wire.get());
          return all;
        },
        {}, [](size_t) {});
    for (const std::string& stream : streams) {
      wires.push_back(std::make_unique<Wire>(connect_to_loopback(proxy.port())));
      size_t from = 0;
      for (const size_t cut : mutator.cuts(stream.size())) {
        wires.back()->send(stream.substr(from, cut - from));
        exchange.run_for(Milliseconds(0));
        from = cut;
      }
      wires.back()->send(stream.substr(from));
    }
    size_t before = SIZE_MAX;
    for (size_t now = 0; now != before;) {
      before = now;
      exchange.run_for(Milliseconds(25));
      now = 0;
      for (const auto& wire : wires) now += wire->input().size() + (wire->ended() ? 1 : 0);
    }
  }

  // Both accounts are written with a delay, so they are read until they agree; what still differs
  // after `patience` is returned.
  std::string compare(const Proxy& proxy, const Backend& backend, Milliseconds patience = 3s) {
    Forwarded forwarded;
    Seen seen;
    const auto agree = [&] {
      read_log(proxy, forwarded);
      read_seen(backend, seen);
      remove_common(forwarded.answered, seen);
      remove_common(uncertain_, seen);
      return forwarded.answered.empty() && seen.empty();
    };
    eventually(agree, patience);
    refused_ += static_cast<size_t>(forwarded.refused);
    std::string difference;
    for (const std::string& entry : forwarded.answered)
      difference += "  forwarded, but not seen: " + entry + '\n';
    for (const std::string& entry : seen)
      difference += "  seen, but not forwarded: " + entry + '\n';
    return difference.empty() ? "" : difference + logged_of(proxy, difference);
  }

  // What the proxy's log has of the paths that are named in `difference`.
  std::string logged_of(const Proxy& proxy, const std::string& difference) {
    std::string found;
    std::istringstream lines(proxy.weir().access_log());
    for (std::string line; std::getline(lines, line);) {
      const size_t path = line.find(" /");
      const size_t end = line.find(' ', path + 1);
      if (path != std::string::npos &&
          difference.find(line.substr(path, end - path + 1)) != std::string::npos)
        found += "    the log: " + line + '\n';
    }
    return found;
  }

  // Adds what the log says since the last call; a line is
  // METHOD PATH STATUS FLAGS DETAILS CLUSTER RECEIVED SENT.
  void read_log(const Proxy& proxy, Forwarded& forwarded) {
    std::istringstream lines(whole_lines(proxy.weir().access_log(), log_read_));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string method, path, status, flags, details, cluster, received;
      words >> method >> path >> status >> flags >> details >> cluster >> received;
      const std::string entry = method + ' ' + plain_path(path) + ' ' + received;
      if (status == "200" && flags == "-") {
        forwarded.answered.insert(entry);
        ++requests_;
      } else if (flags == "-" && details == "via_upstream") {
        ++forwarded.refused;
      } else if (cluster == "app") {
        uncertain_.insert(entry);
      }
    }
  }

  void read_seen(const Backend& backend, Seen& seen) {
    std::istringstream lines(whole_lines(read_file(backend.log()), seen_read_));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string method, path, bytes;
      words >> method >> path >> bytes;
      seen.insert(method + ' ' + plain_path(path) + ' ' + bytes);
    }
  }

  // Runs each stream of a batch alone, to find those on which the two differ.
  std::string find_culprits(const Proxy& proxy, const Backend& backend,
                            const std::vector<std::string>& streams) {
    std::string report;
    for (const std::string& stream : streams) {
      Mutator whole(1);
      send_all(proxy, {stream}, whole);
      const std::string difference = compare(proxy, backend);
      if (!difference.empty()) report += readable(stream) + difference;
    }
    return report.empty() ? "  only when the whole batch is sent" : report;
  }

  // The client went away, or the backend broke off: the backend may have seen these, or may yet.
  Seen uncertain_;
  size_t log_read_ = 0;
  size_t seen_read_ = 0;
  size_t requests_ = 0;
  size_t refused_ = 0;
};

TEST_P(Differential, SeesWhatWasForwarded) {
  const Backend backend(GetParam());
  ASSERT_TRUE(backend.up()) << backend.output();
  Proxy proxy = weir().upstream_port(backend.port()).start();
  const auto seed = static_cast<uint64_t>(number_from("DIFFERENTIAL_SEED", 20260105));
  const auto end =
      Clock::now() + Milliseconds(static_cast<int>(1000 * number_from("DIFFERENTIAL_SECONDS", 4)));
  Mutator mutator(seed);
  size_t streams_sent = 0;
  while (Clock::now() < end) {
    std::vector<std::string> streams(kBatch);
    std::generate(streams.begin(), streams.end(), [&] { return mutator.stream(); });
    send_all(proxy, streams, mutator);
    streams_sent += streams.size();
    const std::string difference = compare(proxy, backend);
    ASSERT_EQ(difference, "") << "seed " << seed << ", after " << streams_sent << " streams\n"
                              << find_culprits(proxy, backend, streams);
    ASSERT_TRUE(proxy.weir().process().running()) << proxy.weir().output();
  }
  std::printf("%s: %zu streams, %zu requests seen alike, %zu refused by it (seed %llu)\n",
              GetParam().c_str(), streams_sent, requests_, refused_,
              static_cast<unsigned long long>(seed));
  EXPECT_GT(requests_, streams_sent / 2) << "too little gets through to tell anything";
}

// The comparison itself: a request that reaches the backend past the proxy is a difference.
TEST_P(Differential, NoticesWhatWasNotForwarded) {
  const Backend backend(GetParam());
  ASSERT_TRUE(backend.up()) << backend.output();
  Proxy proxy = weir().upstream_port(backend.port()).start();
  EXPECT_EQ(proxy.get("/good").status, 200);
  EXPECT_EQ(compare(proxy, backend), "");
  Wire smuggler(connect_to_loopback(backend.port()));
  smuggler.send("GET /evil HTTP/1.1\r\nHost: a\r\n\r\n");
  Exchange exchange([&] { return Exchange::Wires{&smuggler}; }, {}, [](size_t) {});
  ASSERT_TRUE(exchange.run_until([&] { return !smuggler.input().empty(); }));
  EXPECT_EQ(compare(proxy, backend, 300ms), "  seen, but not forwarded: GET /evil 0\n");
}

INSTANTIATE_TEST_SUITE_P(Backends, Differential, testing::Values("node", "nginx", "haproxy"),
                         [](const auto& backend) { return backend.param; });

}  // namespace
}  // namespace weir::test
