#include "tests/harness/case_runner.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <regex>
#include <sstream>

#include "tests/harness/case_expectation.h"
#include "tests/harness/escape.h"

namespace weir::test {
namespace {

constexpr Milliseconds kQuiet{40};  // long enough for whatever was wrongly sent to arrive

std::string input_of(const Wire& wire) {
  std::string text = "  it has: \"" + readable(wire.input()) + '"';
  if (wire.was_reset()) return text + " and was reset";
  return text + (wire.ended() ? " and was closed" : " and is open");
}

std::string listed(const std::vector<std::string>& differences, const Wire& wire) {
  std::string text;
  for (const std::string& difference : differences) text += "  " + difference + '\n';
  return text + input_of(wire);
}

bool has_word(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// A line that is no regular expression can only be meant as it stands.
std::optional<std::regex> pattern_of(const std::string& text) {
  try {
    return std::regex(text);
  } catch (const std::regex_error&) {
    return {};
  }
}

}  // namespace

CaseStage::CaseStage(const CaseFile& file) {
  WeirProcess::Options options;
  for (size_t i = 0; i < kUpstreams; ++i) {
    listeners_[i] = listen_on_loopback();
    options.words["UPSTREAM" + (i == 0 ? "" : std::to_string(i + 1))] =
        std::to_string(local_port(listeners_[i]));
  }
  options.words["DEAD"] = std::to_string(dead_.number());
  options.config = file.config;
  options.arguments = file.arguments;
  if (!has_word(file.arguments, "--concurrency")) {
    options.arguments.insert(options.arguments.end(), {"--concurrency", "1"});
  }
  weir_ = std::make_unique<WeirProcess>(std::move(options));
  drop_connections_of_the_start();
}

// A proxy of bytes passed the connection on by which its readiness was tried.
void CaseStage::drop_connections_of_the_start() {
  for (const Fd& listener : listeners_)
    while (accept_connection(listener).open()) continue;
}

CaseRun::CaseRun(CaseStage& stage, const CaseFile& file, const Case& test_case, bool split)
    : stage_(stage),
      file_(file),
      case_(test_case),
      split_(split),
      log_before_(stage.weir().access_log()),
      exchange_(
          [this] {
            Exchange::Wires wires;
            for (auto& [number, peer] : clients_) wires.push_back(&peer->wire);
            for (auto& peer : upstreams_) wires.push_back(&peer->wire);
            return wires;
          },
          {&stage.listener(0), &stage.listener(1), &stage.listener(2)},
          [this](size_t number) {
            Fd socket = accept_connection(stage_.listener(number));
            if (socket.open())
              upstreams_.push_back(std::make_unique<Peer>(std::move(socket), true, number));
          }) {}

std::string CaseRun::run() {
  for (const Step& step : case_.steps) {
    const std::string problem = run_step(step);
    if (problem.empty()) continue;
    const std::string place = file_.path + ':' + std::to_string(step.line) + ": ";
    wind_up();
    return place + step.text + '\n' + problem + "\nweir said:\n" + stage_.weir().output();
  }
  const std::string place = file_.path + ':' + std::to_string(case_.line) + ": ";
  std::string problem = check_leftovers();
  if (const std::string end = wind_up(); problem.empty()) problem = end;
  return problem.empty() ? "" : place + "after the last step\n" + problem;
}

std::string CaseRun::run_step(const Step& step) {
  const auto& words = step.words;
  if (words[0] == "wait" && words.size() == 2) {
    exchange_.run_for(Milliseconds(std::atoi(words[1].c_str())));
    return "";
  }
  if (words[0] == "log") return expect_log(step);
  size_t verb = 1;
  size_t number = 0;
  if (words.size() > 1 && words[1].find_first_not_of("0123456789") == std::string::npos) {
    number = static_cast<size_t>(std::atoi(words[1].c_str())) - 1;
    verb = 2;
  }
  const std::vector<std::string> rest(words.begin() + static_cast<long>(verb), words.end());
  if (rest.empty()) return "  a step is `client ...`, `upstream ...`, `log gets` or `wait N`";
  if (words[0] == "client") return run_client(step, rest, number);
  if (words[0] == "upstream" && number < CaseStage::kUpstreams)
    return run_upstream(step, rest, number);
  return "  a step is `client ...`, `upstream ...`, `log gets` or `wait N`";
}

std::string CaseRun::run_client(const Step& step, const std::vector<std::string>& verb,
                                size_t number) {
  Peer& peer = client(number);
  if (verb[0] != "sends") return verb[0] == "gets" ? gets(peer, step, verb) : act(peer, step, verb);
  const bool raw = has_word(verb, "raw");
  if (!raw && !step.block.empty())
    peer.methods.push_back(step.block[0].substr(0, step.block[0].find(' ')));
  return act(peer, step, verb);
}

std::string CaseRun::run_upstream(const Step& step, const std::vector<std::string>& verb,
                                  size_t number) {
  if (verb[0] == "accepts") {
    Peer* accepted = find_upstream(number, [](const Peer& other) { return !other.known; });
    if (accepted == nullptr) return "  no connection came";
    make_current(*accepted);
    return "";
  }
  if (verb[0] == "gets" && has_word(verb, "nothing")) return gets_nothing(number);
  Peer* peer = current_[number];
  const bool looks_for_request =
      verb[0] == "gets" && (verb.size() == 1 || verb[1] == "head" || verb[1] == "exactly" ||
                            verb[1] == "on" || (verb[1] == "bytes" && peer == nullptr));
  if (looks_for_request && (peer == nullptr || !peer->in_message)) {
    peer = find_upstream(number, [](const Peer& other) { return !other.wire.input().empty(); });
    if (peer == nullptr) return "  no request came";
    make_current(*peer);
  }
  if (peer == nullptr) return "  it has no connection yet";
  return verb[0] == "gets" ? gets(*peer, step, verb) : act(*peer, step, verb);
}

// What both sides can do.
std::string CaseRun::act(Peer& peer, const Step& step, const std::vector<std::string>& verb) {
  if (verb[0] == "sends") {
    std::string error;
    std::vector<std::string> block = step.block;
    for (std::string& line : block) line = stage_.weir().substitute(line);
    peer.wire.send(message_bytes(block, has_word(verb, "raw"), error));
    return error.empty() ? "" : "  " + error;
  }
  if (verb[0] == "finishes") {
    peer.wire.finish_sending();
  } else if (verb[0] == "closes" || verb[0] == "resets") {
    exchange_.run_until([&] { return peer.wire.sent_all(); });
    verb[0] == "closes" ? peer.wire.close() : peer.wire.reset();
  } else {
    return "  the verbs are sends, gets, finishes, closes, resets (and accepts for an upstream)";
  }
  return "";
}

std::string CaseRun::gets(Peer& peer, const Step& step, const std::vector<std::string>& verb) {
  if (const std::string problem = expect_connection(peer, verb); !problem.empty()) return problem;
  if (has_word(verb, "body")) return gets_body(peer, step);
  if (has_word(verb, "end")) return gets_end(peer);
  if (has_word(verb, "bytes")) return gets_bytes(peer, step);
  if (has_word(verb, "aborted")) return gets_aborted(peer);
  if (has_word(verb, "closed")) return gets_closed(peer);
  if (has_word(verb, "nothing")) {
    exchange_.run_for(kQuiet);
    return peer.wire.input().empty() && !peer.wire.ended() ? "" : input_of(peer.wire);
  }
  return gets_message(peer, step, !has_word(verb, "head"), has_word(verb, "exactly"));
}

std::string CaseRun::gets_message(Peer& peer, const Step& step, bool whole, bool exact) {
  std::string error;
  std::vector<std::string> block = step.block;
  for (std::string& line : block) line = stage_.weir().substitute(line);
  const Expectation expectation = Expectation::parse(block, exact, error);
  if (!error.empty()) return "  " + error;
  ParseResult result;
  Message message;
  if (!await(peer, whole ? Parsed::kComplete : Parsed::kHead, result, message))
    return "  the message did not come whole" + std::string(whole ? "" : " to its head") + '\n' +
           input_of(peer.wire);
  if (result.parsed == Parsed::kInvalid) return "  " + result.error + '\n' + input_of(peer.wire);
  const auto differences = expectation.compare(message, whole);
  if (!differences.empty()) return listed(differences, peer.wire);
  peer.fresh = false;
  peer.in_message = true;
  if (whole) finish_message(peer, message);
  return "";
}

std::string CaseRun::gets_body(Peer& peer, const Step& step) {
  std::string error;
  const std::string wanted = message_bytes(step.block, true, error);
  ParseResult result;
  Message message;
  exchange_.run_until([&] {
    result = parse(peer, message);
    return result.parsed == Parsed::kInvalid || peer.wire.ended() ||
           message.body.size() >= peer.body_seen + wanted.size();
  });
  const std::string got = message.body.substr(std::min(peer.body_seen, message.body.size()));
  if (got != wanted)
    return "  body: expected \"" + readable(wanted) + "\", got \"" + readable(got) + "\"\n" +
           input_of(peer.wire);
  peer.body_seen += wanted.size();
  return "";
}

std::string CaseRun::gets_end(Peer& peer) {
  ParseResult result;
  Message message;
  if (!await(peer, Parsed::kComplete, result, message) || result.parsed == Parsed::kInvalid)
    return "  the message does not end " + result.error + '\n' + input_of(peer.wire);
  if (message.body.size() != peer.body_seen)
    return "  more body came: \"" + readable(message.body.substr(peer.body_seen)) + '"';
  finish_message(peer, message);
  return "";
}

std::string CaseRun::gets_bytes(Peer& peer, const Step& step) {
  if (peer.in_message) {
    Message message;
    parse(peer, message);
    peer.wire.consume(message.head_bytes);
    peer.in_message = false;
  }
  std::string error;
  const std::string wanted = message_bytes(step.block, true, error);
  exchange_.run_until(
      [&] { return peer.wire.input().size() >= wanted.size() || peer.wire.ended(); });
  if (peer.wire.input().substr(0, wanted.size()) != wanted)
    return "  expected \"" + readable(wanted) + "\"\n" + input_of(peer.wire);
  peer.wire.consume(wanted.size());
  peer.fresh = false;
  return "";
}

std::string CaseRun::gets_nothing(size_t upstream) {
  exchange_.run_for(kQuiet);
  for (const auto& peer : upstreams_)
    if (peer->number == upstream && !peer->wire.input().empty()) return input_of(peer->wire);
  return "";
}

std::string CaseRun::gets_aborted(Peer& peer) {
  if (!exchange_.run_until([&] { return peer.wire.ended(); }))
    return "  it was not closed\n" + input_of(peer.wire);
  Message message;
  const ResponseContext open{peer.methods.empty() ? "GET" : peer.methods.front(), false};
  const ParseResult result = peer.is_upstream ? parse_request(peer.wire.input(), message)
                                              : parse_response(peer.wire.input(), open, message);
  const bool until_close = !peer.is_upstream && message.status != 0 &&
                           !message.has("content-length") && !message.has("transfer-encoding");
  if (result.parsed == Parsed::kComplete || (until_close && !peer.wire.was_reset()))
    return "  the message came to a clean end\n" + input_of(peer.wire);
  peer.wire.consume(peer.wire.input().size());
  peer.in_message = false;
  return "";
}

std::string CaseRun::gets_closed(Peer& peer) {
  if (!exchange_.run_until([&] { return peer.wire.ended(); }))
    return "  it was not closed\n" + input_of(peer.wire);
  if (!peer.wire.input().empty()) return "  unexpected bytes\n" + input_of(peer.wire);
  return "";
}

std::string CaseRun::expect_log(const Step& step) {
  const std::string wanted = step.block.empty() ? "" : stage_.weir().substitute(step.block[0]);
  const auto pattern = pattern_of(wanted);
  std::string added;
  const bool found = exchange_.run_until([&] {
    added = stage_.weir().access_log().substr(log_before_.size());
    std::istringstream lines(added);
    for (std::string line; std::getline(lines, line);)
      if (line == wanted || (pattern && std::regex_match(line, *pattern))) return true;
    return false;
  });
  return found ? "" : "  expected a line \"" + wanted + "\" among the added ones:\n" + added;
}

ParseResult CaseRun::parse(const Peer& peer, Message& message) const {
  if (peer.is_upstream) return parse_request(peer.wire.input(), message);
  const std::string method = peer.methods.empty() ? "GET" : peer.methods.front();
  return parse_response(peer.wire.input(), {method, peer.wire.ended()}, message);
}

bool CaseRun::await(Peer& peer, Parsed at_least, ParseResult& result, Message& message) {
  const auto there = [&] {
    result = parse(peer, message);
    return result.parsed >= at_least;
  };
  exchange_.run_until([&] { return there() || peer.wire.ended(); });
  return there();
}

void CaseRun::finish_message(Peer& peer, const Message& message) {
  peer.wire.consume(message.wire_bytes);
  peer.in_message = false;
  peer.body_seen = 0;
  const bool interim = message.status / 100 == 1 && message.status != 101;
  if (!interim && !peer.methods.empty()) peer.methods.pop_front();
}

CaseRun::Peer& CaseRun::client(size_t number) {
  auto& peer = clients_[number];
  if (peer == nullptr) {
    peer = std::make_unique<Peer>(connect_to_loopback(stage_.weir().port()), false, number);
    if (split_) peer->wire.split_writes();
  }
  return *peer;
}

// The first connection to that upstream of which `wanted` holds, once there is one.
CaseRun::Peer* CaseRun::find_upstream(size_t number,
                                      const std::function<bool(const Peer&)>& wanted) {
  Peer* found = nullptr;
  exchange_.run_until([&] {
    for (const auto& peer : upstreams_)
      if (found == nullptr && peer->number == number && wanted(*peer)) found = peer.get();
    return found != nullptr;
  });
  return found;
}

void CaseRun::make_current(Peer& peer) {
  peer.known = true;
  previous_[peer.number] = std::exchange(current_[peer.number], &peer);
}

std::string CaseRun::expect_connection(const Peer& peer,
                                       const std::vector<std::string>& verb) const {
  if (has_word(verb, "new") && !peer.fresh) return "  it came on a used connection";
  if (has_word(verb, "same") && &peer != previous_[peer.number])
    return "  it came on another connection";
  return "";
}

std::string CaseRun::check_leftovers() {
  exchange_.run_for(Milliseconds(5));
  for (const auto& [number, peer] : clients_)
    if (peer->wire.open() && !peer->wire.input().empty())
      return "  client " + std::to_string(number + 1) + " has unread bytes\n" +
             input_of(peer->wire);
  for (const auto& peer : upstreams_)
    if (peer->wire.open() && !peer->wire.input().empty())
      return "  upstream " + std::to_string(peer->number + 1) + " has unread bytes\n" +
             input_of(peer->wire);
  return "";
}

// Ends every connection such that the next case finds no pooled one.
std::string CaseRun::wind_up() {
  clients_.clear();
  for (const auto& peer : upstreams_) peer->wire.finish_sending();
  const bool all = exchange_.run_until(
      [&] {
        return std::all_of(upstreams_.begin(), upstreams_.end(),
                           [](const auto& peer) { return peer->wire.ended(); });
      },
      Milliseconds(1000));
  return all ? "" : "  weir keeps a connection to the upstream that the upstream has closed";
}

}  // namespace weir::test
