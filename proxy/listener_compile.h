#pragma once

#include <memory>

#include "proxy/hcm_compile.h"
#include "proxy/listener_config.h"

namespace envoy::config::listener::v3 {
class Listener;
}

namespace weir {

// Null on errors, which are then in the diagnostics. Chains that are as they were in `old`, which
// may be null, are the same objects in what is returned. Main thread.
std::shared_ptr<const ListenerConfig> compile_listener(
    const envoy::config::listener::v3::Listener& listener, const config::FieldPath& path,
    const AppBuild& build, const ListenerConfig* old = nullptr);

// A socket at one of the listener's addresses, bound and, if so wanted, listening.
Result<int> open_socket(const net::Address& address, const ListenerConfig& config,
                        bool listening = true);

}  // namespace weir
