#include "proxy/net/connection.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::net {
namespace {

constexpr int kMaxQueuedPieces = 16;
// More than this is not put off to the end of the turn: it fills a write of its own.
constexpr size_t kMaxGatheredBytes = 64 * 1024;

// The three calls of the data path, past the C library's wrappers: those look for a cancelled
// thread before and after, and no thread of ours is ever cancelled.
ssize_t receive(int fd, char* to, size_t capacity) {
  return syscall(SYS_recvfrom, fd, to, capacity, 0, nullptr, nullptr);
}
ssize_t send_one(int fd, const iovec& piece, int flags) {
  return syscall(SYS_sendto, fd, piece.iov_base, piece.iov_len, flags, nullptr, 0);
}
ssize_t send_all(int fd, const iovec* pieces, int count, int flags) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces);
  message.msg_iovlen = static_cast<size_t>(count);
  return syscall(SYS_sendmsg, fd, &message, flags);
}

}  // namespace

Connection::~Connection() {
  close();
  leave_lists();
}

void Connection::leave_lists() {
  const auto leave = [this](std::vector<Connection*>& list) {
    std::replace(list.begin(), list.end(), this, static_cast<Connection*>(nullptr));
  };
  if (in_flush_list_) {
    Connection** at = &loop_.flush_list_;
    while (*at != nullptr && *at != this) at = &((*at)->next_flush_);
    if (*at == this) *at = next_flush_;
  }
  if (in_resume_list_) {
    leave(loop_.resume_list_);
    leave(loop_.resuming_);
  }
  if (in_late_list_) leave(loop_.late_list_);
}

void Connection::set_no_delay(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

void Connection::adopt(Socket socket) {
  fd_ = socket.fd;
  tls_ = std::move(socket.tls);
  watch_.start(loop_, fd_, *this);
  if (tls_ != nullptr) start_handshake();
}

Socket Connection::release() {
  if (loop_.held_ == this) loop_.held_ = nullptr;
  watch_.stop();
  if (tls_ != nullptr) {
    waiting_.for_each([&](std::string_view bytes) { tls_->keep_unsent(bytes); });
    waiting_.clear(loop_);
  }
  return {std::exchange(fd_, -1), std::move(tls_)};
}

int Connection::connect(const Address& to, const Address* bind_to,
                        std::unique_ptr<TlsSession> tls) {
  tls_ = std::move(tls);
  sockaddr_storage address;
  const socklen_t length = to.to_sockaddr(address);
  fd_ = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return errno;
  if (to.is_ip()) set_no_delay(fd_);
  if (bind_to != nullptr) {
    sockaddr_storage from;
    const socklen_t from_length = bind_to->to_sockaddr(from);
    if (bind(fd_, reinterpret_cast<sockaddr*>(&from), from_length) != 0) {
      const int error = errno;
      close();
      return error;
    }
  }
  const int result = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), length);
  if (result != 0 && errno != EINPROGRESS) {
    const int error = errno;
    close();
    return error;
  }
  connecting_ = true;
  handshaking_ = tls_ != nullptr;
  writable_ = false;
  watch_.start(loop_, fd_, *this);
  return 0;
}

void Connection::finish_connect() {
  int error = 0;
  socklen_t length = sizeof(error);
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
  connecting_ = false;
  writable_ = error == 0;
  if (error == 0 && handshaking_) return go_on_with_handshake();
  handshaking_ = false;
  owner_.on_connected(error);
}

void Connection::on_ready(uint8_t ready) {
  if (connecting_) {
    if ((ready & (kWritable | kPeerClosed)) == 0) return;
    finish_connect();
    if (fd_ >= 0 && !waiting_.empty()) flush(false);
    if (fd_ < 0) return;
  }
  if ((ready & kPeerClosed) != 0) peer_closed_ = true;
  if ((ready & kWritable) != 0 && !writable_) {
    writable_ = true;
    if (!waiting_.empty()) {
      flush(false);
      if (fd_ >= 0 && !failed_) owner_.on_progress();
    }
  }
  if (fd_ < 0 || failed_ || (ready & kReadable) == 0) return;
  readable_ = true;
  if (handshaking_) {
    go_on_with_handshake();
  } else if (!paused_) {
    owner_.on_readable();
  }
  // Bytes that are handed on are valid until here.
  loop_.flush();
}

Connection::Read Connection::read(char* to, size_t capacity) {
  if (tls_ != nullptr) return read_tls(to, capacity);
  const ssize_t n = receive(fd_, to, capacity);
  if (n > 0) {
    count_received(static_cast<size_t>(n));
    // A short read emptied the socket, unless the peer's end still has to be read.
    readable_ = static_cast<size_t>(n) == capacity || peer_closed_;
    return {n, readable_, 0};
  }
  readable_ = false;
  if (n == 0) return {0, false, 0};
  if (errno == EAGAIN) return {-1, false, 0};
  if (errno == EINTR) return {-1, readable_ = true, 0};
  return {-2, false, errno};
}

