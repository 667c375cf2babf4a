// Every case of RFC 9113 and RFC 7541 that the codec is tested with, through the whole proxy: in
// the clear (prior knowledge) and through TLS (ALPN).
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "proxy/http/testing/h2_message_cases.h"
#include "proxy/http/testing/h2_peer.h"
#include "proxy/tls/testing/certificates.h"
#include "proxy/tls/testing/sessions.h"
#include "tests/h2/tls_tunnel.h"
#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace http::h2::testing;
using http::h2::testing::Case;
using http::h2::testing::Outcome;
using http::h2::testing::Peer;

std::string indented(const std::string& text, const std::string& by) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out += by + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

// A connection to the proxy, either way.
struct Client {
  explicit Client(net::RawSocket socket) : peer(std::move(socket)) {}
  explicit Client(std::unique_ptr<TlsTunnel> made)
      : tunnel(std::move(made)), peer(tunnel->take_socket()) {}

  std::unique_ptr<TlsTunnel> tunnel;
  Peer peer;
};

class H2Conformance : public testing::TestWithParam<bool> {
 protected:
  H2Conformance()
      : certificate_(tls::testing::Wanted{.common_name = "weir", .dns = {"a.example"}}),
        context_(tls::testing::bare_client()),
        proxy_(start("")) {
    static constexpr uint8_t kOffer[] = {2, 'h', '2'};
    SSL_CTX_set_alpn_protos(context_.get(), kOffer, sizeof(kOffer));
  }

  // `hcm`: lines of the connection manager.
  Proxy start(const std::string& hcm) {
    ProxyBuilder builder = weir().upstream(app_).with("hcm", hcm);
    if (GetParam())
      builder.with("chain",
                   "transport_socket:\n"
                   "  name: tls\n"
                   "  typed_config:\n"
                   "    \"@type\": type.googleapis.com/"
                   "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n"
                   "    common_tls_context:\n"
                   "      alpn_protocols: [h2]\n"
                   "      tls_certificates:\n"
                   "      - certificate_chain:\n"
                   "          inline_string: |\n" +
                       indented(certificate_.pem(), "            ") +
                       "        private_key:\n"
                       "          inline_string: |\n" +
                       indented(certificate_.key_pem(), "            "));
    return builder.start();
  }
  Client connect() { return connect(proxy_); }
  Client connect(const Proxy& to) {
    net::RawSocket socket =
        net::RawSocket::connect(net::Address::ip("127.0.0.1", to.port()).take());
    if (!GetParam()) return Client(std::move(socket));
    auto tunnel = std::make_unique<TlsTunnel>(std::move(socket), *context_);
    EXPECT_TRUE(tunnel->shaken());
    EXPECT_EQ(tunnel->alpn(), "h2");
    return Client(std::move(tunnel));
  }
  // Past the preface and the first SETTINGS.
  Client open() {
    Client client = connect();
    client.peer.send(kPreface + settings());
    client.peer.wait_for(kSettings);
    return client;
  }
  void check(const Case& one) {
    SCOPED_TRACE(one.name);
    Client client = open();
    client.peer.send(one.bytes);
    Frame first = client.peer.first_error();
    if (one.resets_before(first)) first = client.peer.first_error();
    if (one.outcome == Outcome::kFine) {
      EXPECT_EQ(first.type, 0xff) << "type " << int{first.type} << " code " << first.error_code();
      EXPECT_FALSE(client.peer.ended);
      return;
    }
    EXPECT_EQ(first.type, one.outcome == Outcome::kConnection ? kGoaway : kRstStream);
    EXPECT_EQ(first.error_code(), one.code);
    if (one.outcome == Outcome::kConnection) {
      EXPECT_TRUE(client.peer.closes());
    } else {
      EXPECT_EQ(first.stream, one.stream);
      EXPECT_TRUE(client.peer.sync());
    }
  }
  void check_refused(const NamedBytes& cases) {
    for (const auto& [what, bytes] : cases) {
      SCOPED_TRACE(what);
      Client client = open();
      client.peer.send(bytes);
      // As Envoy does by default: the whole connection, not the stream alone.
      EXPECT_EQ(client.peer.wait_for(kGoaway).error_code(), NGHTTP2_PROTOCOL_ERROR);
      EXPECT_TRUE(client.peer.closes());
    }
  }

  TestUpstream app_;
  const tls::testing::Certificate certificate_;
  bssl::UniquePtr<SSL_CTX> context_;
  Proxy proxy_;
};

