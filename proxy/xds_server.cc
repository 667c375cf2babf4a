#include "proxy/xds_server.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <system_error>
#include <utility>

#include "config/diagnostic_format.h"
#include "filters/registry.h"
#include "proxy/listener_compile.h"
#include "proxy/listener_config.h"
#include "proxy/net/file_watch.h"
#include "proxy/xds_server_options.h"
#include "proxy/xds_service.h"
#include "proxy/xds_status.h"
#include "xds/serving/load_catalogue.h"

namespace weir {
namespace {

config::Support supported() {
  config::Support support = config::default_support();
  support.add(filters::own_messages());
  return support;
}

Result<int> open_port(const net::Address& address) {
  ListenerConfig config;
  config.name = "xds-server";
  config.addresses = {address};
  config.reuse_port = false;
  return open_socket(address, config);
}

net::Address bound_address(int fd) {
  sockaddr_storage address;
  socklen_t length = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length);
}

// The directory's resources, read and judged as the options say.
class Reader {
 public:
  explicit Reader(const XdsServerOptions& options) : options_(options), check_{supported(), {}} {}

  // Prints what is wrong. Null after errors.
  std::shared_ptr<const xds::Catalogue> read() {
    config::Diagnostics diagnostics;
    auto catalogue = xds::load_catalogue(options_.directory, check_, diagnostics);
    if (options_.strict && diagnostics.warning_count() != 0) catalogue.reset();
    problems_.clear();
    if (catalogue == nullptr)
      problems_.assign(diagnostics.items().begin(), diagnostics.items().end());
    print(diagnostics);
    return catalogue;
  }

  // Of the last reading, if it failed.
  const std::vector<config::Diagnostic>& problems() const { return problems_; }

 private:
  // What is known is not said again each time something else is written.
  void print(const config::Diagnostics& diagnostics) {
    const bool json = options_.json_output;
    std::string text = json ? config::format_json(diagnostics)
                            : config::format_text(diagnostics, isatty(STDERR_FILENO) != 0);
    if (diagnostics.items().empty() && !(json && options_.validate_only)) text.clear();
    if (text == printed_) return;
    printed_ = std::move(text);
    (json ? std::cout : std::cerr) << printed_ << std::flush;
  }

  const XdsServerOptions& options_;
  xds::ResourceCheck check_;
  std::vector<config::Diagnostic> problems_;
  std::string printed_;
};

class XdsServer : private net::Watch::Owner, private net::Timer::Owner {
 public:
  XdsServer(const XdsServerOptions& options, Reader& reader,
            std::shared_ptr<const xds::Catalogue> catalogue)
      : options_(options),
        reader_(reader),
        catalogue_(std::move(catalogue)),
        since_ms_(loop_.now_ms()),
        service_(loop_, log_, catalogue_),
        watch_files_(loop_, [this] { reread(); }),
        end_(*this) {
    log_.set_level(options.log_level);
  }
  ~XdsServer() override {
    watch_.stop();
    signal_watch_.stop();
    if (listening_ >= 0) close(listening_);
    if (signal_fd_ >= 0) close(signal_fd_);
  }

  // 0, or 1 when a port cannot be bound.
  int run();

 private:
  static constexpr int64_t kEndPollMs = 24;
  static constexpr int64_t kEndMs = 2'000;

  struct Signals : net::Watch::Owner {
    explicit Signals(XdsServer& s) : server(s) {}
    void on_ready(uint8_t ready) override { server.on_signal(); }
    XdsServer& server;
  };

  void on_ready(uint8_t ready) override;
  void on_timer(net::Timer& timer) override;
  Result<void> open();
  void announce() const;
  void start_signals();
  void on_signal();
  void watch_directory();
  void reread();
  XdsStatus status() const;

