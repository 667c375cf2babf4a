#include "proxy/upstream/testing/compiled_cluster.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "config/field_path.h"
#include "envoy/config/cluster/v3/cluster.pb.h"

namespace weir::upstream {

Compiled::Compiled(const std::string& text, const TlsBuild& tls) {
  envoy::config::cluster::v3::Cluster cluster;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString("name: 'c' " + text, &cluster));
  const config::FieldPath root = config::FieldPath::root("clusters[0]");
  config = compile_cluster(cluster, root, diagnostics, {}, tls);
  EXPECT_EQ(config == nullptr, diagnostics.has_errors());
}

std::string Compiled::problems() const {
  std::string out;
  for (const config::Diagnostic& d : diagnostics.items())
    out += std::string(config::code_name(d.code)) + " " + d.field_path + ": " + d.message + "\n";
  return out;
}

const ClusterConfig* Compiled::operator->() const {
  EXPECT_NE(config, nullptr) << problems();
  static const ClusterConfig kNone;
  return config == nullptr ? &kNone : config.get();
}

void expect_problem(const std::string& text, const std::string& code, const std::string& path,
                    const std::string& message) {
  const Compiled c(text);
  ASSERT_EQ(c.diagnostics.items().size(), 1u) << text << "\n" << c.problems();
  const config::Diagnostic& d = c.diagnostics.items()[0];
  EXPECT_EQ(config::code_name(d.code), code) << c.problems();
  EXPECT_EQ(d.field_path, "clusters[0]." + path);
  EXPECT_NE(d.message.find(message), std::string::npos) << d.message;
}

std::string any(const std::string& type, const std::string& body) {
  return "[type.googleapis.com/envoy.extensions." + type + "] { " + body + " }";
}

std::string endpoint(const std::string& address, int port, const std::string& more) {
  return "lb_endpoints { endpoint { address { socket_address { address: '" + address +
         "' port_value: " + std::to_string(port) + " } } } " + more + " } ";
}

std::string assignment(const std::string& localities) {
  return "load_assignment { cluster_name: 'c' " + localities + " } ";
}

std::string policy(const std::string& extension, const std::string& name) {
  return "policies { typed_extension_config { name: '" + name + "' typed_config { " + extension +
         " } } } ";
}

std::string options(const std::string& body) {
  return "typed_extension_protocol_options { key: "
         "'envoy.extensions.upstreams.http.v3.HttpProtocolOptions' value { " +
         any("upstreams.http.v3.HttpProtocolOptions", body) + " } } ";
}

}  // namespace weir::upstream