TEST_P(H2Conformance, ARequestIsAnswered) {
  Client client = open();
  client.peer.send(get(1));
  EXPECT_EQ(client.peer.wait_for(kHeaders).get(":status"), "200");
  EXPECT_EQ(client.peer.body(1), "ok");
  client.peer.send(request(3, false, {}, "POST") + data(3, "x", false) +
                   frame(kHeaders, kRequestFlags, 3, line("t", "v")));
  EXPECT_EQ(client.peer.wait_for(kHeaders, 3u).get(":status"), "200");
}

TEST_P(H2Conformance, Prefaces) {
  Client client = connect();
  client.peer.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + settings());
  EXPECT_TRUE(client.peer.closes());
  Client other = connect();
  other.peer.send(kPreface + ping());
  EXPECT_EQ(other.peer.wait_for(kGoaway).error_code(), NGHTTP2_PROTOCOL_ERROR);
  EXPECT_TRUE(other.peer.closes());
}

TEST_P(H2Conformance, Frames) {
  for (const Case& one : kCases) check(one);
  EXPECT_EQ(proxy_.get("/").status, GetParam() ? 0 : 200) << "nothing of it hurt the proxy";
}

TEST_P(H2Conformance, NothingComesOnAStreamThatEnded) {
  for (const auto& [bytes, code] :
       {std::pair(get(1), kClosed), std::pair(data(1, "x", true), kClosed),
        std::pair(frame(kContinuation, kEndHeaders, 1, kGetSection), kProtocol)}) {
    Client client = open();
    client.peer.send(get(1));
    EXPECT_EQ(client.peer.body(1), "ok");
    client.peer.send(bytes);
    EXPECT_EQ(client.peer.wait_for(kGoaway).error_code(), code);
    EXPECT_TRUE(client.peer.closes());
  }
}

TEST_P(H2Conformance, LittleThingsMayComeOnAStreamThatEnded) {
  Client client = open();
  client.peer.send(get(1));
  EXPECT_EQ(client.peer.body(1), "ok");
  client.peer.send(window_update(1, 5) + rst(1, 8) + frame(kPriority, 0, 1, priority(0)) + get(3));
  EXPECT_EQ(client.peer.body(3), "ok");
}

TEST_P(H2Conformance, NoMoreStreamsThanAllowed) {
  Client client = open();
  std::string bytes;
  for (uint32_t i = 0; i <= 100; ++i) bytes += post(2 * i + 1);
  client.peer.send(bytes);
  const Frame error = client.peer.first_error();
  EXPECT_EQ(error.type, kRstStream);
  EXPECT_EQ(error.stream, 201u);
  EXPECT_EQ(error.error_code(), NGHTTP2_REFUSED_STREAM);
}

TEST_P(H2Conformance, NothingIsSentBeyondWindows) {
  Client client = open();
  client.peer.send(settings(setting(4, 1)) + get(1));
  EXPECT_EQ(client.peer.wait_for(kData).payload, "o");
  EXPECT_TRUE(client.peer.sync());
  client.peer.send(settings(setting(4, 0)) + window_update(1, 1));
  EXPECT_TRUE(client.peer.sync());
  client.peer.send(window_update(1, 1));
  EXPECT_EQ(client.peer.wait_for(kData).payload, "k");
}

TEST_P(H2Conformance, MessagesThatAreNone) {
  for (const NamedBytes* cases : {&kBadPseudoHeaders, &kBadNamesAndValues, &kBadConnectionHeaders,
                                  &kBadContentLength, &kBadTrailers, &kBadConnect})
    check_refused(*cases);
}

// RFC 9298: extended CONNECT alone lets no UDP through.
TEST_P(H2Conformance, ConnectUdpNeedsItsOwnConfiguration) {
  const Proxy other = start(
      "http2_protocol_options: {allow_connect: true}\n"
      "upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: CONNECT}]");
  Client client = connect(other);
  client.peer.send(kPreface + settings() +
                   headers({{":method", "CONNECT"},
                            {":protocol", "connect-udp"},
                            {":scheme", "https"},
                            {":authority", "a.example"},
                            {":path", "/.well-known/masque/udp/192.0.2.6/443/"},
                            {"capsule-protocol", "?1"}},
                           kEndHeaders));
  EXPECT_EQ(client.peer.wait_for(kHeaders, 1u).get(":status"), "403");
  EXPECT_EQ(app_.requests(), 0);
}

