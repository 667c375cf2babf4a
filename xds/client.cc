#include "xds/client.h"

#include <array>
#include <cassert>
#include <optional>
#include <utility>

#include "xds/answer.h"
#include "xds/back_off.h"
#include "xds/delta.h"
#include "xds/error_detail.h"
#include "xds/intake.h"
#include "xds/methods.h"
#include "xds/resource_table.h"
#include "xds/sotw.h"
#include "xds/token_bucket.h"

namespace weir::xds {
namespace {

// A control plane that does not wait for its answers to be acknowledged is cut off here.
constexpr size_t kMaxUnacknowledged = 1000;
// Acknowledgements go first; but one that must refuse answers for ever still gets its new
// subscriptions through the limit.
constexpr uint32_t kMaxAcknowledgementsInARow = 10;

std::unique_ptr<Dialogue> make_dialogue(bool delta, const ResourceTable& table) {
  if (delta) return std::make_unique<DeltaDialogue>(table);
  return std::make_unique<SotwDialogue>(table);
}

// All there is of one type.
struct Kind {
  Kind(ResourceType type, bool delta, ResourceHandler& its_handler)
      : table(type), dialogue(make_dialogue(delta, table)), handler(its_handler) {}

  ResourceType type() const { return table.type(); }
  // Before `other`: answers in the order in which they came, requests in that of the first ones.
  bool acknowledges_before(const Kind& other) const {
    return acknowledgement_order < other.acknowledgement_order;
  }

  ResourceTable table;
  std::unique_ptr<Dialogue> dialogue;
  ResourceHandler& handler;
  uint32_t pauses = 0;
  uint64_t acknowledgement_order = 0;
  bool was_subscribed = false;
  bool is_limited = false;  // told that a request waits because of the limit
};

}  // namespace

struct Client::State : public StreamEvents {
  State(Wire& the_wire, ClientOptions the_options)
      : wire(the_wire),
        options(std::move(the_options)),
        back_off(options.back_off_base_ms, options.back_off_max_ms),
        bucket(options.max_tokens, options.tokens_per_s) {}

  // Calls of handlers and of the owner may come back into the client; what is to be sent is then
  // sent when the outermost is through, gathered.
  class Turn {
   public:
    explicit Turn(State& state) : state_(state) { ++state_.depth; }
    ~Turn() {
      if (state_.depth == 1) {
        state_.send_due();
        state_.ask_to_be_woken();
      }
      --state_.depth;
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    State& state_;
  };

  void on_message(std::string_view bytes) override;
  void on_closed(const std::string& reason) override;

  Now now() { return {wire.now_ms(), wire.wall_ms()}; }
  Kind* kind(ResourceType type) const { return kinds[static_cast<size_t>(type)].get(); }
  void report(ResourceType type, Event event) const {
    if (options.on_event) options.on_event(type, event);
  }

  void open();
  void close(const std::string& reason);
  void take(const Answer& answer);
  void take_over(Kind& kind, const Answer& answer);
  void acknowledge(Kind& kind, const Answer& answer, std::string error);
  void tell_absent(Kind& kind, const std::vector<std::string>& names);
  void look_at_time(Kind& kind);

  Kind* next_due() const;
  void send_due();
  void send(Kind& kind);
  void ask_to_be_woken();

