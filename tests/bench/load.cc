// Origin and clients of the benchmark in one process, so that both share a core without switching
// between processes. Waits for a line on stdin, runs, and prints one line of JSON.
//
// While it measures it never sleeps, unless it is told to: the proxy under test does not pay for
// waking it.

#include <getopt.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/client.h"
#include "tests/bench/cpu_time.h"
#include "tests/bench/h2_origin.h"
#include "tests/bench/origin.h"

namespace weir::bench {
namespace {

constexpr char kUsage[] =
    "usage: load [OPTION]...\n"
    "  --origin PORT           serve there\n"
    "  --proxy PORT            send requests there; without it only serve\n"
    "  --connections N         [64]\n"
    "  --request-bytes N       a POST with such a body instead of a GET\n"
    "  --response-bytes N      [1024]\n"
    "  --pipeline N            requests in one write [1]\n"
    "  --rate R                requests a second at random times, instead of as fast as possible\n"
    "  --warm-up SECONDS       before it counts [0.3]\n"
    "  --seconds S             to measure [1]\n"
    "  --requests N            ends after so many instead\n"
    "  --host NAME --path P    what the requests ask for\n"
    "  --idle                  one request on each connection, then silence until stdin ends\n"
    "  --tls                   TLS 1.3 to the proxy\n"
    "  --connect-each          a new connection for each request\n"
    "  --resume                such connections resume the session before\n"
    "  --h2-origin             the origin speaks HTTP/2, and gRPC\n"
    "  --sleep                 sleeps, a millisecond at most, where there is nothing to do; with "
    "--rate\n"
    "  --watch PID             a process whose CPU time is measured; may be given again\n";

struct Settings {
  LoadOptions load;
  uint16_t origin_port = 0;
  double warm_up_s = 0.3;
  double seconds = 1;
  uint64_t requests = 0;
  bool h2_origin = false;
  bool sleep = false;
  std::vector<pid_t> watched;
};

enum Option {
  kOrigin = 1,
  kProxy,
  kConnections,
  kRequestBytes,
  kResponseBytes,
  kPipeline,
  kRate,
  kWarmUp,
  kSeconds,
  kRequests,
  kHost,
  kPath,
  kIdle,
  kTls,
  kConnectEach,
  kResume,
  kH2Origin,
  kSleep,
  kWatch
};

bool set_option(int option, const char* text, Settings& settings) {
  const auto number = text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
  switch (option) {
    case kOrigin:
      settings.origin_port = static_cast<uint16_t>(number);
      return true;
    case kProxy:
      settings.load.proxy_port = static_cast<uint16_t>(number);
      return true;
    case kConnections:
      settings.load.connections = static_cast<int>(number);
      return true;
    case kRequestBytes:
      settings.load.request_bytes = number;
      return true;
    case kResponseBytes:
      settings.load.response_bytes = number;
      return true;
    case kPipeline:
      settings.load.pipeline = static_cast<int>(number);
      return true;
    case kRate:
      settings.load.rate = std::strtod(text, nullptr);
      return true;
    case kWarmUp:
      settings.warm_up_s = std::strtod(text, nullptr);
      return true;
    case kSeconds:
      settings.seconds = std::strtod(text, nullptr);
      return true;
    case kRequests:
      settings.requests = number;
      return true;
    case kHost:
      settings.load.host = text;
      return true;
    case kPath:
      settings.load.path = text;
      return true;
    case kIdle:
      settings.load.once = true;
      return true;
    case kTls:
      settings.load.tls = true;
      return true;
    case kConnectEach:
      settings.load.connect_each = true;
      return true;
    case kResume:
      settings.load.resume = true;
      return true;
    case kH2Origin:
      settings.h2_origin = true;
      return true;
    case kSleep:
      settings.sleep = true;
      return true;
    case kWatch:
      settings.watched.push_back(static_cast<pid_t>(number));
      return true;
    default:
      return false;
  }
}

bool parse(int argc, char** argv, Settings& settings) {
  static constexpr int kValue = required_argument;
  static const option kOptions[] = {
      {"origin", kValue, nullptr, kOrigin},
      {"proxy", kValue, nullptr, kProxy},
      {"connections", kValue, nullptr, kConnections},
      {"request-bytes", kValue, nullptr, kRequestBytes},
      {"response-bytes", kValue, nullptr, kResponseBytes},
      {"pipeline", kValue, nullptr, kPipeline},
      {"rate", kValue, nullptr, kRate},
      {"warm-up", kValue, nullptr, kWarmUp},
      {"seconds", kValue, nullptr, kSeconds},
      {"requests", kValue, nullptr, kRequests},
      {"host", kValue, nullptr, kHost},
      {"path", kValue, nullptr, kPath},
      {"idle", no_argument, nullptr, kIdle},
      {"tls", no_argument, nullptr, kTls},
      {"connect-each", no_argument, nullptr, kConnectEach},
      {"resume", no_argument, nullptr, kResume},
      {"h2-origin", no_argument, nullptr, kH2Origin},
      {"sleep", no_argument, nullptr, kSleep},
      {"watch", kValue, nullptr, kWatch},
      {nullptr, 0, nullptr, 0},
  };
  for (int option; (option = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;)
    if (!set_option(option, optarg, settings)) return false;
  return optind == argc;
}

// Lines and the end of stdin, which steer the program.
class Control final : public EventLoop::Handler {
 public:
  explicit Control(EventLoop& loop) { loop.add(STDIN_FILENO, EPOLLIN, *this); }
  void on_events(uint32_t) override {
    char bytes[256];
    if (read(STDIN_FILENO, bytes, sizeof bytes) <= 0) std::exit(0);
    told_ = true;
  }
  bool told() const { return told_; }

 private:
  bool told_ = false;
};

// Runs until the time is over or the number of requests is reached.
void run_for(EventLoop& loop, Load& load, double seconds, uint64_t requests, bool sleep = false) {
  const int64_t end = now_ns() + static_cast<int64_t>(seconds * 1e9);
  for (int64_t now = 0; requests > 0 ? load.requests() < requests : now < end;) {
    loop.turn(sleep ? 1 : 0);
    now = now_ns();
    if (load.options().rate > 0) load.start_due(now);
  }
}

void print_result(const Load& load, double seconds, const CpuTime& before, const CpuTime& after) {
  const auto requests = static_cast<double>(load.requests());
  const auto running = static_cast<double>(after.running_ns - before.running_ns);
  const auto user = static_cast<double>(after.user_ticks - before.user_ticks);
  const double ticks = user + static_cast<double>(after.system_ticks - before.system_ticks);
  const Histogram& latencies = load.latencies();
  std::printf(
      "{\"requests\": %.0f, \"seconds\": %.6f, \"errors\": %llu, \"reconnects\": %llu, "
      "\"resumed\": %llu, "
      "\"cpu_us\": %.4f, \"user_us\": %.4f, \"busy\": %.4f, \"waiting\": %.4f, "
      "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}\n",
      requests, seconds, static_cast<unsigned long long>(load.errors()),
      static_cast<unsigned long long>(load.reconnects()),
      static_cast<unsigned long long>(load.resumed()), running / requests / 1e3,
      ticks > 0 ? running / requests / 1e3 * user / ticks : 0.0, running / seconds / 1e9,
      static_cast<double>(after.waiting_ns - before.waiting_ns) / seconds / 1e9,
      latencies.quantile_us(0.5), latencies.quantile_us(0.99), latencies.quantile_us(0.999),
      latencies.max_us());
  std::fflush(stdout);
}

void measure(EventLoop& loop, Load& load, const Settings& settings) {
  load.open_connections();
  load.start();
  if (settings.requests == 0) run_for(loop, load, settings.warm_up_s, 0, settings.sleep);
  load.forget_measurements();
  const CpuTime before = cpu_time_of(settings.watched);
  const int64_t start = now_ns();
  run_for(loop, load, settings.seconds, settings.requests, settings.sleep);
  const double seconds = static_cast<double>(now_ns() - start) / 1e9;
  print_result(load, seconds, before, cpu_time_of(settings.watched));
}

std::unique_ptr<EventLoop::Handler> make_origin(EventLoop& loop, const Settings& settings) {
  const size_t body_bytes = settings.load.response_bytes;
  if (settings.h2_origin) return std::make_unique<H2Origin>(loop, settings.origin_port, body_bytes);
  return std::make_unique<Origin>(loop, settings.origin_port, body_bytes);
}

int run(const Settings& settings) {
  EventLoop loop;
  const auto origin = make_origin(loop, settings);
  Control control(loop);
  std::puts("ready");
  std::fflush(stdout);
  while (!control.told() || settings.load.proxy_port == 0) loop.turn(-1);
  Load load(loop, settings.load);
  if (!settings.load.once) {
    measure(loop, load, settings);
    return load.errors() == 0 ? 0 : 1;
  }
  load.open_connections();
  load.start();
  run_for(loop, load, 0, static_cast<uint64_t>(settings.load.connections));
  std::puts("idle");
  std::fflush(stdout);
  for (;;) loop.turn(-1);  // until stdin ends
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  weir::bench::Settings settings;
  if (!weir::bench::parse(argc, argv, settings) || settings.origin_port == 0) {
    std::fputs(weir::bench::kUsage, stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  return weir::bench::run(settings);
}