void Connection::pause_reading(bool pause) {
  paused_ = pause;
  if (!pause && readable_) schedule_resume();
}

void Connection::schedule_resume() {
  if (in_resume_list_) return;
  in_resume_list_ = true;
  loop_.resume_list_.push_back(this);
}

void Connection::request_resume() {
  resume_wanted_ = true;
  schedule_resume();
}

void Connection::resume() {
  in_resume_list_ = false;
  const bool wanted = resume_wanted_ || readable_;
  resume_wanted_ = false;
  if (handshaking_ && fd_ >= 0 && wanted) return go_on_with_handshake();
  if (fd_ >= 0 && !paused_ && wanted) owner_.on_readable();
}

// ---- writing ----

WriteBatch& Connection::batch() {
  if (batch_ == nullptr) {
    batch_ = loop_.free_batches_;
    if (batch_ != nullptr) {
      loop_.free_batches_ = batch_->next;
    } else {
      batch_ = new WriteBatch;
    }
    batch_->pieces = 0;
    batch_->bytes = batch_->text_used = 0;
  }
  join_flush_list();
  return *batch_;
}

void Connection::release_batch() {
  if (batch_ == nullptr) return;
  batch_->next = loop_.free_batches_;
  loop_.free_batches_ = std::exchange(batch_, nullptr);
}

void Connection::join_flush_list() {
  if (in_flush_list_) return;
  in_flush_list_ = true;
  next_flush_ = loop_.flush_list_;
  loop_.flush_list_ = this;
}

void Connection::write(std::string_view bytes) {
  if (bytes.empty() || fd_ < 0 || failed_ || handshaking_) return;
  if (!waiting_.empty() && tls_ == nullptr) {
    waiting_.append(loop_, bytes);
    join_flush_list();
    return;
  }
  WriteBatch& b = batch();
  if (b.pieces == WriteBatch::kMaxPieces) {
    const size_t text_used = b.text_used;  // `bytes` may stand there
    spill();
    b.text_used = text_used;
    return write(bytes);
  }
  b.iov[b.pieces++] = {const_cast<char*>(bytes.data()), bytes.size()};
  b.bytes += bytes.size();
}

char* Connection::reserve(size_t bytes) {
  WriteBatch* b = &batch();
  if (b->text_used + bytes > WriteBatch::kTextBytes) {
    spill();
    b = &batch();
  }
  return b->text + b->text_used;
}

void Connection::commit(size_t bytes) {
  if (bytes == 0) return;
  char* at = batch_->text + batch_->text_used;
  batch_->text_used += bytes;
  if (!waiting_.empty() && tls_ == nullptr) {
    waiting_.append(loop_, {at, bytes});
    return;
  }
  iovec* last = batch_->pieces > 0 ? &batch_->iov[batch_->pieces - 1] : nullptr;
  if (last != nullptr && static_cast<char*>(last->iov_base) + last->iov_len == at) {
    last->iov_len += bytes;
    batch_->bytes += bytes;
    return;
  }
  write({at, bytes});
}

void Connection::write_copy(std::string_view bytes) {
  if (fd_ < 0 || failed_) return;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, WriteBatch::kTextBytes);
    std::memcpy(reserve(part.size()), part.data(), part.size());
    commit(part.size());
    bytes.remove_prefix(part.size());
  }
}

// Moves what is gathered into the queue, in order.
void Connection::spill() {
  if (tls_ != nullptr) return spill_sealed();
  for (int i = 0; i < batch_->pieces; ++i)
    waiting_.append(loop_, {static_cast<char*>(batch_->iov[i].iov_base), batch_->iov[i].iov_len});
  batch_->pieces = 0;
  batch_->bytes = batch_->text_used = 0;
}

ssize_t Connection::send_pieces(const iovec* iov, int count, bool more) {
  const int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
  const ssize_t sent = count == 1 ? send_one(fd_, *iov, flags) : send_all(fd_, iov, count, flags);
  if (sent > 0 && tls_ == nullptr) count_sent(static_cast<size_t>(sent));
  return sent;
}

void Connection::pump() {
  pump_wanted_ = false;
  in_flush_list_ = true;  // what is written here belongs to the present flush
  owner_.on_pump();
  in_flush_list_ = false;
  if (pump_wanted_) join_flush_list();
}

