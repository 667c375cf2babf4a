#include "proxy/rest_link.h"

#include <optional>
#include <utility>

#include "config/diagnostic_format.h"
#include "proxy/upstream/http_call.h"

namespace weir {
namespace {

using xds::Event;
using xds::ResourceType;

// As of gRPC: no control plane needs more, and a broken one must not take all memory.
constexpr size_t kMaxBodyBytes = 64 * 1024 * 1024;

}  // namespace

// One POST. Without a cluster it fails in the loop's next turn.
class RestLink::Exchange : public xds::RestExchange, private net::Timer::Owner {
 public:
  Exchange(RestLink& link, Done done) : link_(link), done_(std::move(done)), timer_(*this) {}

  void start(upstream::WorkerCluster* cluster, const xds::RestRequest& request) {
    net::Loop& loop = link_.needs_.loop;
    if (cluster == nullptr) return timer_.set(loop.timers(), loop.now_ms());
    call_.emplace(*cluster, loop, kMaxBodyBytes, [this](const upstream::HttpReply& reply) {
      tell({reply.status, reply.body, reply.error});
    });
    call_->post(request.path, "application/json", request.body);
  }

 private:
  void on_timer(net::Timer& /*timer*/) override {
    tell({0, {}, "there is no cluster '" + link_.cluster_ + "' at present"});
  }
  // Ends this object.
  void tell(const xds::RestResponse& response) {
    const Done done = std::move(done_);
    done(response);
  }

  RestLink& link_;
  Done done_;
  net::Timer timer_;
  std::optional<upstream::HttpCall> call_;  // empty: there is no cluster
};

RestLink::RestLink(Needs needs, ResourceType type, std::string cluster,
                   xds::RestSourceOptions options)
    : needs_(std::move(needs)),
      type_(type),
      cluster_(std::move(cluster)),
      options_(std::move(options)),
      timer_(*this) {
  options_.on_problem = [this](const config::Diagnostics& problem) { on_problem(problem); };
  options_.on_event = [this, counted = std::move(options_.on_event)](ResourceType, Event event) {
    if (event == Event::kFailure) connected_ = false;
    if (counted) counted(type_, event);
  };
}

void RestLink::start() {
  if (std::exchange(started_, true) || source_ == nullptr) return;
  source_->start();
}

void RestLink::set_handler(ResourceType /*type*/, xds::ResourceHandler& handler) {
  xds::Clock& clock = *this;
  source_ = std::make_unique<xds::RestSource>(
      type_, options_, clock,
      [this](const xds::RestRequest& request, Done done) { return post(request, std::move(done)); },
      handler);
  if (started_) source_->start();
}

void RestLink::subscribe(ResourceType /*type*/, const std::string& name,
                         int64_t initial_fetch_timeout_ms) {
  source_->subscribe(name, initial_fetch_timeout_ms);
}

void RestLink::unsubscribe(ResourceType /*type*/, const std::string& name) {
  source_->unsubscribe(name);
}

void RestLink::refresh(ResourceType /*type*/, const std::string& name, int64_t timeout_ms) {
  source_->refresh(name, timeout_ms);
}

std::unique_ptr<xds::RestExchange> RestLink::post(const xds::RestRequest& request, Done done) {
  auto exchange = std::make_unique<Exchange>(
      *this, [this, done = std::move(done)](const xds::RestResponse& response) {
        constexpr int kOk = 200, kNotModified = 304;
        const bool answered = response.status == kOk || response.status == kNotModified;
        if (answered && !std::exchange(connected_, true))
          needs_.log.info(Component::kConfig, "control plane '", cluster_, "' answers polls for ",
                          xds::short_name(type_));
        all_well_ = true;
        done(response);
        if (all_well_) problem_.clear();
      });
  exchange->start(needs_.find_cluster(cluster_), request);
  return exchange;
}

// Polls go on and on: what is wrong with all of them is said once.
void RestLink::on_problem(const config::Diagnostics& diagnostics) {
  all_well_ = false;
  std::string text = config::format_text(diagnostics, false);
  if (text == problem_) return;
  problem_ = std::move(text);
  needs_.log.warning(Component::kConfig, "polls of control plane '", cluster_, "' for ",
                     xds::short_name(type_), "; what it sent last stays in force: ", problem_);
}

std::vector<xds::ResourceStatus> RestLink::status() const {
  return source_ == nullptr ? std::vector<xds::ResourceStatus>() : source_->status();
}

}  // namespace weir
