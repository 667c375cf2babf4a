#include <algorithm>

#include "tests/harness/escape.h"
#include "tests/smuggling/corpus_runner.h"

namespace weir::test {

Exchange::Wires StrictUpstream::wires() {
  Exchange::Wires wires;
  for (const auto& wire : connections_) wires.push_back(wire.get());
  return wires;
}

void StrictUpstream::accept() {
  Fd socket = accept_connection(stage_.listener(0));
  if (socket.open()) connections_.push_back(std::make_unique<Wire>(std::move(socket)));
}

void StrictUpstream::serve() {
  for (size_t i = 0; i < connections_.size(); ++i) serve_connection(i);
}

void StrictUpstream::serve_connection(size_t number) {
  Wire& wire = *connections_[number];
  Message message;
  for (;;) {
    const ParseResult result = parse_request(wire.input(), message);
    if (result.parsed == Parsed::kInvalid && error_.empty())
      error_ = result.error + " in what reached the upstream: \"" + readable(wire.input()) + '"';
    if (result.parsed != Parsed::kComplete) return;
    wire.consume(message.wire_bytes);
    requests_.push_back({message, number});
    answer(wire, message);
  }
}

void StrictUpstream::answer(Wire& wire, const Message& request) {
  if (scripted_ && requests_.size() == 1) {
    wire.send(answer_);
    if (close_after_answer_) wire.finish_sending();
    return;
  }
  wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  if (request.method != "HEAD") wire.send("ok");
}

std::string StrictUpstream::unfinished() const {
  std::string all;
  for (const auto& wire : connections_) all += wire->input();
  return all;
}

bool StrictUpstream::unfinished_are_closed() const {
  return std::all_of(connections_.begin(), connections_.end(),
                     [](const auto& wire) { return wire->input().empty() || wire->ended(); });
}

void StrictUpstream::finish_all() {
  for (const auto& wire : connections_) wire->finish_sending();
}

bool StrictUpstream::all_ended() const {
  return std::all_of(connections_.begin(), connections_.end(),
                     [](const auto& wire) { return wire->ended(); });
}

}  // namespace weir::test
