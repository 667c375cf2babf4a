#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/net/address.h"
#include "proxy/net/lazy_buffer.h"
#include "proxy/net/loop.h"
#include "proxy/net/tls_session.h"

namespace weir::net {

// What a connection has gathered to write during one event: views and small copies, sent together
// by one system call. Recycled by the loop; a connection without pending writes has none.
struct WriteBatch {
  static constexpr int kMaxPieces = 32;
  static constexpr size_t kTextBytes = 8 * 1024;

  WriteBatch* next;
  int pieces;
  size_t bytes;
  size_t text_used;
  iovec iov[kMaxPieces];
  char text[kTextBytes];
};

// A connected descriptor on its way from one owner to the next, who has to close it; and the TLS
// session on it, if there is one.
struct Socket {
  int fd = -1;
  TlsShare tls = nullptr;
};

// Where the bytes of a connection are counted as they pass; within TLS, those of the plaintext. One
// thread writes them.
struct ByteCounts {
  std::atomic<uint64_t>& received;
  std::atomic<uint64_t>& sent;

  static void add(std::atomic<uint64_t>& count, uint64_t bytes) {
    count.store(count.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  }
};

// A stream socket with a queue of bytes it could not take yet, in the clear or through TLS. It owns
// the descriptor. The kernel is asked as little as possible: readiness is remembered between its
// edges. One loop. It must not be destroyed inside a call of its owner: Loop::retire what contains
// it.
//
// With a TLS session the handshake comes first: no byte is taken from the owner or handed to it
// before on_connected(0).
class Connection : private Watch::Owner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Outgoing, or adopted with a handshake to be done: the connection stands, or `error` (an
    // errno) says why not. EPROTO: the handshake failed, tls()->error_details() knows why.
    virtual void on_connected(int /*error*/) {}
    // There may be bytes: read until a short read.
    virtual void on_readable() = 0;
    // What waits for the socket grew above the limit (true), or fell to half of it again (false).
    virtual void on_full(bool full) = 0;
    // Asked for by request_pump: now is the time to write; what is written goes out together.
    virtual void on_pump() {}
    // The socket was full, and has taken of what waits.
    virtual void on_progress() {}
    // What shutdown_when_sent asked for is done. It may close the connection.
    virtual void on_finished() {}
    // A write failed with this errno. Nothing more is sent; what the peer said before may be read.
    virtual void on_write_error(int error) = 0;
  };

  // Within TLS an end without close_notify is ECONNRESET, because it may be somebody else's
  // (RFC 8446 6.1), and a broken record EPROTO.
  struct Read {
    ssize_t bytes;  // > 0: read; 0: the peer ended its side; -1: nothing there; -2: `error`
    bool more;      // there may be more: read again
    int error;
  };

  Connection(Loop& loop, Owner& owner) : owner_(owner), loop_(loop) {}
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Takes over an accepted socket (non-blocking). A TLS session whose handshake is not done does it
  // first; with one that is done, reading goes on with what it holds already.
  void adopt(Socket socket);
  // Gives the socket away, with its TLS session. Nothing may be waiting to be sent.
  Socket release();
  // Starts to connect; on_connected follows, possibly from this call's loop turn. An errno at once
  // when not even that is possible, else 0. `bind_to` may be null, and so may `tls`, a client's
  // session.
  int connect(const Address& to, const Address* bind_to, std::unique_ptr<TlsSession> tls = nullptr);

  bool open() const { return fd_ >= 0; }
  // Neither TCP's nor TLS's handshake is to be done any more.
  bool connecting() const { return connecting_ || handshaking_; }
  // Null without TLS. Stays when the connection is closed, for logs; who needs it longer takes a
  // share of it.
  TlsSession* tls() { return tls_.get(); }
  int fd() const { return fd_; }
  Loop& loop() { return loop_; }

  Read read(char* to, size_t capacity);
  // While paused, on_readable does not come. Unpausing calls it at the end of the turn if bytes
  // may be there.
  void pause_reading(bool pause);
  bool reading_paused() const { return paused_; }
  // Calls on_readable at the end of the turn even if the socket has nothing: the owner kept bytes.
  void request_resume();

  // For what a peer must get before the TLS handshake, such as PROXY protocol's header: from
  // `connect` or `adopt` on until the loop's next turn.
  void send_in_clear(std::string_view bytes);

