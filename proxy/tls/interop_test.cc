// OpenSSL's command line as the other side: an implementation that is not ours.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <thread>

#include "proxy/net/connection.h"
#include "proxy/net/testing/loop_thread.h"
#include "proxy/net/testing/raw_socket.h"
#include "proxy/tls/client_context.h"
#include "proxy/tls/server_context.h"
#include "proxy/tls/testing/certificates.h"

namespace weir::tls {
namespace {

namespace fs = std::filesystem;
using net::Connection;
using net::RawSocket;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::Certificate;
using testing::KeyKind;
using testing::make_root;
using testing::Wanted;
using testing::write_file;

// `openssl ...` with its standard input and output in our hands; ended with the object.
class OpenSsl {
 public:
  explicit OpenSsl(std::vector<std::string> words) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    words.insert(words.begin(), "openssl");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    child_ = fork();
    if (child_ == 0) {
      for (const int fd : {0, 1, 2}) dup2(fds[1], fd);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    close(fds[1]);
    talk_ = std::make_unique<RawSocket>(fds[0]);
  }
  ~OpenSsl() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

  void say(std::string_view text) { talk_->send(text); }
  // Whether it prints this before the time limit.
  bool prints(const std::string& text) {
    while (seen_.find(text) == std::string::npos) {
      const std::string some = talk_->receive_some();
      if (some.empty()) return false;
      seen_ += some;
    }
    return true;
  }
  const std::string& seen() const { return seen_; }

 private:
  pid_t child_;
  std::unique_ptr<RawSocket> talk_;
  std::string seen_;
};

// Answers each read with "echo: " and what came.
class Echo : public Connection::Owner {
 public:
  explicit Echo(net::Loop& loop) : connection(loop, *this) {}
  void on_connected(int error) override { connected = error; }
  void on_readable() override {
    char bytes[4096];
    for (;;) {
      const Connection::Read read = connection.read(bytes, sizeof(bytes));
      if (read.bytes > 0) {
        text.append(bytes, static_cast<size_t>(read.bytes));
        if (answers)
          connection.write_copy("echo: " + std::string(bytes, static_cast<size_t>(read.bytes)));
      }
      if (read.bytes == -2) read_error = read.error;
      if (!read.more) return;
    }
  }
  void on_full(bool) override {}
  void on_write_error(int) override {}

  int connected = -1;
  int read_error = 0;
  bool answers = true;
  std::string text;
  Connection connection;
};

class InteropTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("interop_" + std::to_string(getpid()));
    fs::create_directories(folder_);
    write("ca.crt", root_.pem());
    t_.run([&] { echo_ = std::make_unique<Echo>(t_.loop()); });
  }
  void TearDown() override {
    t_.run([&] { echo_.reset(); });
    fs::remove_all(folder_);
  }

