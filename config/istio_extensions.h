#pragma once

#include <string>
#include <string_view>

// The extensions of Istio's own that a proxy can do without: they tell of telemetry and of how
// Istio's proxies recognise each other. Those that protect something are not among them. What is
// lost without each: docs/xds.md.
namespace weir::config {

// Whether the extension of that full name, e.g. "stats.PluginConfig", may be left out.
bool is_istio_extension(std::string_view type);
// What to tell of one that is refused; empty if it is none of these.
std::string istio_hint(std::string_view type);
// Whether bytes of a message may name one at all, or a filter of which Istio wants too much (see
// remove_istio_extensions); most do not.
bool mentions_istio_part(std::string_view bytes);

}  // namespace weir::config
