// Secrets in files: found, watched, and kept when what follows is bad.
#include "proxy/tls/secrets.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "proxy/net/testing/loop_thread.h"
#include "proxy/tls/generic_secret.h"
#include "proxy/tls/testing/certificates.h"
#include "proxy/tls/transport_socket.h"

namespace weir::tls {
namespace {

namespace fs = std::filesystem;
namespace tlsv3 = envoy::extensions::transport_sockets::tls::v3;
using config::FieldPath;
using envoy::config::core::v3::TransportSocket;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::Certificate;
using testing::make_root;
using testing::write_file;

constexpr char kSecretsYaml[] = R"(
resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: server
  tls_certificate:
    certificate_chain: { filename: "%/tls.crt" }
    private_key: { filename: "%/tls.key" }
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: authorities
  validation_context:
    trusted_ca: { filename: "%/ca.crt" }
)";

class SecretsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("secrets_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    log_path_ = (folder_.string() + ".log");
    EXPECT_TRUE(log_.open(log_path_).ok());
  }
  void TearDown() override {
    t_.run([&] { secrets_.reset(); });
    fs::remove_all(folder_);
    fs::remove(log_path_);
  }

  void put(const fs::path& folder, const Certificate& one) {
    write_file((folder / "tls.crt").string(), one.pem());
    write_file((folder / "tls.key").string(), one.key_pem());
    write_file((folder / "ca.crt").string(), root_.pem());
  }
  void put_yaml(const fs::path& certificates) {
    std::string text = kSecretsYaml;
    for (size_t at; (at = text.find('%')) != std::string::npos;)
      text.replace(at, 1, certificates.string());
    write_file((folder_ / "sds.yaml").string(), text);
  }
  std::shared_ptr<const ServerTls> compile(const std::string& watched = {},
                                           const std::string& name = "server") {
    tlsv3::DownstreamTlsContext in;
    auto& common = *in.mutable_common_tls_context();
    const auto source = [&](tlsv3::SdsSecretConfig& out, const std::string& secret) {
      out.set_name(secret);
      auto& path = *out.mutable_sds_config()->mutable_path_config_source();
      path.set_path((folder_ / "sds.yaml").string());
      if (!watched.empty()) path.mutable_watched_directory()->set_path(watched);
    };
    source(*common.add_tls_certificate_sds_secret_configs(), name);
    source(*common.mutable_validation_context_sds_secret_config(), "authorities");
    return compile(in);
  }
  std::shared_ptr<const ServerTls> compile(const tlsv3::DownstreamTlsContext& in) {
    TransportSocket socket;
    socket.mutable_typed_config()->PackFrom(in);
    const FieldPath root = FieldPath::root("transport_socket");
    return compile_downstream(socket, root, {*secrets_, diagnostics_, stats_}, "listener.");
  }
  std::string shown(const ServerTls& tls) {
    return t_.run([&] { return tls.context()->identities()[0].facts().subject; });
  }
  bool eventually(const std::function<bool()>& condition) {
    const auto limit = steady_clock::now() + milliseconds(5000);
    while (steady_clock::now() < limit) {
      if (condition()) return true;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
  }
  std::string logged() {
    std::ifstream in(log_path_);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
  }

  Certificate root_ = make_root();
  Certificate first_ = root_.issue({.common_name = "first"});
  Certificate second_ = root_.issue({.common_name = "second"});
  fs::path folder_;
  std::string log_path_;
  net::LoopThread t_;
  stats::Registry stats_;
  Logger log_;
  config::Diagnostics diagnostics_;
  std::unique_ptr<Secrets> secrets_ = std::make_unique<Secrets>(stats_, log_);
};

TEST_F(SecretsTest, ReadFromAFileAndTakenOverWhenItChanges) {
  put(folder_, first_);
  put_yaml(folder_);
  const auto tls = t_.run([&] {
    auto out = compile();
    secrets_->watch(t_.loop());
    return out;
  });
  ASSERT_NE(tls, nullptr) << diagnostics_.items()[0].message;
  EXPECT_EQ(shown(*tls), "CN=first");
  EXPECT_NE(tls->context()->verifier(), nullptr);
  const auto old = tls->context();
  put(folder_, second_);
  EXPECT_TRUE(eventually([&] { return shown(*tls) == "CN=second"; }));
  EXPECT_EQ(old->identities()[0].facts().subject, "CN=first") << "who has it keeps it";
  EXPECT_TRUE(eventually([&] { return stats_.value("sds.server.update_success") == 1; }));
  EXPECT_EQ(stats_.value("sds.server.update_rejected"), 0u);
}

TEST_F(SecretsTest, ABadOneLeavesTheOldOne) {
  put(folder_, first_);
  put_yaml(folder_);
  const auto tls = t_.run([&] {
    auto out = compile();
    secrets_->watch(t_.loop());
    return out;
  });
  ASSERT_NE(tls, nullptr);
  write_file((folder_ / "tls.key").string(), second_.key_pem());
  EXPECT_TRUE(eventually([&] { return stats_.value("sds.server.update_rejected") == 1; }));
  EXPECT_EQ(shown(*tls), "CN=first");
  EXPECT_TRUE(eventually(
      [&] { return logged().find("not that of the certificate") != std::string::npos; }));
  EXPECT_EQ(logged().find("PRIVATE"), std::string::npos);
  // A file that is no YAML.
  write_file((folder_ / "sds.yaml").string(), "{ no");
  EXPECT_TRUE(eventually([&] { return stats_.value("sds.server.update_rejected") == 2; }));
  EXPECT_EQ(shown(*tls), "CN=first");
  // One without the secret: what counts is the name that was asked for.
  write_file((folder_ / "sds.yaml").string(), "resources: []");
  EXPECT_TRUE(eventually([&] { return stats_.value("sds.server.update_rejected") == 3; }));
  EXPECT_EQ(shown(*tls), "CN=first");
  // And both good again.
  put_yaml(folder_);
  put(folder_, second_);
  EXPECT_TRUE(eventually([&] { return shown(*tls) == "CN=second"; }));
}

// As Kubernetes does it: a link to a folder is exchanged for another at once.
TEST_F(SecretsTest, AtomicSwapOfAWatchedDirectory) {
  fs::create_directories(folder_ / "one");
  fs::create_directories(folder_ / "two");
  put(folder_ / "one", first_);
  put(folder_ / "two", second_);
  fs::create_directory_symlink("one", folder_ / "..data");
  put_yaml(folder_ / "..data");
  const auto tls = t_.run([&] {
    auto out = compile(folder_.string());
    secrets_->watch(t_.loop());
    return out;
  });
  ASSERT_NE(tls, nullptr);
  EXPECT_EQ(shown(*tls), "CN=first");
  fs::create_directory_symlink("two", folder_ / "..tmp");
  fs::rename(folder_ / "..tmp", folder_ / "..data");
  EXPECT_TRUE(eventually([&] { return shown(*tls) == "CN=second"; }));
}

// Files that the configuration names itself are read when that is, and not before.
TEST_F(SecretsTest, FilesOfTheConfigurationAreReadAgainOnReload) {
  put(folder_, first_);
  tlsv3::DownstreamTlsContext in;
  auto& certificate = *in.mutable_common_tls_context()->add_tls_certificates();
  certificate.mutable_certificate_chain()->set_filename((folder_ / "tls.crt").string());
  certificate.mutable_private_key()->set_filename((folder_ / "tls.key").string());
  const auto tls = t_.run([&] { return compile(in); });
  ASSERT_NE(tls, nullptr);
  const auto before = tls->context();
  t_.run([&] { secrets_->reload(); });
  EXPECT_EQ(tls->context(), before) << "nothing has changed";
  put(folder_, second_);
  t_.run([&] { secrets_->reread(); });
  EXPECT_EQ(shown(*tls), "CN=first");
  t_.run([&] { secrets_->reload(); });
  EXPECT_EQ(shown(*tls), "CN=second");
  // Half of a pair: logged, and the old pair stays.
  write_file((folder_ / "tls.crt").string(), first_.pem());
  t_.run([&] { secrets_->reload(); });
  EXPECT_EQ(shown(*tls), "CN=second");
  EXPECT_NE(logged().find("not that of the certificate"), std::string::npos);
}

tlsv3::Secret static_secret(const Certificate& one) {
  tlsv3::Secret out;
  out.set_name("mine");
  out.mutable_tls_certificate()->mutable_certificate_chain()->set_inline_string(one.pem());
  out.mutable_tls_certificate()->mutable_private_key()->set_inline_string(one.key_pem());
  return out;
}

TEST_F(SecretsTest, StaticOnesChangeWhenAConfigurationIsTakenOver) {
  tlsv3::DownstreamTlsContext in;
  in.mutable_common_tls_context()->add_tls_certificate_sds_secret_configs()->set_name("mine");
  const auto tls = t_.run([&] {
    secrets_->stage_static({static_secret(first_)});
    auto out = compile(in);
    secrets_->commit_static();
    return out;
  });
  ASSERT_NE(tls, nullptr);
  const auto before = tls->context();
  t_.run([&] {
    secrets_->stage_static({static_secret(second_)});
    secrets_->drop_static();
  });
  EXPECT_EQ(tls->context(), before) << "it was refused";
  t_.run([&] {
    secrets_->stage_static({static_secret(first_)});
    secrets_->commit_static();
  });
  EXPECT_EQ(tls->context(), before) << "nothing has changed";
  t_.run([&] {
    secrets_->stage_static({static_secret(second_)});
    EXPECT_EQ(tls->context(), before) << "not yet";
    secrets_->commit_static();
  });
  EXPECT_EQ(shown(*tls), "CN=second");
  t_.run([&] {
    secrets_->stage_static({});
    secrets_->commit_static();
    EXPECT_EQ(compile(in), nullptr) << "it is no more";
  });
}

TEST_F(SecretsTest, GenericOnesAreToldAsTheyChange) {
  tlsv3::Secret secret;
  secret.set_name("mine");
  const std::string path = (folder_ / "secret").string();
  secret.mutable_generic_secret()->mutable_secret()->set_filename(path);
  write_file(path, "one");
  tlsv3::SdsSecretConfig wanted;
  wanted.set_name("mine");
  std::vector<std::string> told;
  const auto take = [&](std::string_view text) -> Result<void> {
    if (text == "bad") return Error{.code = "bad", .message = "that is none"};
    told.emplace_back(text);
    return {};
  };
  t_.run([&] {
    secrets_->stage_static({secret});
    secrets_->commit_static();
    const FieldPath root = FieldPath::root("here");
    const auto held = GenericSecret::make(wanted, root, *secrets_, diagnostics_, take);
    ASSERT_NE(held, nullptr);
    EXPECT_TRUE(held->settled());
    write_file(path, "two");
    secrets_->reload();
    write_file(path, "bad");
    secrets_->reload();
    secret.mutable_generic_secret()->mutable_secret()->set_inline_string("three");
    secrets_->stage_static({secret});
    secrets_->commit_static();
    EXPECT_EQ(told, (std::vector<std::string>{"one", "two", "three"}));
    EXPECT_NE(logged().find("that is none"), std::string::npos);
    secrets_->stage_static({static_secret(first_)});
    secrets_->commit_static();
    EXPECT_EQ(GenericSecret::make(wanted, root, *secrets_, diagnostics_, take), nullptr);
  });
  EXPECT_EQ(diagnostics_.items().back().message, "the secret 'mine' is no generic_secret");
}

TEST_F(SecretsTest, TouchingChangesNothing) {
  put(folder_, first_);
  put_yaml(folder_);
  const auto tls = t_.run([&] {
    auto out = compile();
    secrets_->watch(t_.loop());
    return out;
  });
  ASSERT_NE(tls, nullptr);
  const auto before = tls->context();
  put(folder_, first_);
  write_file((folder_ / "unrelated").string(), "x");
  std::this_thread::sleep_for(milliseconds(150));
  t_.run([&] { secrets_->reread(); });
  EXPECT_EQ(tls->context(), before);
  EXPECT_EQ(stats_.value("sds.server.update_attempt"), 0u);
}

TEST_F(SecretsTest, WhoIsGoneIsNotRebuilt) {
  put(folder_, first_);
  put_yaml(folder_);
  t_.run([&] {
    EXPECT_NE(compile(), nullptr);
    put(folder_, second_);
    secrets_->reread();
    EXPECT_TRUE(secrets_->certificates().empty());
  });
}

// A configuration that is loaded right after its files changed gets the new ones, and so do those
// who came before.
TEST_F(SecretsTest, ReadAnewForWhoComesLater) {
  put(folder_, first_);
  put_yaml(folder_);
  t_.run([&] {
    const auto early = compile();
    ASSERT_NE(early, nullptr);
    put(folder_, second_);
    const auto late = compile();
    ASSERT_NE(late, nullptr);
    EXPECT_EQ(late->context()->identities()[0].facts().subject, "CN=second");
    EXPECT_EQ(early->context()->identities()[0].facts().subject, "CN=first");
    secrets_->reread();
    EXPECT_EQ(early->context()->identities()[0].facts().subject, "CN=second");
  });
}

TEST_F(SecretsTest, RefusesATimeThatIsNegative) {
  put(folder_, first_);
  put_yaml(folder_);
  tlsv3::DownstreamTlsContext in;
  auto& wanted = *in.mutable_common_tls_context()->add_tls_certificate_sds_secret_configs();
  wanted.set_name("server");
  wanted.mutable_sds_config()->mutable_path_config_source()->set_path(folder_ / "sds.yaml");
  wanted.mutable_sds_config()->mutable_initial_fetch_timeout()->set_seconds(-1);
  EXPECT_EQ(compile(in), nullptr);
  ASSERT_EQ(diagnostics_.items().size(), 1u);
  EXPECT_TRUE(diagnostics_.items()[0].field_path.ends_with("sds_config.initial_fetch_timeout"));
  wanted.mutable_sds_config()->mutable_initial_fetch_timeout()->set_seconds(1);
  EXPECT_NE(compile(in), nullptr);
}

TEST_F(SecretsTest, CountsTheDaysByItself) {
  put(folder_, first_);
  put_yaml(folder_);
  const auto tls = t_.run([&] {
    secrets_->watch(t_.loop());
    return compile();
  });
  ASSERT_NE(tls, nullptr);
  put(folder_, root_.issue({.common_name = "long", .valid_for_s = 9 * 86400 + 600}));
  // The authority's day is the shortest.
  EXPECT_TRUE(eventually([&] { return stats_.value("sds.server.update_success") == 1; }));
  write_file((folder_ / "ca.crt").string(),
             Certificate({.common_name = "root", .authority = true, .valid_for_s = 5 * 86400 + 600})
                 .pem());
  EXPECT_TRUE(
      eventually([&] { return stats_.value("server.days_until_first_cert_expiring") == 5; }));
}

TEST_F(SecretsTest, NamesWhatIsMissing) {
  const auto error = [&](const std::string& name) {
    diagnostics_ = {};
    EXPECT_EQ(compile({}, name), nullptr);
    return diagnostics_.items().empty() ? "" : diagnostics_.items()[0].message;
  };
  EXPECT_NE(error("server").find("cannot be opened"), std::string::npos) << error("server");
  EXPECT_EQ(diagnostics_.items()[0].file, (folder_ / "sds.yaml").string());
  put(folder_, first_);
  put_yaml(folder_);
  EXPECT_NE(error("sevrer").find("has no secret 'sevrer'"), std::string::npos);
  EXPECT_EQ(diagnostics_.items()[0].hint, "did you mean 'server'?");
  EXPECT_EQ(error("authorities"), "the secret 'authorities' is no tls_certificate");
}

// ---- files that the configuration names itself ----

class InPlace : public SecretsTest {
 protected:
  void SetUp() override {
    SecretsTest::SetUp();
    fs::create_directories(moved_);
    put(folder_, first_);
  }
  void TearDown() override {
    SecretsTest::TearDown();
    fs::remove_all(moved_);
  }
  std::shared_ptr<const ServerTls> compile_in_place(bool watched) {
    return t_.run([&] {
      tlsv3::DownstreamTlsContext in;
      auto& one = *in.mutable_common_tls_context()->add_tls_certificates();
      one.mutable_certificate_chain()->set_filename((folder_ / "tls.crt").string());
      one.mutable_private_key()->set_filename((folder_ / "tls.key").string());
      auto& trust = *in.mutable_common_tls_context()->mutable_validation_context();
      trust.mutable_trusted_ca()->set_filename((folder_ / "ca.crt").string());
      if (watched) {
        one.mutable_watched_directory()->set_path(moved_.string());
        trust.mutable_watched_directory()->set_path(moved_.string());
      }
      TransportSocket socket;
      socket.mutable_typed_config()->PackFrom(in);
      const FieldPath root = FieldPath::root("transport_socket");
      auto out = compile_downstream(socket, root, {*secrets_, diagnostics_, stats_}, "listener.");
      secrets_->watch(t_.loop());
      return out;
    });
  }
  void move_something() {
    write_file((folder_.string() + ".mark"), "x");
    fs::rename(folder_.string() + ".mark", moved_ / "mark");
  }
  std::string authority(const ServerTls& tls) {
    return t_.run([&] {
      const auto context = tls.context();  // of this moment
      return context->verifier()->rules().trusted->authorities()[0].subject;
    });
  }

