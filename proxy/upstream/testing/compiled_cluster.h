#pragma once

#include <memory>
#include <string>

#include "config/diagnostic.h"
#include "proxy/upstream/cluster_config.h"

namespace weir::upstream {

// A cluster named `c`, compiled from protobuf's text format, at the path `clusters[0]`.
struct Compiled {
  explicit Compiled(const std::string& text, const TlsBuild& tls = {});

  // The code, path and message of each problem, one a line.
  std::string problems() const;
  // A test that looks into a cluster with errors fails.
  const ClusterConfig* operator->() const;

  config::Diagnostics diagnostics;
  std::shared_ptr<const ClusterConfig> config;
};

// Expects exactly one problem: its code, its path below the cluster, and part of its message.
void expect_problem(const std::string& text, const std::string& code, const std::string& path,
                    const std::string& message = "");

// Pieces of text. `type` leaves "envoy.extensions." out; `extension` is what any() gives.
std::string any(const std::string& type, const std::string& body = "");
std::string endpoint(const std::string& address, int port, const std::string& more = "");
std::string assignment(const std::string& localities);
std::string policy(const std::string& extension, const std::string& name = "p");
std::string options(const std::string& body);  // HttpProtocolOptions

}  // namespace weir::upstream
