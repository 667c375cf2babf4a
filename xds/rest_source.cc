#include "xds/rest_source.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <utility>

#include "config/resolve.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "xds/error_detail.h"
#include "xds/intake.h"
#include "xds/methods.h"

namespace weir::xds {
namespace {

constexpr int kOk = 200;
constexpr int kNotModified = 304;

void add_error(std::string message, const std::string& path, config::Diagnostics& diagnostics,
               config::Code code = config::Code::kSemantic) {
  config::Diagnostic diagnostic;
  diagnostic.code = code;
  diagnostic.file = path;
  diagnostic.message = std::move(message);
  diagnostics.add(std::move(diagnostic));
}

std::string first_error(const config::Diagnostics& diagnostics) {
  for (const config::Diagnostic& item : diagnostics.items()) {
    if (item.severity != config::Severity::kError) continue;
    return item.field_path.empty() ? item.message : item.field_path + ": " + item.message;
  }
  return "is refused";
}

}  // namespace

RestSource::RestSource(ResourceType type, RestSourceOptions options, Clock& clock, RestPost post,
                       ResourceHandler& handler)
    : options_(std::move(options)),
      clock_(clock),
      post_(std::move(post)),
      handler_(handler),
      table_(type) {
  options_.refresh_delay_ms = std::max<int64_t>(options_.refresh_delay_ms, 1);
}

void RestSource::start() {
  is_started_ = true;
  if (table_.is_subscribed() && exchange_ == nullptr) poll_at_ms_ = clock_.now_ms();
  ask_to_be_woken();
}

void RestSource::subscribe(const std::string& name, int64_t initial_fetch_timeout_ms) {
  if (table_.subscribe(name, initial_fetch_timeout_ms, now())) poll_soon();
  ask_to_be_woken();
}

void RestSource::refresh(const std::string& name, int64_t timeout_ms) {
  if (table_.refresh(name, timeout_ms, now())) poll_soon();
  ask_to_be_woken();
}

void RestSource::poll_soon() {
  if (!is_started_) return;
  is_changed_ = true;
  if (exchange_ == nullptr) poll_at_ms_ = clock_.now_ms();
}

void RestSource::unsubscribe(const std::string& name) {
  table_.unsubscribe(name);
  if (table_.is_subscribed()) return;
  exchange_.reset();
  poll_at_ms_.reset();
  give_up_at_ms_.reset();
}

void RestSource::tick() {
  const int64_t now_ms = clock_.now_ms();
  if (give_up_at_ms_ && now_ms >= *give_up_at_ms_) {
    exchange_.reset();
    fail("there was no response within " + std::to_string(options_.request_timeout_ms) + " ms");
    wait();
  }
  const std::vector<std::string> late = table_.take_timeouts(now());
  for (size_t i = 0; i < late.size(); ++i) report(Event::kFetchTimeout);
  tell_absent(late);
  const Update expired = table_.take_expired(now());
  // There is nothing in it to refuse.
  if (!expired.removed.empty()) static_cast<void>(handler_.apply(expired));
  if (poll_at_ms_ && now_ms >= *poll_at_ms_) poll();
  ask_to_be_woken();
}

std::string RestSource::request_body() {
  envoy::service::discovery::v3::DiscoveryRequest request;
  request.set_version_info(table_.version());
  request.set_type_url(std::string(type_url(table_.type())));
  if (options_.node != nullptr) *request.mutable_node() = *options_.node;
  const std::vector<std::string> names = table_.names();
  if (table_.wildcard() && !names.empty()) request.add_resource_names(std::string(kWildcard));
  for (const std::string& name : names) request.add_resource_names(name);
  if (!error_.empty()) fill_error_detail(error_, *request.mutable_error_detail());
  error_.clear();
  google::protobuf::util::JsonPrintOptions print;
  print.preserve_proto_field_names = true;
  std::string body;
  // What fails here is a node that no bootstrap can hold.
  if (!google::protobuf::util::MessageToJsonString(request, &body, print).ok()) body.clear();
  return body;
}

void RestSource::poll() {
  poll_at_ms_.reset();
  is_changed_ = false;
  give_up_at_ms_ = clock_.now_ms() + std::max<int64_t>(options_.request_timeout_ms, 1);
  report(Event::kAttempt);
  const RestRequest request{std::string(methods_of(table_.type()).rest_path), request_body()};
  exchange_ = post_(request, [this](const RestResponse& response) { on_response(response); });
}

void RestSource::on_response(const RestResponse& response) {
  give_up_at_ms_.reset();
  const std::unique_ptr<RestExchange> over = std::move(exchange_);
  if (response.status == kOk) {
    take(response.body);
  } else if (response.status == 0) {
    fail(response.error);
  } else if (response.status != kNotModified) {
    fail("status " + std::to_string(response.status));
  } else if (!is_changed_) {
    // Also what was asked for again is as it was.
    const std::vector<std::string> same = table_.take_refreshing();
    if (!same.empty()) handler_.on_unchanged(table_.type(), same);
  }
  wait();
  ask_to_be_woken();
}

void RestSource::take(const std::string& body) {
  const std::string path(methods_of(table_.type()).rest_path);
  config::Diagnostics diagnostics;
  const std::optional<Answer> answer =
      parse_response(table_.type(), TextForm::kJson, path, body, options_.text, diagnostics);
  Outcome outcome;
  if (answer) {
    outcome = take_in(*answer, table_, handler_, [this] { return now(); });
    for (const Rejection& error : outcome.errors) add_error(text_of(error), path, diagnostics);
  }
  const bool is_good = !diagnostics.has_errors();
  report(is_good ? Event::kSuccess : Event::kRejected);
  config::resolve_positions(diagnostics);
  if (!is_good) error_ = answer ? joined(outcome.errors, kMaxErrorBytes) : first_error(diagnostics);
  if (!diagnostics.items().empty() && options_.on_problem) options_.on_problem(diagnostics);
  tell_absent(outcome.absent);
  if (!answer) tell_absent(table_.take_waiting(error_, now()));
}

void RestSource::fail(const std::string& reason) {
  give_up_at_ms_.reset();
  report(Event::kFailure);
  if (!options_.on_problem) return;
  config::Diagnostics diagnostics;
  add_error(reason, std::string(methods_of(table_.type()).rest_path), diagnostics,
            config::Code::kIo);
  options_.on_problem(diagnostics);
}

void RestSource::wait() {
  if (!table_.is_subscribed()) return;
  const auto jitter_ms =
      static_cast<int64_t>(clock_.random() % static_cast<uint64_t>(options_.refresh_delay_ms));
  poll_at_ms_ = clock_.now_ms();
  if (!is_changed_) *poll_at_ms_ += options_.refresh_delay_ms + jitter_ms;
}

void RestSource::ask_to_be_woken() {
  std::optional<int64_t> when_ms;
  for (const std::optional<int64_t>& at_ms :
       {poll_at_ms_, give_up_at_ms_, table_.next_deadline()}) {
    if (at_ms && (!when_ms || *at_ms < *when_ms)) when_ms = at_ms;
  }
  if (when_ms) clock_.wake_at(*when_ms);
}

void RestSource::report(Event event) const {
  if (options_.on_event) options_.on_event(table_.type(), event);
}

void RestSource::tell_absent(const std::vector<std::string>& names) {
  for (const std::string& name : names) handler_.on_absent(table_.type(), name);
}

std::vector<ResourceStatus> RestSource::status() const {
  std::vector<ResourceStatus> statuses;
  table_.append_status(statuses);
  return statuses;
}

}  // namespace weir::xds
