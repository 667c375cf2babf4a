#include "proxy/file_link.h"

#include <utility>

#include "config/diagnostic_format.h"
#include "proxy/resource_reader.h"

namespace weir {

using xds::ResourceType;

FileLink::FileLink(net::Loop& loop, Logger& log, ResourceType type, xds::FileSourceOptions options,
                   std::string watched_directory)
    : loop_(loop),
      log_(log),
      type_(type),
      options_(std::move(options)),
      directory_(watched_directory.empty() ? net::parent_directory(options_.path)
                                           : std::move(watched_directory)),
      watch_(loop, [this] { read(); }),
      soon_(*this) {}

void FileLink::set_handler(ResourceType /*type*/, xds::ResourceHandler& handler) {
  xds::Clock& clock = *this;
  source_ = std::make_unique<xds::FileSource>(type_, options_, clock, handler);
  watch();
}

// A link of the path may lead elsewhere now.
void FileLink::watch() {
  if (!watch_.add(directory_))
    log_.warning(Component::kConfig, "cannot watch '", directory_, "' for changes of '",
                 options_.path, "'");
}

void FileLink::subscribe(ResourceType /*type*/, const std::string& name,
                         int64_t /*initial_fetch_timeout_ms*/) {
  source_->subscribe(name);
  soon_.set(loop_.timers(), loop_.now_ms());
}

void FileLink::unsubscribe(ResourceType /*type*/, const std::string& name) {
  source_->unsubscribe(name);
}

void FileLink::refresh(ResourceType /*type*/, const std::string& name, int64_t /*timeout_ms*/) {
  source_->refresh(name);
  soon_.set(loop_.timers(), loop_.now_ms());
}

void FileLink::on_timer(net::Timer& /*timer*/) {
  read();
}

void FileLink::read() {
  if (source_ == nullptr) return;
  watch();
  using Reading = xds::FileSource::Reading;
  config::Diagnostics diagnostics;
  const Reading reading = source_->reload(diagnostics);
  if (reading == Reading::kPartly)
    log_.error(Component::kConfig, "resources of '", options_.path,
               "' are refused, what was in force of them stays; the others are in force: ",
               config::format_text(diagnostics, false));
  if (reading == Reading::kRefused)
    log_.error(Component::kConfig, "'", options_.path, "' is refused, what it said before stays: ",
               config::format_text(diagnostics, false));
}

std::vector<xds::ResourceStatus> FileLink::status() const {
  return source_ == nullptr ? std::vector<xds::ResourceStatus>() : source_->status();
}

}  // namespace weir