  std::string write(const std::string& name, const std::string& content) {
    const std::string path = (folder_ / name).string();
    write_file(path, content);
    return path;
  }
  Identity identity_of(const Certificate& one) {
    return make_identity(parse_chain(one.pem(), std::time(nullptr)).take(),
                         parse_key(one.key_pem(), {}).take())
        .take();
  }
  std::shared_ptr<const Verifier> trusting() {
    TrustRules rules;
    rules.trusted = std::make_unique<TrustStore>();
    EXPECT_TRUE(rules.trusted->add_pem(root_.pem()).ok());
    return std::make_shared<Verifier>(std::move(rules));
  }
  ServerSettings server_settings(KeyKind key = KeyKind::kP256) {
    ServerSettings out;
    out.identities.push_back(identity_of(
        root_.issue({.common_name = "server", .dns = {"server.example.com"}, .key = key})));
    out.parameters = {
        .min_version = TLS1_2_VERSION, .max_version = TLS1_3_VERSION, .alpn = {"h2", "http/1.1"}};
    out.trust_hash = std::string(32, 't');
    return out;
  }
  // The client on the command line, against our server's connection.
  std::unique_ptr<OpenSsl> dial(RawSocket& listener, std::vector<std::string> more) {
    std::vector<std::string> words = {
        "s_client",           "-connect", listener.address().text(),     "-servername",
        "server.example.com", "-CAfile",  (folder_ / "ca.crt").string(), "-verify_return_error"};
    words.insert(words.end(), more.begin(), more.end());
    return std::make_unique<OpenSsl>(words);
  }
  void serve(RawSocket& listener, const ServerContext& context) {
    const int fd = listener.accept().release();
    fcntl(fd, F_SETFL, O_NONBLOCK);
    t_.run([&] { echo_->connection.adopt({fd, context.new_session()}); });
  }
  bool eventually(const std::function<bool()>& condition) {
    const auto limit = steady_clock::now() + milliseconds(RawSocket::kPatienceMs);
    while (steady_clock::now() < limit) {
      if (t_.run(condition)) return true;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return false;
  }

  Certificate root_ = make_root();
  fs::path folder_;
  net::LoopThread t_;
  std::unique_ptr<Echo> echo_;
};

TEST_F(InteropTest, ServesEachVersionAndKey) {
  for (const KeyKind key : {KeyKind::kP256, KeyKind::kRsa2048}) {
    const auto context = ServerContext::make(server_settings(key)).take();
    for (const char* version : {"-tls1_2", "-tls1_3"}) {
      t_.run([&] { echo_ = std::make_unique<Echo>(t_.loop()); });
      RawSocket listener = RawSocket::listen();
      const auto client = dial(listener, {version, "-alpn", "http/1.1"});
      serve(listener, *context);
      client->say("hello\n");
      EXPECT_TRUE(client->prints("echo: hello")) << client->seen();
      EXPECT_NE(client->seen().find("Verify return code: 0 (ok)"), std::string::npos);
      EXPECT_NE(client->seen().find("ALPN protocol: http/1.1"), std::string::npos);
    }
  }
}

TEST_F(InteropTest, AsksForClientCertificates) {
  ServerSettings settings = server_settings();
  settings.verifier = trusting();
  settings.require_client_certificate = true;
  const auto context = ServerContext::make(std::move(settings)).take();
  const Certificate client_certificate = root_.issue({.common_name = "somebody"});
  const std::string certificate = write("client.crt", client_certificate.pem());
  const std::string key = write("client.key", client_certificate.key_pem());
  RawSocket listener = RawSocket::listen();
  {
    const auto client = dial(listener, {"-cert", certificate, "-key", key});
    serve(listener, *context);
    client->say("hello\n");
    EXPECT_TRUE(client->prints("echo: hello")) << client->seen();
    EXPECT_NE(client->seen().find("CN = test root"), std::string::npos) << "authorities are named";
    t_.run([&] {
      EXPECT_EQ(echo_->connection.tls()->peer_certificate()->subject, "CN=somebody");
      echo_ = std::make_unique<Echo>(t_.loop());
    });
  }
  const auto client = dial(listener, {});
  serve(listener, *context);
  EXPECT_TRUE(eventually([&] { return echo_->connected == EPROTO; }));
  EXPECT_TRUE(client->prints("certificate required")) << client->seen();
}

TEST_F(InteropTest, RefusesToRenegotiate) {
  const auto context = ServerContext::make(server_settings()).take();
  RawSocket listener = RawSocket::listen();
  const auto client = dial(listener, {"-tls1_2"});
  serve(listener, *context);
  client->say("hello\n");
  ASSERT_TRUE(client->prints("echo: hello")) << client->seen();
  client->say("R\n");  // s_client's command to renegotiate
  EXPECT_TRUE(eventually([&] { return echo_->read_error == EPROTO; }));
  EXPECT_NE(echo_->connection.tls()->error_details().find("NO_RENEGOTIATION"),
            std::string_view::npos)
      << echo_->connection.tls()->error_details();
}

TEST_F(InteropTest, ChangesKeysWhenAsked) {
  const auto context = ServerContext::make(server_settings()).take();
  RawSocket listener = RawSocket::listen();
  const auto client = dial(listener, {"-tls1_3"});
  serve(listener, *context);
  client->say("hello\n");
  ASSERT_TRUE(client->prints("echo: hello")) << client->seen();
  client->say("K\n");  // asks for an update in return
  ASSERT_TRUE(client->prints("KEYUPDATE")) << client->seen();
  client->say("again\n");
  EXPECT_TRUE(client->prints("echo: again")) << client->seen();
}

TEST_F(InteropTest, ReachesAServer) {
  const Certificate leaf = root_.issue({.common_name = "server", .dns = {"server.example.com"}});
  const std::string certificate = write("server.crt", leaf.pem());
  const std::string key = write("server.key", leaf.key_pem());
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    t_.run([&] {
      echo_ = std::make_unique<Echo>(t_.loop());
      echo_->answers = false;
    });
    // A port that was free a moment ago.
    const net::Address address = RawSocket::listen().address();
    OpenSsl server({"s_server", "-accept", address.text(), "-cert", certificate, "-key", key,
                    version, "-naccept", "1"});
    ASSERT_TRUE(server.prints("ACCEPT")) << server.seen();
    ClientSettings settings;
    settings.parameters = {.min_version = TLS1_2_VERSION, .max_version = TLS1_3_VERSION};
    settings.verifier = trusting();
    const auto context = ClientContext::make(std::move(settings)).take();
    t_.run([&] {
      EXPECT_EQ(
          echo_->connection.connect(address, nullptr,
                                    context->new_session({.sni = "server.example.com",
                                                          .verify_name = "server.example.com"})),
          0);
    });
    ASSERT_TRUE(eventually([&] { return echo_->connected == 0; })) << server.seen();
    t_.run([&] { echo_->connection.write("from the client\n"); });
    EXPECT_TRUE(server.prints("from the client")) << server.seen();
    server.say("from the server\n");
    EXPECT_TRUE(eventually([&] { return echo_->text == "from the server\n"; }));
  }
}

}  // namespace
}  // namespace weir::tls
