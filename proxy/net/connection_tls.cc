// What a connection does with its TLS session: the handshake, reading and writing through it.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proxy/net/connection.h"

namespace weir::net {
namespace {

// Less than this is never asked of the socket: a record should come whole.
constexpr size_t kLeastReadBytes = TlsSession::kRecordBytes + 1024;
// So much ciphertext is sent before more is made.
constexpr size_t kSendBytes = 256 * 1024;

// Fills records with small pieces and takes large ones from where they are.
class RecordWriter {
 public:
  RecordWriter(TlsSession& session, TlsScratch& scratch) : session_(session), scratch_(scratch) {}

  void add(std::string_view piece) {
    while (!piece.empty()) {
      const size_t room = TlsSession::kRecordBytes - used_;
      const std::string_view part = piece.substr(0, room);
      piece.remove_prefix(part.size());
      if (used_ == 0 && part.size() == room) {
        session_.seal(part, scratch_.out);
        continue;
      }
      std::memcpy(scratch_.record.get() + used_, part.data(), part.size());
      used_ += part.size();
      if (part.size() == room) finish();
    }
  }
  // False: the session is broken, now or before.
  bool finish() {
    return session_.seal({scratch_.record.get(), std::exchange(used_, 0)}, scratch_.out);
  }

 private:
  TlsSession& session_;
  TlsScratch& scratch_;
  size_t used_ = 0;
};

}  // namespace

// ---- the handshake ----

// Not from the owner's call: on_connected may follow from each step.
void Connection::start_handshake() {
  if (const std::string unsent = tls_->take_unsent(); !unsent.empty()) {
    waiting_.append(loop_, unsent);
    join_flush_list();
  }
  handshaking_ = !tls_->handshake_done();
  // What came along is there when the owner, who may pause first, wants it.
  if (!handshaking_) readable_ = tls_->has_unread();
  if (tls_->has_unread() || (handshaking_ && !tls_->is_server())) request_resume();
}

void Connection::go_on_with_handshake() {
  for (;;) {
    const TlsSession::Progress progress = tls_->handshake(loop_.tls_scratch().out);
    tls_->keep_unread();
    queue_sealed();
    if (progress == TlsSession::Progress::kDone) return end_handshake(0);
    if (progress == TlsSession::Progress::kFailed) return end_handshake(EPROTO);
    if (!readable_ || !feed_handshake()) return;
  }
}

bool Connection::feed_handshake() {
  const ssize_t n = receive_ciphertext(kLeastReadBytes);
  if (n > 0) return true;
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  end_handshake(n == 0 ? ECONNRESET : errno);
  return false;
}

void Connection::end_handshake(int error) {
  handshaking_ = false;
  if (error != 0) {
    // The alert says to the peer what was wrong; there is no second try.
    iovec iov[1];
    if (fd_ >= 0 && waiting_.iovecs(iov, 1) == 1) send_pieces(iov, 1, false);
    failed_ = true;
    waiting_.clear(loop_);
    owner_.on_connected(error);
    return;
  }
  owner_.on_connected(0);
  if (fd_ < 0 || failed_ || tls_ == nullptr) return;
  readable_ = readable_ || tls_->has_unread();
  if (readable_ && !paused_) owner_.on_readable();
}

void Connection::send_in_clear(std::string_view bytes) {
  waiting_.append(loop_, bytes);
  join_flush_list();
}

// ---- reading ----

ssize_t Connection::receive_ciphertext(size_t capacity) {
  char* in = loop_.tls_scratch().in.get();
  const size_t wanted = std::clamp(capacity, kLeastReadBytes, Loop::kReadBytes);
  const ssize_t n = recv(fd_, in, wanted, 0);
  readable_ = n > 0 ? static_cast<size_t>(n) == wanted || peer_closed_ : n < 0 && errno == EINTR;
  if (n > 0) tls_->feed({in, static_cast<size_t>(n)});
  return n;
}

Connection::Read Connection::read_tls(char* to, size_t capacity) {
  if (handshaking_) return {-1, false, 0};
  for (;;) {
    if (!tls_->has_unread()) {
      const ssize_t n = receive_ciphertext(capacity);
      if (n == 0) return {-2, false, ECONNRESET};
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {-1, readable_, 0};
      if (n < 0) return {-2, false, errno};
    }
    const TlsSession::Opened opened = tls_->open(to, capacity, loop_.tls_scratch().out);
    tls_->keep_unread();
    queue_sealed();
    if (opened.bytes > 0 || opened.state != TlsSession::State::kOpen || !readable_)
      return tell(opened);
  }
}

Connection::Read Connection::tell(TlsSession::Opened opened) {
  if (opened.bytes == 0 && opened.state != TlsSession::State::kOpen) {
    readable_ = false;
    if (opened.state == TlsSession::State::kEnded) return {0, false, 0};
    return {-2, false, EPROTO};
  }
  readable_ = readable_ || tls_->has_unread();
  count_received(opened.bytes);
  return {opened.bytes > 0 ? static_cast<ssize_t>(opened.bytes) : -1, readable_, 0};
}

// ---- writing ----

// Protocol messages that a read or the handshake brought about.
void Connection::queue_sealed() {
  std::string& out = loop_.tls_scratch().out;
  if (out.empty()) return;
  waiting_.append(loop_, out);
  out.clear();
  join_flush_list();
}

void Connection::keep_unsealed() {
  for (int i = 0; i < batch_->pieces; ++i)
    tls_->put_off().append(loop_,
                           {static_cast<char*>(batch_->iov[i].iov_base), batch_->iov[i].iov_len});
  release_batch();
}

// What is gathered becomes records that wait.
void Connection::spill_sealed() {
  if (LazyBuffer& put_off = tls_->put_off(); !put_off.empty()) {
    // It comes first, and there is no telling when it may be sent: all of it waits in the clear.
    for (int i = 0; i < batch_->pieces; ++i)
      put_off.append(loop_, {static_cast<char*>(batch_->iov[i].iov_base), batch_->iov[i].iov_len});
  } else {
    count_sent(batch_->bytes);
    RecordWriter writer(*tls_, loop_.tls_scratch());
    for (int i = 0; i < batch_->pieces; ++i)
      writer.add({static_cast<char*>(batch_->iov[i].iov_base), batch_->iov[i].iov_len});
    writer.finish();  // a session that is broken is noticed by the flush
    queue_sealed();
  }
  batch_->pieces = 0;
  batch_->bytes = batch_->text_used = 0;
}

void Connection::flush_tls(bool more) {
  if (handshaking_) {
    release_batch();
    if (!waiting_.empty() && writable_ && !connecting_) send_waiting(false);
    return;
  }
  TlsScratch& scratch = loop_.tls_scratch();
  RecordWriter writer(*tls_, scratch);
  const auto add = [&](std::string_view piece) {
    if (failed_ || fd_ < 0) return;
    count_sent(piece.size());
    writer.add(piece);
    if (scratch.out.size() >= kSendBytes) send_sealed(true);
  };
  if (LazyBuffer put_off = std::exchange(tls_->put_off(), {}); !put_off.empty()) {
    put_off.for_each(add);
    put_off.clear(loop_);
  }
  if (batch_ != nullptr) {
    WriteBatch& b = *std::exchange(batch_, nullptr);
    for (int i = 0; i < b.pieces; ++i)
      add({static_cast<char*>(b.iov[i].iov_base), b.iov[i].iov_len});
    b.next = loop_.free_batches_;
    loop_.free_batches_ = &b;
  }
  const bool sealed = writer.finish();
  if (failed_ || fd_ < 0) return scratch.out.clear();
  if (shutdown_wanted_) tls_->close_notify(scratch.out);
  send_sealed(more);
  if (!sealed && fd_ >= 0 && !failed_) fail(EPROTO);
}

void Connection::send_sealed(bool more) {
  std::string& out = loop_.tls_scratch().out;
  size_t sent = 0;
  const bool may_send = writable_ && !connecting_;
  if (may_send && waiting_.empty() && !out.empty()) {
    const iovec all{out.data(), out.size()};
    const ssize_t n = send_pieces(&all, 1, more);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      bytes_lost_ += static_cast<uint32_t>(out.size());
      out.clear();
      return fail(errno);
    }
    if (n == static_cast<ssize_t>(out.size())) {
      out.clear();
      return note_held(more);
    }
    writable_ = n < 0 && errno == EINTR;
    sent = n < 0 ? 0 : static_cast<size_t>(n);
  }
  if (!out.empty()) waiting_.append(loop_, std::string_view(out).substr(sent));
  out.clear();
  if (writable_ && may_send && !waiting_.empty()) send_waiting(more);
}

}  // namespace weir::net