TEST_P(H2Conformance, CompressionThatIsWrong) {
  for (const auto& [what, bytes] : kBadCompression) {
    SCOPED_TRACE(what);
    Client client = open();
    client.peer.send(bytes);
    EXPECT_EQ(client.peer.wait_for(kGoaway).error_code(), NGHTTP2_COMPRESSION_ERROR);
    EXPECT_TRUE(client.peer.closes());
  }
  EXPECT_EQ(app_.requests(), 0);
}

TEST_P(H2Conformance, WhatIsFineIsAnswered) {
  for (const NamedBytes* cases : {&kGoodMessages, &kGoodCompression})
    for (const auto& [what, bytes] : *cases) {
      SCOPED_TRACE(what);
      Client client = open();
      client.peer.send(bytes);
      EXPECT_EQ(client.peer.wait_for(kHeaders, 1u).get(":status"), "200");
      EXPECT_EQ(client.peer.first_error().type, 0xff);
    }
}

// RFC 7541 4.2: who is told to remember less says so before the next line, and remembers less.
TEST_P(H2Conformance, OurCompressionKeepsToTheirTable) {
  Client client = open();
  client.peer.send(settings(setting(1, 0)) + get(1));
  const Frame first = client.peer.wait_for(kHeaders, 1u);
  EXPECT_TRUE(first.payload.starts_with('\x20')) << "a table of no bytes";
  client.peer.send(get(3));
  const Frame second = client.peer.wait_for(kHeaders, 3u);
  EXPECT_EQ(second.get(":status"), "200");
  EXPECT_EQ(second.get("server"), first.get("server"));
}

// RFC 9113 6.5.3, 6.7: both are answered, and a PING with its bytes.
TEST_P(H2Conformance, SettingsAndPingsAreAnswered) {
  Client client = open();
  client.peer.wait_for([](const Frame& at) { return at.type == kSettings && at.flags == kAck; });
  client.peer.send(settings(setting(3, 100) + setting(4, 100)) + ping("abcdefgh"));
  const Frame answer = client.peer.wait_for(kPing);
  EXPECT_EQ(answer.flags, kAck);
  EXPECT_EQ(answer.payload, "abcdefgh");
  const auto ack = [](const Frame& at) { return at.type == kSettings && at.flags == kAck; };
  const bool before = std::count_if(client.peer.seen.begin(), client.peer.seen.end(), ack) == 2;
  EXPECT_TRUE(before || client.peer.wait_for(ack).type == kSettings);
}

// RFC 9113 6.9.2: a window may be negative, and is no window until it is positive again.
TEST_P(H2Conformance, AWindowMayBeNegative) {
  Client client = open();
  client.peer.send(settings(setting(4, 1)) + get(1));
  EXPECT_EQ(client.peer.wait_for(kData).payload, "o");
  client.peer.send(settings(setting(4, 0)) + window_update(1, 1));
  EXPECT_TRUE(client.peer.sync());
  for (const Frame& at : client.peer.seen) EXPECT_FALSE(at.type == kData && at.payload != "o");
  client.peer.send(settings(setting(4, 1)));
  EXPECT_EQ(client.peer.wait_for(kData).payload, "k");
}

TEST_P(H2Conformance, CompressionInEveryForm) {
  const std::string never = "\x10" + hpack_text("x-a") + hpack_text("1");
  const std::string indexed_name = std::string("\x0f\x2b", 2) + hpack_text("agent");  // user-agent
  Client client = open();
  client.peer.send(frame(kHeaders, kRequestFlags, 1,
                         table_size(0) + table_size(4096) + kIndexedGet + "\x41" +
                             hpack_text("a.example") + indexed_line("x-kept", "v") + never +
                             indexed_name));
  EXPECT_EQ(client.peer.body(1), "ok");
  EXPECT_NE(app_.last_request().find("x-a: 1\r\n"), std::string::npos) << app_.last_request();
  EXPECT_NE(app_.last_request().find("user-agent: agent\r\n"), std::string::npos);
  client.peer.send(frame(kHeaders, kRequestFlags, 3, kIndexedGet + index(63) + index(62)));
  EXPECT_EQ(client.peer.body(3), "ok");
  EXPECT_NE(app_.last_request().find("x-kept: v\r\n"), std::string::npos) << app_.last_request();
}

std::string transport(const testing::TestParamInfo<bool>& info) {
  return info.param ? "Tls" : "Cleartext";
}
INSTANTIATE_TEST_SUITE_P(All, H2Conformance, testing::Bool(), transport);

}  // namespace
}  // namespace weir::test