  Wire& wire;
  ClientOptions options;
  BackOff back_off;
  TokenBucket bucket;
  std::array<std::unique_ptr<Kind>, kResourceTypes> kinds;
  std::vector<Kind*> order;  // of their first subscriptions, in which they are repeated
  std::unique_ptr<Stream> stream;
  std::optional<int64_t> open_at_ms;
  std::string control_plane;
  uint64_t answers = 0;
  uint32_t acknowledgements_in_a_row = 0;
  int depth = 0;
  bool is_started = false;
  bool is_connected = false;
  bool is_away = false;  // and the owner was told so
  bool has_sent_node = false;
  bool is_limited = false;
};

void Client::State::open() {
  open_at_ms.reset();
  has_sent_node = false;
  for (Kind* const kind : order) kind->dialogue->reset();
  if (options.aggregated) {
    const std::string_view method = options.delta ? kAggregatedDelta : kAggregatedStream;
    stream = wire.open(kAggregatedService, method, *this);
    return;
  }
  if (order.empty()) return;  // opened by the first subscription
  const Methods& methods = methods_of(order.front()->type());
  stream = wire.open(methods.service, options.delta ? methods.delta : methods.stream, *this);
}

void Client::State::close(const std::string& reason) {
  stream.reset();
  open_at_ms = wire.now_ms() + back_off.next_ms(wire.random());
  const bool was_connected = std::exchange(is_connected, false);
  for (const Kind* const kind : order) {
    if (kind->table.is_subscribed()) report(kind->type(), Event::kFailure);
  }
  if (was_connected && options.on_connected) options.on_connected(false);
  if (!std::exchange(is_away, true) && options.on_away) options.on_away(reason);
}

void Client::State::on_closed(const std::string& reason) {
  const Turn turn(*this);
  close(reason);
}

void Client::State::on_message(std::string_view bytes) {
  const Turn turn(*this);
  const std::optional<Answer> answer = options.delta ? parse_delta(bytes) : parse_sotw(bytes);
  // There is no nonce to refuse it by.
  if (!answer) return close("it sent what is no discovery response");
  back_off.reset();
  is_away = false;
  if (!answer->control_plane.empty()) control_plane = answer->control_plane;
  if (!std::exchange(is_connected, true) && options.on_connected) options.on_connected(true);
  take(*answer);
}

void Client::State::take(const Answer& answer) {
  const std::optional<ResourceType> type = type_of_url(answer.type_url);
  Kind* const found = type ? kind(*type) : nullptr;
  // Nobody asked: as Envoy does, it is passed over.
  if (found == nullptr || !found->was_subscribed) return;
  if (found->dialogue->acknowledgements() >= kMaxUnacknowledged)
    return close("it does not wait for its answers to be acknowledged");
  take_over(*found, answer);
}

void Client::State::take_over(Kind& kind, const Answer& answer) {
  if (!kind.table.is_subscribed() && !answer.is_delta && !answer.items.empty()) {
    report(kind.type(), Event::kRejected);
    return acknowledge(kind, answer, "nothing of " + answer.type_url + " is subscribed to");
  }
  const Outcome outcome = take_in(answer, kind.table, kind.handler, [this] { return now(); });
  const std::string errors = joined(outcome.errors, kMaxErrorBytes);
  report(kind.type(), errors.empty() ? Event::kSuccess : Event::kRejected);
  if (!errors.empty() && options.on_rejected) options.on_rejected(kind.type(), errors);
  acknowledge(kind, answer, errors);
  tell_absent(kind, outcome.absent);
}

void Client::State::acknowledge(Kind& kind, const Answer& answer, std::string error) {
  if (!kind.dialogue->has_acknowledgement()) kind.acknowledgement_order = ++answers;
  kind.dialogue->acknowledge(answer.nonce, std::move(error));
}

void Client::State::tell_absent(Kind& kind, const std::vector<std::string>& names) {
  for (const std::string& name : names) kind.handler.on_absent(kind.type(), name);
}

void Client::State::look_at_time(Kind& kind) {
  const std::vector<std::string> late = kind.table.take_timeouts(now());
  for (size_t i = 0; i < late.size(); ++i) report(kind.type(), Event::kFetchTimeout);
  tell_absent(kind, late);
  const Update expired = kind.table.take_expired(now());
  // There is nothing in it to refuse.
  if (!expired.removed.empty()) static_cast<void>(kind.handler.apply(expired));
}

Kind* Client::State::next_due() const {
  Kind* best = nullptr;
  for (Kind* const kind : order) {
    if (kind->pauses > 0 || !kind->dialogue->has_acknowledgement()) continue;
    if (best == nullptr || kind->acknowledges_before(*best)) best = kind;
  }
  if (best != nullptr && acknowledgements_in_a_row < kMaxAcknowledgementsInARow) return best;
  for (Kind* const kind : order) {
    if (kind->pauses == 0 && kind->dialogue->has_request()) return kind;
  }
  return best;
}

void Client::State::send_due() {
  is_limited = false;
  while (stream != nullptr) {
    Kind* const kind = next_due();
    if (kind == nullptr) return;
    if (!bucket.take(wire.now_ms())) {
      is_limited = true;
      if (!std::exchange(kind->is_limited, true)) report(kind->type(), Event::kRateLimited);
      return;
    }
    send(*kind);
  }
}

void Client::State::send(Kind& kind) {
  kind.is_limited = false;
  acknowledgements_in_a_row =
      kind.dialogue->has_acknowledgement() ? acknowledgements_in_a_row + 1 : 0;
  const bool with_node = !has_sent_node || !options.node_on_first_message_only;
  has_sent_node = true;
  const std::string message = kind.dialogue->next(with_node ? options.node.get() : nullptr);
  // What is left takes its turn after those of other types.
  kind.acknowledgement_order = ++answers;
  report(kind.type(), Event::kAttempt);
  stream->send(message);
}

void Client::State::ask_to_be_woken() {
  std::optional<int64_t> when_ms = open_at_ms;
  const auto consider = [&](std::optional<int64_t> other_ms) {
    if (other_ms && (!when_ms || *other_ms < *when_ms)) when_ms = other_ms;
  };
  for (const Kind* const kind : order) consider(kind->table.next_deadline());
  if (is_limited) consider(bucket.ready_ms(wire.now_ms()));
  if (when_ms) wire.wake_at(*when_ms);
}

Client::Client(Wire& wire, ClientOptions options)
    : state_(std::make_unique<State>(wire, std::move(options))) {}

Client::~Client() = default;

void Client::set_handler(ResourceType type, ResourceHandler& handler) {
  auto& kind = state_->kinds[static_cast<size_t>(type)];
  assert(kind == nullptr);
  kind = std::make_unique<Kind>(type, state_->options.delta, handler);
}

void Client::start() {
  if (state_->is_started) return;
  const State::Turn turn(*state_);
  state_->is_started = true;
  state_->open();
}

void Client::subscribe(ResourceType type, const std::string& name,
                       int64_t initial_fetch_timeout_ms) {
  const State::Turn turn(*state_);
  Kind* const kind = state_->kind(type);
  assert(kind != nullptr);
  if (!kind->was_subscribed) {
    assert(state_->options.aggregated || state_->order.empty());
    kind->was_subscribed = true;
    state_->order.push_back(kind);
    const bool is_waiting_to_open = state_->is_started && state_->stream == nullptr;
    if (is_waiting_to_open && !state_->open_at_ms) state_->open();
  }
  if (!kind->table.subscribe(name, initial_fetch_timeout_ms, state_->now())) return;
  kind->dialogue->on_subscribed(name);
  if (state_->stream == nullptr) state_->report(type, Event::kAttempt);
}

void Client::unsubscribe(ResourceType type, const std::string& name) {
  const State::Turn turn(*state_);
  Kind* const kind = state_->kind(type);
  if (kind != nullptr && kind->table.unsubscribe(name)) kind->dialogue->on_unsubscribed(name);
}

void Client::refresh(ResourceType type, const std::string& name, int64_t timeout_ms) {
  const State::Turn turn(*state_);
  Kind* const kind = state_->kind(type);
  if (kind == nullptr || !kind->table.refresh(name, timeout_ms, state_->now())) return;
  kind->dialogue->on_refreshed(name);
}

void Client::pause(ResourceType type) {
  if (Kind* const kind = state_->kind(type)) ++kind->pauses;
}

void Client::resume(ResourceType type) {
  const State::Turn turn(*state_);
  Kind* const kind = state_->kind(type);
  if (kind != nullptr && kind->pauses > 0) --kind->pauses;
}

void Client::tick() {
  const State::Turn turn(*state_);
  if (state_->open_at_ms && state_->wire.now_ms() >= *state_->open_at_ms) state_->open();
  // A copy: what is told may subscribe to another type.
  const std::vector<Kind*> kinds = state_->order;
  for (Kind* const kind : kinds) state_->look_at_time(*kind);
}

bool Client::connected() const {
  return state_->is_connected;
}

std::vector<ResourceStatus> Client::status() const {
  std::vector<ResourceStatus> statuses;
  for (const Kind* const kind : state_->order) kind->table.append_status(statuses);
  return statuses;
}

std::string Client::version(ResourceType type) const {
  const Kind* const kind = state_->kind(type);
  return kind == nullptr ? std::string() : kind->table.version();
}

const std::string& Client::control_plane() const {
  return state_->control_plane;
}

}  // namespace weir::xds