// Keeps what was gathered for the end of the turn. False: it is to be sent now.
bool Connection::put_off() {
  if (loop_.turn_ends_ || bytes_waiting() > std::min<size_t>(kMaxGatheredBytes, limit_))
    return false;
  if (batch_ != nullptr) tls_ == nullptr ? keep_rest(0) : keep_unsealed();
  if (in_late_list_) return true;
  in_late_list_ = true;
  loop_.late_list_.push_back(this);
  return true;
}

void Connection::flush(bool more) {
  if (pump_wanted_ && fd_ >= 0) pump();
  if (fd_ < 0 || failed_) {
    release_batch();
    return;
  }
  if (gathers_turn_ && put_off()) return;
  more = more && more_expected_;
  if (tls_ != nullptr) {
    flush_tls(more);
  } else if (!waiting_.empty()) {
    if (batch_ != nullptr && batch_->pieces > 0) spill();
    release_batch();
    if (writable_ && !connecting_) send_waiting(more);
  } else if (batch_ != nullptr) {
    send_batch(more);
  }
  after_send();
}

void Connection::send_batch(bool more) {
  if (!writable_ || connecting_) {
    keep_rest(0);
    return;
  }
  if (batch_->pieces == 0) return release_batch();
  const ssize_t sent = send_pieces(batch_->iov, batch_->pieces, more);
  if (sent == static_cast<ssize_t>(batch_->bytes)) {
    release_batch();
    return note_held(more);
  }
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return fail(errno);
  writable_ = sent < 0 && errno == EINTR;
  keep_rest(sent < 0 ? 0 : static_cast<size_t>(sent));
}

void Connection::keep_rest(size_t sent) {
  for (int i = 0; i < batch_->pieces; ++i) {
    const iovec& piece = batch_->iov[i];
    const size_t skip = sent < piece.iov_len ? sent : piece.iov_len;
    sent -= skip;
    waiting_.append(loop_, {static_cast<char*>(piece.iov_base) + skip, piece.iov_len - skip});
  }
  release_batch();
}

void Connection::send_waiting(bool more) {
  iovec iov[kMaxQueuedPieces];
  while (!waiting_.empty()) {
    const int count = waiting_.iovecs(iov, kMaxQueuedPieces);
    size_t total = 0;
    for (int i = 0; i < count; ++i) total += iov[i].iov_len;
    const ssize_t sent = send_pieces(iov, count, more);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return fail(errno);
    if (sent > 0) waiting_.consume(loop_, static_cast<size_t>(sent));
    if (sent < static_cast<ssize_t>(total)) {
      writable_ = false;
      return;
    }
  }
  note_held(more);
}

// The kernel may hold back the end of what was just sent with MSG_MORE, and of one connection at a
// time that is wanted.
void Connection::note_held(bool more) {
  if (more) {
    if (loop_.held_ != this) loop_.push_held();
    loop_.held_ = this;
  } else if (loop_.held_ == this) {
    loop_.held_ = nullptr;
  }
}

void Connection::after_send() {
  if (failed_ || fd_ < 0) return;
  const size_t waiting = waiting_.size();
  if (waiting > limit_ && !was_above_limit_) {
    was_above_limit_ = true;
    owner_.on_full(true);
  } else if (was_above_limit_ && waiting <= limit_ / 2) {
    was_above_limit_ = false;
    owner_.on_full(false);
  }
  if (shutdown_wanted_ && fd_ >= 0 && bytes_waiting() == 0) {
    shutdown_wanted_ = false;
    ::shutdown(fd_, SHUT_WR);
    owner_.on_finished();
  }
}

void Connection::fail(int error) {
  failed_ = true;
  note_lost();
  waiting_.clear(loop_);
  release_batch();
  if (handshaking_) return end_handshake(error);
  owner_.on_write_error(error);
}

void Connection::push() {
  if (fd_ >= 0) set_no_delay(fd_);
}

void Connection::shutdown_when_sent() {
  shutdown_wanted_ = true;
  join_flush_list();
}

void Connection::close() {
  if (loop_.held_ == this) loop_.held_ = nullptr;
  note_lost();
  release_batch();
  waiting_.clear(loop_);
  if (tls_ != nullptr) tls_->put_off().clear(loop_);
  handshaking_ = false;
  if (fd_ < 0) return;
  watch_.stop();
  ::close(fd_);
  fd_ = -1;
}

void Connection::abort() {
  if (fd_ < 0) return;
  const linger off{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
  close();
}

size_t Connection::bytes_unacknowledged() const {
  int error = 0;
  socklen_t length = sizeof(error);
  if (fd_ < 0 || getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0)
    return 0;
  int bytes = 0;
  return ioctl(fd_, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

Address Connection::local_address() const {
  sockaddr_storage address;
  socklen_t length = sizeof(address);
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length);
}

Address Connection::peer_address() const {
  sockaddr_storage address;
  socklen_t length = sizeof(address);
  if (getpeername(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length);
}

}  // namespace weir::net