  const XdsServerOptions& options_;
  Reader& reader_;
  Logger log_;
  net::Loop loop_;
  std::shared_ptr<const xds::Catalogue> catalogue_;
  int64_t since_ms_;
  XdsService service_;
  std::unique_ptr<XdsStatusPage> page_;  // null: off
  net::FileWatch watch_files_;
  Signals signals_{*this};
  net::Watch watch_;
  net::Watch signal_watch_;
  net::Timer end_;
  net::Address own_;
  net::Address page_address_;
  int64_t end_ms_ = 0;
  int listening_ = -1;
  int signal_fd_ = -1;
};

int XdsServer::run() {
  start_signals();
  if (Result<void> opened = open(); !opened) {
    log_.critical(Component::kMain, opened.error().message);
    return 1;
  }
  watch_directory();
  reread();  // what was written between the first reading and the watch
  announce();
  loop_.run();
  return 0;
}

Result<void> XdsServer::open() {
  Result<int> fd = open_port(options_.listen);
  if (!fd) return fd.error();
  listening_ = *fd;
  own_ = bound_address(listening_);
  if (options_.admin.family() != net::Address::Family::kNone) {
    fd = open_port(options_.admin);
    if (!fd) return fd.error();
    page_address_ = bound_address(*fd);
    page_ = std::make_unique<XdsStatusPage>(
        loop_, *fd, [this] { return xds_status_json(status(), loop_.now_ms(), loop_.wall_us()); });
  }
  watch_.start_level(loop_, listening_, *this);
  return {};
}

void XdsServer::announce() const {
  std::cout << "xds server on " << own_.text();
  if (page_ != nullptr)
    std::cout << ", status on " << (page_address_.is_ip() ? "http://" : "") << page_address_.text();
  std::cout << "\n" << std::flush;
}

void XdsServer::start_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal_fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  signal_watch_.start_level(loop_, signal_fd_, signals_);
  log_.info(Component::kConfig, "serving ", catalogue_->version(), ": ",
            xds::inventory(*catalogue_), " from ", options_.directory);
  for (const net::Address& address : {options_.listen, options_.admin}) {
    if (address.family() == net::Address::Family::kNone || address.is_loopback()) continue;
    log_.warning(Component::kConfig, "whoever reaches ", address.text(),
                 " can read all of this: there is no TLS and no authentication");
  }
}

void XdsServer::on_signal() {
  signalfd_siginfo info;
  while (read(signal_fd_, &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo == SIGHUP) {
      reread();
      continue;
    }
    if (end_ms_ != 0) return loop_.stop();  // a second one is impatience
    watch_.stop();
    service_.shut_down();
    end_ms_ = loop_.now_ms() + kEndMs;
    end_.set(loop_.timers(), loop_.now_ms() + kEndPollMs);
  }
}

void XdsServer::on_timer(net::Timer& /*timer*/) {
  if (service_.connections() == 0 || loop_.now_ms() >= end_ms_) return loop_.stop();
  end_.set(loop_.timers(), loop_.now_ms() + kEndPollMs);
}

void XdsServer::on_ready(uint8_t /*ready*/) {
  sockaddr_storage address;
  socklen_t length = sizeof(address);
  const int fd = accept4(listening_, reinterpret_cast<sockaddr*>(&address), &length,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  service_.accept(fd, net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length));
}

// A directory that is a symbolic link may be swapped as a whole.
void XdsServer::watch_directory() {
  std::error_code error;
  const std::filesystem::path directory(options_.directory);
  if (std::filesystem::is_symlink(directory, error))
    watch_files_.add(net::parent_directory(options_.directory));
  if (!watch_files_.add(options_.directory))
    log_.error(Component::kConfig, "changes of '", options_.directory,
               "' cannot be seen; SIGHUP reads it again");
}

void XdsServer::reread() {
  watch_directory();
  auto catalogue = reader_.read();
  if (catalogue == nullptr) {
    log_.error(Component::kConfig, "the files are refused; ", catalogue_->version(),
               " is still served");
    return;
  }
  if (catalogue->version() == catalogue_->version()) {
    log_.debug(Component::kConfig, "nothing has changed");
    return;
  }
  log_.info(Component::kConfig, "serving ", catalogue->version(), ": ", xds::inventory(*catalogue));
  catalogue_ = std::move(catalogue);
  since_ms_ = loop_.now_ms();
  service_.set_catalogue(catalogue_);
}

XdsStatus XdsServer::status() const {
  XdsStatus out{.directory = options_.directory, .catalogue = catalogue_.get()};
  out.catalogue_since_ms = since_ms_;
  out.pushes = service_.pushes();
  out.problems = reader_.problems();
  out.streams = service_.report();
  return out;
}

}  // namespace

int xds_server(const std::vector<std::string>& arguments) {
  const Result<XdsServerOptions> options = parse_xds_server_options(arguments);
  if (!options) {
    std::cerr << "weir: " << options.error().message << "\nTry 'weir xds-server --help'.\n";
    return 2;
  }
  if (options->show_help) {
    std::cout << xds_server_help();
    return 0;
  }
  Reader reader(*options);
  std::shared_ptr<const xds::Catalogue> catalogue = reader.read();
  if (catalogue == nullptr) {
    std::cerr << "weir: the resources of '" << options->directory << "' are refused\n";
    return 1;
  }
  if (!options->validate_only) return XdsServer(*options, reader, std::move(catalogue)).run();
  if (!options->json_output)
    std::cout << options->directory << ": " << xds::inventory(*catalogue) << "; OK\n";
  return 0;
}

}  // namespace weir
