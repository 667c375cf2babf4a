#include "proxy/hot_restart_message.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace weir::hot_restart {
namespace {

constexpr uint32_t kMagic = 0x52494557;  // "WEIR" as it stands in memory
constexpr size_t kHeadBytes = 12;
constexpr uint8_t kMore = 1;

template <class Number>
void put(std::string& out, Number value) {
  for (size_t i = 0; i < sizeof(Number); ++i)
    out.push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i)));
}

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<uint32_t>(text.size()));
  out += text;
}

// Takes values off the front; once something is missing, all that follows is zero and not ok.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  template <class Number>
  Number get() {
    if (left_.size() < sizeof(Number)) {
      fail();
      return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(Number); ++i)
      value |= static_cast<uint64_t>(static_cast<uint8_t>(left_[i])) << (8 * i);
    left_.remove_prefix(sizeof(Number));
    return static_cast<Number>(value);
  }

  std::string text() {
    const uint32_t length = get<uint32_t>();
    if (length > left_.size()) {
      fail();
      return {};
    }
    std::string out(left_.substr(0, length));
    left_.remove_prefix(length);
    return out;
  }

  bool ok() const { return ok_; }
  size_t left() const { return left_.size(); }

 private:
  void fail() {
    ok_ = false;
    left_ = {};
  }

  std::string_view left_;
  bool ok_ = true;
};

Error malformed(const char* what) {
  return Error{"malformed", std::string("a message of the hot restart is malformed: ") + what};
}

Error system_error(const char* what) {
  if (errno == EAGAIN || errno == EWOULDBLOCK)
    return Error{"again", std::string(what) + ": no answer in time"};
  return Error{"closed", std::string(what) + ": " + strerror(errno)};
}

sockaddr_un address_of(const std::string& name, socklen_t& length) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  std::memcpy(out.sun_path, name.data(), name.size());
  out.sun_path[0] = '\0';
  length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  return out;
}

void close_all(const std::vector<int>& descriptors) {
  for (int fd : descriptors) close(fd);
}

std::vector<int> descriptors_of(msghdr& header) {
  std::vector<int> out;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
      out.push_back(fd);
    }
  }
  return out;
}

}  // namespace

// ---- bytes ----

std::string encode(const Message& message) {
  std::string body;
  put(body, message.number);
  put(body, static_cast<uint8_t>(message.more ? kMore : 0));
  put(body, static_cast<uint32_t>(message.texts.size()));
  put(body, static_cast<uint32_t>(message.counters.size()));
  for (const std::string& text : message.texts) put_text(body, text);
  for (const auto& [name, value] : message.counters) {
    put_text(body, name);
    put(body, value);
  }
  std::string out;
  put(out, kMagic);
  put(out, kVersion);
  put(out, static_cast<uint16_t>(message.kind));
  put(out, static_cast<uint32_t>(body.size()));
  return out + body;
}

Result<Message> decode(std::string_view bytes) {
  Reader reader(bytes);
  if (reader.get<uint32_t>() != kMagic || bytes.size() < kHeadBytes) return malformed("its head");
  const auto version = reader.get<uint16_t>();
  Message message;
  message.kind = static_cast<Kind>(reader.get<uint16_t>());
  if (version != kVersion && message.kind != Kind::kRefused)
    return Error{"version", "the other process speaks version " + std::to_string(version) +
                                " of the hot restart's protocol, this one version " +
                                std::to_string(kVersion)};
  if (message.kind < Kind::kRefused || message.kind > Kind::kCommand) return malformed("its kind");
  if (reader.get<uint32_t>() != reader.left()) return malformed("its length");
  message.number = reader.get<uint64_t>();
  message.more = (reader.get<uint8_t>() & kMore) != 0;
  const auto texts = reader.get<uint32_t>();
  const auto counters = reader.get<uint32_t>();
  for (uint32_t i = 0; i < texts && reader.ok(); ++i) message.texts.push_back(reader.text());
  for (uint32_t i = 0; i < counters && reader.ok(); ++i) {
    std::string name = reader.text();
    message.counters.emplace_back(std::move(name), reader.get<uint64_t>());
  }
  if (!reader.ok() || reader.left() != 0) return malformed("its body");
  return message;
}

// ---- sockets ----

Result<void> send(int socket, const Message& message) {
  std::string bytes = encode(message);
  iovec part{bytes.data(), bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  const size_t rights = message.descriptors.size() * sizeof(int);
  std::vector<char> control(rights == 0 ? 0 : CMSG_SPACE(rights));
  if (rights > 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* const head = CMSG_FIRSTHDR(&header);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(rights);
    std::memcpy(CMSG_DATA(head), message.descriptors.data(), rights);
  }
  ssize_t sent;
  do sent = sendmsg(socket, &header, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) return system_error("cannot write to the other process");
  return {};
}

Result<Message> receive(int socket) {
  std::vector<char> bytes(kMaxMessageBytes);
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
  iovec part{bytes.data(), bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t got;
  do got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got < 0) return system_error("cannot read from the other process");
  std::vector<int> descriptors = descriptors_of(header);
  const bool cut = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  Result<Message> message = got == 0 ? Error{"closed", "the other process is gone"}
                            : cut    ? malformed("it is too long")
                                     : decode({bytes.data(), static_cast<size_t>(got)});
  if (!message) {
    close_all(descriptors);
    return message;
  }
  message->descriptors = std::move(descriptors);
  return message;
}

std::string socket_name(uint32_t base_id, uint32_t epoch) {
  return "@weir_domain_socket_" + std::to_string(base_id) + "_" + std::to_string(epoch);
}

uid_t peer_user(int socket) {
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    return static_cast<uid_t>(-1);
  return credentials.uid;
}

Result<int> bind_socket(uint32_t base_id, uint32_t epoch) {
  const std::string name = socket_name(base_id, epoch);
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  socklen_t length;
  const sockaddr_un address = address_of(name, length);
  if (fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0) return fd;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (error == EADDRINUSE)
    return Error{"taken", "another process has the hot restart's socket " + name};
  return Error{"bind", "cannot bind " + name + ": " + strerror(error)};
}

Result<int> connect_socket(uint32_t base_id, uint32_t epoch, int64_t timeout_ms, uid_t user) {
  const std::string name = socket_name(base_id, epoch);
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  socklen_t length;
  const sockaddr_un address = address_of(name, length);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    const std::string why = strerror(errno);
    if (fd >= 0) close(fd);
    return Error{"no-parent", "no process listens at " + name + ": " + why};
  }
  if (peer_user(fd) != user) {
    close(fd);
    return Error{"user", "the process at " + name + " belongs to another user"};
  }
  const timeval limit{timeout_ms / 1000, timeout_ms % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  return fd;
}

}  // namespace weir::hot_restart
