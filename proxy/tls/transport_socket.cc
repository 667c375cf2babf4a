#include "proxy/tls/transport_socket.h"

#include <google/protobuf/any.pb.h>

#include <utility>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "proxy/tls/read_key_log.h"
#include "proxy/tls/tls_settings.h"

namespace weir::tls {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::core::v3::TransportSocket;
using envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
using envoy::extensions::transport_sockets::tls::v3::CommonTlsContext;

// A context from its message. Null on errors, and while secrets are waited for.
template <class Context, class Config>
std::shared_ptr<const Context> make(const Config& config, const FieldPath& path,
                                    SettingsRead& read) {
  const size_t errors_before = read.diagnostics.error_count();
  const bool waits = waits_for_secrets(config, path, read);
  if (waits || read.diagnostics.error_count() != errors_before) return nullptr;
  auto settings = read_settings(config, path, read);
  if (!settings) return nullptr;
  Result<std::shared_ptr<const Context>> context = Context::make(std::move(*settings));
  if (context) return context.take();
  read.diagnostics.error(Code::kSemantic, path.field("common_tls_context"),
                         context.error().message);
  return nullptr;
}

template <class Context, class Config>
bool make_anew(const Config& config, const std::string& where, Secrets& secrets,
               Diagnostics& diagnostics, CurrentContext<Context>& current) {
  SettingsRead read{secrets, diagnostics, {}};
  const size_t errors_before = diagnostics.error_count();
  auto context = make<Context>(config, FieldPath::root(where), read);
  if (context == nullptr) return diagnostics.error_count() == errors_before;
  current.set(std::move(context));
  return true;
}

// Null without one, and on errors.
std::shared_ptr<const KeyLog> open_key_log(const CommonTlsContext& common, const FieldPath& path,
                                           const SocketBuild& build) {
  if (!common.has_key_log()) return nullptr;
  const FieldPath context = path.field("common_tls_context");
  const FieldPath field = context.field("key_log");
  if (build.logs != nullptr)
    return read_key_log(common.key_log(), field, build.diagnostics, *build.logs);
  build.diagnostics.error(Code::kNotSupported, field, "keys cannot be logged in this place");
  return nullptr;
}

// What a name alone stands for is not guessed: it could be nothing.
void refuse_untyped(const TransportSocket& socket, const FieldPath& path, Diagnostics& diagnostics,
                    const char* what) {
  diagnostics.error(Code::kSemantic, path,
                    socket.name().empty()
                        ? "no transport socket is given"
                        : "the transport socket '" + socket.name() + "' has no typed_config",
                    "add typed_config: " + std::string(what) + ", or RawBuffer for none");
}

// `Tls` is what holds a `Context` that is read from the message `Tls::Config`.
template <class Tls, class Context>
std::shared_ptr<const Tls> compile(const TransportSocket& socket, const FieldPath& path,
                                   const SocketBuild& build, const std::string& stat_prefix,
                                   const char* what) {
  if (is_raw_buffer(socket)) return nullptr;
  if (!socket.has_typed_config()) {
    refuse_untyped(socket, path, build.diagnostics, what);
    return nullptr;
  }
  const FieldPath field = path.field("typed_config");
  auto config = std::make_unique<typename Tls::Config>();
  if (!socket.typed_config().UnpackTo(config.get())) {
    build.diagnostics.error(Code::kNotSupported, field,
                            "Weir has no transport socket of this type here",
                            std::string(what) + " and RawBuffer are supported");
    return nullptr;
  }
  SettingsRead read{build.secrets, build.diagnostics, {}};
  const size_t errors_before = build.diagnostics.error_count();
  auto context = make<Context>(*config, field, read);
  auto key_log = open_key_log(config->common_tls_context(), field, build);
  if (build.diagnostics.error_count() != errors_before) return nullptr;
  auto out = std::make_shared<Tls>(std::move(config), field.str(), build, stat_prefix,
                                   std::move(context), std::move(key_log));
  build.secrets.add_user(out, std::move(read.files));
  return out;
}

void add(const Identity& identity, std::vector<CertificateEntry>& out) {
  for (const net::CertificateFacts& facts : identity.chain.facts)
    out.push_back({identity.path, facts, false});
}

void add(const Verifier* verifier, std::vector<CertificateEntry>& out) {
  if (verifier == nullptr) return;
  const auto add_store = [&](const TrustStore& store) {
    for (const net::CertificateFacts& facts : store.authorities())
      out.push_back({store.path(), facts, true});
  };
  if (verifier->rules().trusted != nullptr) add_store(*verifier->rules().trusted);
  for (const auto& [domain, store] : verifier->rules().trust_domains) add_store(*store);
}

}  // namespace

// ---- servers ----

ServerTls::ServerTls(std::unique_ptr<Config> config, std::string where, const SocketBuild& build,
                     const std::string& stat_prefix, std::shared_ptr<const ServerContext> context,
                     std::shared_ptr<const KeyLog> key_log)
    : config_(std::move(config)),
      where_(std::move(where)),
      secrets_(build.secrets),
      stats_(build.stats, stat_prefix),
      context_(std::move(context)),
      key_log_(std::move(key_log)) {}

ServerTls::~ServerTls() = default;

bool ServerTls::rebuild(Diagnostics& diagnostics) {
  return make_anew(*config_, where_, secrets_, diagnostics, context_);
}

std::vector<CertificateEntry> ServerTls::certificates() const {
  std::vector<CertificateEntry> out;
  const auto context = context_.get();
  if (context == nullptr) return out;
  for (const Identity& identity : context->identities()) add(identity, out);
  add(context->verifier(), out);
  return out;
}

// ---- clients ----

ClientTls::ClientTls(std::unique_ptr<Config> config, std::string where, const SocketBuild& build,
                     const std::string& stat_prefix, std::shared_ptr<const ClientContext> context,
                     std::shared_ptr<const KeyLog> key_log)
    : config_(std::move(config)),
      where_(std::move(where)),
      secrets_(build.secrets),
      stats_(build.stats, stat_prefix),
      context_(std::move(context)),
      key_log_(std::move(key_log)) {}

ClientTls::~ClientTls() = default;

bool ClientTls::rebuild(Diagnostics& diagnostics) {
  return make_anew(*config_, where_, secrets_, diagnostics, context_);
}

void ClientTls::log_keys(net::Connection& connection, const net::Address& remote) const {
  if (key_log_ != nullptr) key_log_->attach(*connection.tls(), connection.local_address(), remote);
}

std::vector<CertificateEntry> ClientTls::certificates() const {
  std::vector<CertificateEntry> out;
  const auto context = context_.get();
  if (context == nullptr) return out;
  if (context->identity()) add(*context->identity(), out);
  add(&context->verifier(), out);
  return out;
}

// ---- compiling ----

bool is_raw_buffer(const TransportSocket& socket) {
  return socket.has_typed_config() ? socket.typed_config().Is<RawBuffer>()
                                   : socket.name() == "envoy.transport_sockets.raw_buffer";
}

std::shared_ptr<const ServerTls> compile_downstream(const TransportSocket& socket,
                                                    const FieldPath& path, const SocketBuild& build,
                                                    const std::string& stat_prefix) {
  return compile<ServerTls, ServerContext>(socket, path, build, stat_prefix,
                                           "DownstreamTlsContext");
}

std::shared_ptr<const ClientTls> compile_upstream(const TransportSocket& socket,
                                                  const FieldPath& path, const SocketBuild& build,
                                                  const std::string& stat_prefix) {
  return compile<ClientTls, ClientContext>(socket, path, build, stat_prefix, "UpstreamTlsContext");
}

}  // namespace weir::tls
