#include "tests/smuggling/corpus_runner.h"

#include <algorithm>

#include "tests/harness/case_expectation.h"
#include "tests/harness/escape.h"

namespace weir::test {
namespace {

constexpr char kSentinel[] = "/sentinel";
const std::string kSentinelRequest =
    std::string("GET ") + kSentinel + " HTTP/1.1\r\nHost: sentinel\r\n\r\n";

std::string input_of(const Wire& wire) {
  return "\n  the client has \"" + readable(wire.input()) + '"' +
         (wire.ended() ? " and was closed" : " and is open");
}

bool lists(const Step& step, const std::string& word) {
  return std::find(step.words.begin() + 1, step.words.end(), word) != step.words.end();
}

}  // namespace

CorpusRun::CorpusRun(CaseStage& stage, const CaseFile& file, const Case& test_case, bool split)
    : stage_(stage),
      file_(file),
      case_(test_case),
      upstream_(stage),
      client_(connect_to_loopback(stage.weir().port())),
      exchange_(
          [this] {
            Exchange::Wires wires = upstream_.wires();
            wires.push_back(&client_);
            if (other_client_ != nullptr) wires.push_back(other_client_.get());
            return wires;
          },
          {&stage.listener(0)}, [this](size_t) { upstream_.accept(); }) {
  if (split) client_.split_writes();
}

std::string CorpusRun::run() {
  std::string problem = step_named("answers") != nullptr ? run_response_case() : run_request_case();
  const std::string end = wind_up();
  if (problem.empty()) problem = end;
  if (problem.empty()) return "";
  return file_.path + ':' + std::to_string(case_.line) + ": " + problem;
}

const Step* CorpusRun::step_named(std::string_view first_word) const {
  for (const Step& step : case_.steps)
    if (step.words[0] == first_word) return &step;
  return nullptr;
}

size_t CorpusRun::steps_named(std::string_view first_word) const {
  return static_cast<size_t>(
      std::count_if(case_.steps.begin(), case_.steps.end(),
                    [&](const Step& step) { return step.words[0] == first_word; }));
}

std::string CorpusRun::send_bytes() {
  const Step* sends = step_named("sends");
  if (sends == nullptr) {
    client_.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    return "";
  }
  std::string error;
  const std::string bytes = message_bytes(sends->block, lists(*sends, "raw"), error);
  method_ = bytes.substr(0, bytes.find(' '));
  client_.send(bytes);
  if (step_named("finishes") != nullptr) client_.finish_sending();
  return error;
}

// ---- what a client sends

std::string CorpusRun::run_request_case() {
  if (std::string error = send_bytes(); !error.empty()) return error;
  if (std::string problem = expect_forwards(); !problem.empty()) return problem;
  for (const char* kind : {"reject", "abort"})
    if (const Step* step = step_named(kind)) return expect_refusal(*step);
  if (step_named("forward") == nullptr) return "a case ends in reject, abort or forward";
  return expect_going_on();
}

// The requests that must reach the upstream, each answered with 200.
std::string CorpusRun::expect_forwards() {
  for (const Step& step : case_.steps) {
    if (step.words[0] != "forward") continue;
    Message response;
    const std::string method =
        step.block.empty() ? "GET" : step.block[0].substr(0, step.block[0].find(' '));
    if (!read_response(client_, method, response) || response.status != 200)
      return "request " + std::to_string(expected_requests_ + 1) + " was not answered with 200" +
             input_of(client_) + check_upstream();
    if (upstream_.requests().size() <= expected_requests_) return "the upstream saw no request";
    std::string error;
    const Message& got = upstream_.requests()[expected_requests_++].message;
    const auto differences =
        Expectation::parse(step.block, lists(step, "exactly"), error).compare(got, true);
    if (!error.empty()) return error;
    if (!differences.empty()) return "what the upstream got differs: " + differences[0];
  }
  return "";
}

// A refusal in place of the next request: an allowed status or a bare close, the connection ends,
// and the upstream learns nothing (`reject`) or never all of it (`abort`).
std::string CorpusRun::expect_refusal(const Step& step) {
  Message response;
  exchange_.run_until([&] {
    upstream_.serve();
    parse_response(client_.input(), {"GET", false}, response);
    return client_.ended() || response.status / 100 == 2;
  });
  if (!client_.ended()) return "the connection was not closed" + input_of(client_);
  const ParseResult result = parse_response(client_.input(), {"GET", true}, response);
  if (result.parsed == Parsed::kNothing && client_.input().empty()) {
    if (!lists(step, "close")) return "closed without a response";
  } else if (result.parsed != Parsed::kComplete) {
    return "the response is not whole: " + result.error + input_of(client_);
  } else if (!lists(step, std::to_string(response.status))) {
    return "refused with " + std::to_string(response.status) + input_of(client_);
  } else if (response.wire_bytes != client_.input().size()) {
    return "more than one response" + input_of(client_);
  }
  if (step.words[0] == "reject" && !upstream_.unfinished().empty())
    return "the upstream got \"" + readable(upstream_.unfinished()) + '"';
  if (!exchange_.run_until([&] { return upstream_.unfinished_are_closed(); }))
    return "the upstream's connection with half a request stays open";
  return probe();
}

// After good requests the connection serves the next one, or was closed as the case says.
std::string CorpusRun::expect_going_on() {
  if (step_named("closed") != nullptr) {
    exchange_.run_until([&] { return client_.ended(); });
    if (!client_.ended() || !client_.input().empty())
      return "the connection was not closed" + input_of(client_);
    return probe();
  }
  client_.send(kSentinelRequest);
  Message response;
  if (!read_response(client_, "GET", response) || response.status != 200)
    return "the next request was not answered" + input_of(client_) + check_upstream();
  if (!client_.input().empty()) return "more responses than requests" + input_of(client_);
  ++expected_requests_;
  return check_upstream();
}

// ---- what an upstream answers

std::string CorpusRun::run_response_case() {
  const Step& answers = *step_named("answers");
  std::string error;
  upstream_.answer_first_with(message_bytes(answers.block, lists(answers, "raw"), error),
                              step_named("closes") != nullptr);
  if (error.empty()) error = send_bytes();
  if (!error.empty()) return error;
  if (const Step* bad = step_named("bad")) return expect_bad(*bad);
  if (const Step* deliver = step_named("deliver")) return expect_delivery(*deliver);
  return "a case with answers ends in bad or deliver";
}

// A response of ours, or the upstream's broken off; the upstream's connection is given up.
std::string CorpusRun::expect_bad(const Step& step) {
  Message response;
  ParseResult result;
  const auto look = [&] {
    upstream_.serve();
    result = parse_response(client_.input(), {method_, false}, response);
    return client_.ended() || result.parsed == Parsed::kComplete ||
           result.parsed == Parsed::kInvalid;
  };
  if (!exchange_.run_until(look)) return "the client still waits" + input_of(client_);
  look();
  const bool whole = result.parsed == Parsed::kComplete;
  if (result.parsed == Parsed::kInvalid) return result.error + input_of(client_);
  if (whole && response.status < 500) return "the client got a clean end" + input_of(client_);
  if (whole && step.words.size() > 1 && !lists(step, std::to_string(response.status)))
    return "answered with " + std::to_string(response.status);
  const bool until_close = result.parsed == Parsed::kHead && !response.has("content-length") &&
                           !response.has("transfer-encoding");
  if (until_close && !client_.was_reset())
    return "the end of the connection looks like the end of the body" + input_of(client_);
  expected_requests_ = 1;
  if (!exchange_.run_until([&] { return upstream_.connection_ended(0); }))
    return "the upstream's connection was kept";
  return probe();
}

std::string CorpusRun::expect_delivery(const Step& step) {
  Message response;
  for (size_t i = 0; i < steps_named("interim"); ++i)
    if (!read_response(client_, method_, response) || response.status / 100 != 1)
      return "there was no interim response" + input_of(client_);
  if (!read_response(client_, method_, response)) return "no response" + input_of(client_);
  std::string error;
  const auto differences =
      Expectation::parse(step.block, lists(step, "exactly"), error).compare(response, true);
  if (!error.empty()) return error;
  if (!differences.empty()) return "what the client got differs: " + differences[0];
  if (!client_.input().empty()) return "more than one response" + input_of(client_);
  expected_requests_ = 1;
  if (step_named("dropped") != nullptr &&
      !exchange_.run_until([&] { return upstream_.connection_ended(0); }))
    return "the upstream's connection was kept";
  return probe();
}

// ---- common

bool CorpusRun::read_response(Wire& wire, std::string_view method, Message& message) {
  const auto look = [&] {
    upstream_.serve();
    return parse_response(wire.input(), {method, wire.ended()}, message).parsed ==
           Parsed::kComplete;
  };
  exchange_.run_until([&] { return look() || wire.ended(); });
  if (!look()) return false;
  wire.consume(message.wire_bytes);
  return true;
}

// A good request of another client: whatever the case let through has reached the upstream by then.
std::string CorpusRun::probe() {
  other_client_ = std::make_unique<Wire>(connect_to_loopback(stage_.weir().port()));
  other_client_->send(kSentinelRequest);
  Message response;
  if (!read_response(*other_client_, "GET", response) || response.status != 200 ||
      response.body != "ok" || !other_client_->input().empty())
    return "another client's request was not answered well: \"" + readable(other_client_->input()) +
           '"';
  ++expected_requests_;
  return check_upstream();
}

std::string CorpusRun::check_upstream() const {
  if (!upstream_.error().empty()) return "\n  " + upstream_.error();
  const auto& requests = upstream_.requests();
  if (requests.size() == expected_requests_ &&
      (requests.empty() || requests.back().message.target == kSentinel))
    return "";
  std::string seen = "\n  the upstream saw " + std::to_string(requests.size()) + " requests:";
  for (const auto& request : requests)
    seen += ' ' + request.message.method + ' ' + request.message.target;
  return seen;
}

std::string CorpusRun::wind_up() {
  client_.close();
  if (other_client_ != nullptr) other_client_->close();
  upstream_.finish_all();
  return exchange_.run_until([&] { return upstream_.all_ended(); }, Milliseconds(1000))
             ? ""
             : "a connection that the upstream has closed is kept";
}

}  // namespace weir::test
