#include "proxy/hot_restart_parent.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace weir::hot_restart {

Result<std::unique_ptr<Parent>> Parent::meet(uint32_t base_id, uint32_t epoch, int64_t timeout_ms,
                                             uid_t user) {
  const Result<int> socket = connect_socket(base_id, epoch - 1, timeout_ms, user);
  if (!socket) return socket.error();
  auto parent = std::make_unique<Parent>(*socket);
  const Result<void> greeted = parent->greet(epoch);
  if (greeted) return parent;
  // It may have ended meanwhile.
  if (greeted.error().code == "closed") return Error{"no-parent", greeted.error().message};
  return greeted.error();
}

Parent::~Parent() {
  watch_.stop();
  if (socket_ >= 0) close(socket_);
}

Result<Message> Parent::ask(const Message& request, Kind wanted) {
  if (Result<void> sent = send(socket_, request); !sent) return sent.error();
  Result<Message> answer = receive(socket_);
  if (!answer) return answer;
  if (answer->kind == wanted) return answer;
  for (int fd : answer->descriptors) close(fd);
  if (answer->kind == Kind::kRefused && !answer->texts.empty())
    return Error{"refused", "the running process refuses: " + answer->texts[0]};
  return Error{"malformed", "the running process gives an answer to another question"};
}

Result<void> Parent::greet(uint32_t epoch) {
  Message hello;
  hello.kind = Kind::kHello;
  hello.number = epoch;
  const Result<Message> welcome = ask(hello, Kind::kWelcome);
  if (!welcome) return welcome.error();
  process_id_ = welcome->number;
  return {};
}

Result<std::vector<int>> Parent::sockets(const std::string& listener, const net::Address& address) {
  Message request;
  request.kind = Kind::kGetSockets;
  request.texts = {listener, address.text()};
  Result<Message> answer = ask(request, Kind::kSockets);
  if (!answer) return answer.error();
  std::vector<int> all = std::move(answer->descriptors);
  while (answer && answer->more) {
    answer = receive(socket_);
    if (!answer) break;
    all.insert(all.end(), answer->descriptors.begin(), answer->descriptors.end());
  }
  if (answer) return all;
  for (int fd : all) close(fd);
  return answer.error();
}

Result<void> Parent::take_over(int64_t shutdown_ms) {
  Message request;
  request.kind = Kind::kTakeOver;
  request.number = static_cast<uint64_t>(shutdown_ms);
  const Result<Message> answer = ask(request, Kind::kTakenOver);
  if (!answer) return answer.error();
  return {};
}

void Parent::follow(net::Loop& loop, std::function<void(const Counters&)> counted) {
  counted_ = std::move(counted);
  fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) | O_NONBLOCK);
  watch_.start(loop, socket_, *this);
}

void Parent::on_ready(uint8_t /*ready*/) {
  for (;;) {
    Result<Message> message = receive(socket_);
    if (!message && message.error().code == "again") return;
    if (!message) {  // it has ended
      watch_.stop();
      close(std::exchange(socket_, -1));
      return;
    }
    for (int fd : message->descriptors) close(fd);
    if (message->kind == Kind::kCounters && counted_) counted_(message->counters);
  }
}

}  // namespace weir::hot_restart