  const fs::path moved_ = fs::path(::testing::TempDir()) / ("moved_" + std::to_string(getpid()));
};

TEST_F(InPlace, AMoveIntoTheWatchedDirectoryBringsNewFiles) {
  const auto tls = compile_in_place(true);
  ASSERT_NE(tls, nullptr) << diagnostics_.items()[0].message;
  EXPECT_EQ(shown(*tls), "CN=first");
  root_ = make_root("next root");
  put(folder_, second_);
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(shown(*tls), "CN=first") << "where the files are is not watched, as in Envoy";
  move_something();
  EXPECT_TRUE(eventually([&] { return shown(*tls) == "CN=second"; }));
  EXPECT_TRUE(eventually([&] { return authority(*tls) == "CN=next root"; }));
  EXPECT_TRUE(eventually(
      [&] { return logged().find("tls.key of " + moved_.string() + "'\n") != std::string::npos; }));
}

TEST_F(InPlace, WhatCannotBeUsedLeavesTheOldOne) {
  const auto tls = compile_in_place(true);
  ASSERT_NE(tls, nullptr);
  write_file((folder_ / "tls.key").string(), second_.key_pem());
  move_something();
  EXPECT_TRUE(eventually([&] { return logged().find("stay as they were") != std::string::npos; }));
  EXPECT_EQ(shown(*tls), "CN=first");
  write_file((folder_ / "tls.crt").string(), second_.pem());
  move_something();
  EXPECT_TRUE(eventually([&] { return shown(*tls) == "CN=second"; }));
}

TEST_F(InPlace, WithoutAWatchedDirectoryFilesAreReadOnce) {
  const auto tls = compile_in_place(false);
  ASSERT_NE(tls, nullptr);
  put(folder_, second_);
  move_something();
  std::this_thread::sleep_for(milliseconds(100));
  t_.run([&] { secrets_->reread(); });
  EXPECT_EQ(shown(*tls), "CN=first");
}

}  // namespace
}  // namespace weir::tls