  // Gathers bytes that stay valid until the loop's next flush. Before the handshake is done they
  // are dropped.
  void write(std::string_view bytes);
  // Room for `bytes` (at most WriteBatch::kTextBytes) of text to be filled and committed.
  char* reserve(size_t bytes);
  void commit(size_t bytes);
  void write_copy(std::string_view bytes);
  // More of the same message follows: flush(more) may hold a partial segment back.
  void expect_more(bool more) { more_expected_ = more; }

  // The next flush first calls Owner::on_pump: for who has several messages to put into one write.
  void request_pump() {
    pump_wanted_ = true;
    join_flush_list();
  }
  // What several flushes of one turn bring is sent once, when the turn ends, unless it is much. It
  // costs a copy and saves system calls.
  void gather_turns(bool gather) { gathers_turn_ = gather; }

  // Gathered or queued, and not yet taken by the socket.
  size_t bytes_waiting() const {
    return waiting_.size() + (batch_ != nullptr ? batch_->bytes : 0) +
           (tls_ != nullptr ? tls_->put_off().size() : 0);
  }
  // `counts` outlive the connection.
  void count_bytes(const ByteCounts& counts) { byte_counts_ = &counts; }
  void set_limit(size_t bytes) { limit_ = static_cast<uint32_t>(bytes); }
  size_t limit() const { return limit_; }

  // Everything written will be sent, then (after close_notify) the write side is shut down, and
  // on_finished tells so.
  void shutdown_when_sent();
  bool all_sent() const { return bytes_waiting() == 0; }
  // What the kernel took and the peer's did not acknowledge yet, which a reset would take along. 0
  // when the socket is broken. A system call or two.
  size_t bytes_unacknowledged() const;
  // Written, but thrown away when a write failed or by `close`. With TLS, of ciphertext.
  size_t bytes_lost() const { return bytes_lost_; }
  // At once; what is queued is lost.
  void close();
  // As close, with a reset instead of a clean end (RFC 9293 3.10.7.4).
  void abort();

  Address local_address() const;
  Address peer_address() const;

  static void set_no_delay(int fd);

 private:
  friend class Loop;

  void on_ready(uint8_t ready) override;
  void finish_connect();
  void resume();
  void schedule_resume();
  void flush(bool more);
  void pump();
  bool put_off();
  void send_batch(bool more);
  void send_waiting(bool more);
  ssize_t send_pieces(const iovec* iov, int count, bool more);
  void note_held(bool more);
  void keep_rest(size_t sent);
  void spill();
  void push();
  void start_handshake();
  void go_on_with_handshake();
  bool feed_handshake();
  void end_handshake(int error);
  Read read_tls(char* to, size_t capacity);
  ssize_t receive_ciphertext(size_t capacity);
  Read tell(TlsSession::Opened opened);
  void count_received(size_t bytes) {
    if (byte_counts_ != nullptr) ByteCounts::add(byte_counts_->received, bytes);
  }
  void count_sent(size_t bytes) {
    if (byte_counts_ != nullptr) ByteCounts::add(byte_counts_->sent, bytes);
  }
  void flush_tls(bool more);
  void send_sealed(bool more);
  void queue_sealed();
  void keep_unsealed();
  void spill_sealed();
  void join_flush_list();
  WriteBatch& batch();
  void release_batch();
  void leave_lists();
  void after_send();
  void note_lost() { bytes_lost_ += static_cast<uint32_t>(bytes_waiting()); }
  void fail(int error);

  Owner& owner_;
  Loop& loop_;
  Watch watch_;
  WriteBatch* batch_ = nullptr;
  Connection* next_flush_ = nullptr;
  const ByteCounts* byte_counts_ = nullptr;
  LazyBuffer waiting_;  // ciphertext with TLS
  TlsShare tls_;
  uint32_t limit_ = 1 << 20;
  int fd_ = -1;
  uint32_t bytes_lost_ = 0;
  bool connecting_ : 1 = false;
  bool handshaking_ : 1 = false;
  bool readable_ : 1 = false;
  bool writable_ : 1 = true;
  bool peer_closed_ : 1 = false;
  bool paused_ : 1 = false;
  bool in_flush_list_ : 1 = false;
  bool in_resume_list_ : 1 = false;
  bool resume_wanted_ : 1 = false;
  bool more_expected_ : 1 = false;
  bool was_above_limit_ : 1 = false;
  bool shutdown_wanted_ : 1 = false;
  bool failed_ : 1 = false;
  bool pump_wanted_ : 1 = false;
  bool gathers_turn_ : 1 = false;
  bool in_late_list_ : 1 = false;
};

}  // namespace weir::net
