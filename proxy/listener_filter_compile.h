#pragma once

#include "proxy/hcm_compile.h"
#include "proxy/listener_config.h"

namespace envoy::config::listener::v3 {
class Listener;
}

namespace weir {

// The listener's filters and their timeout, and the filters that its chains need although they are
// not listed, as Envoy adds them. After the chains. Main thread.
void compile_listener_filters(const envoy::config::listener::v3::Listener& listener,
                              const config::FieldPath& path, const AppBuild& build,
                              ListenerConfig& out);

}  // namespace weir
