#include "proxy/net/loop.h"

#include <event2/event.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "proxy/net/connection.h"
#include "proxy/net/tls_session.h"

namespace weir::net {
namespace {

int64_t read_clock(clockid_t id) {
  timespec t;
  clock_gettime(id, &t);
  return t.tv_sec * 1'000'000'000ll + t.tv_nsec;
}

// How long the wall clock's offset is trusted: a step of the wall clock shows within this time.
constexpr int64_t kWallTrustNs = 1'000'000'000;

event_base* new_base() {
  event_config* config = event_config_new();
  // One thread owns the loop; what comes from others goes through post().
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
  event_config_require_features(config, EV_FEATURE_ET);
  event_base* base = event_base_new_with_config(config);
  event_config_free(config);
  if (base == nullptr) std::abort();
  return base;
}

}  // namespace

void Watch::start(Loop& loop, int fd, Owner& owner) {
  event_assign(&event_, loop.base_, fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST,
               &Watch::dispatch, &owner);
  event_add(&event_, nullptr);
}

void Watch::start_level(Loop& loop, int fd, Owner& owner) {
  event_assign(&event_, loop.base_, fd, EV_READ | EV_PERSIST, &Watch::dispatch, &owner);
  event_add(&event_, nullptr);
}

void Watch::stop() {
  if (event_.ev_base == nullptr) return;
  event_del(&event_);
  event_.ev_base = nullptr;
}

void Watch::dispatch(int /*fd*/, short what, void* owner) {
  uint8_t ready = 0;
  if ((what & EV_READ) != 0) ready |= kReadable;
  if ((what & EV_WRITE) != 0) ready |= kWritable;
  if ((what & EV_CLOSED) != 0) ready |= kPeerClosed | kReadable;
  static_cast<Owner*>(owner)->on_ready(ready);
}

Loop::Loop() : base_(new_base()), scratch_(new char[kHeadRoomBytes + kReadBytes]) {
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  event_assign(&wake_, base_, wake_fd_, EV_READ | EV_PERSIST, &Loop::on_wake, this);
  event_add(&wake_, nullptr);
  event_assign(&tick_, base_, -1, 0, &Loop::on_tick, this);
  random_state_ = static_cast<uint64_t>(read_clock(CLOCK_MONOTONIC)) ^
                  reinterpret_cast<uintptr_t>(this) ^ 0x9e3779b97f4a7c15u;
  refresh_clock();
  timers_.start(now_ms());
}

Loop::~Loop() {
  end_of_turn();
  event_del(&tick_);
  event_del(&wake_);
  close(wake_fd_);
  event_base_free(base_);
  while (free_batches_ != nullptr) delete std::exchange(free_batches_, free_batches_->next);
}

void Loop::refresh_clock() {
  now_ns_ = read_clock(CLOCK_MONOTONIC);
  if (wall_checked_ns_ != 0 && now_ns_ - wall_checked_ns_ < kWallTrustNs) return;
  wall_checked_ns_ = now_ns_;
  wall_offset_us_ = (read_clock(CLOCK_REALTIME) - now_ns_) / 1000;
}

void Loop::run() {
  end_of_turn();
  while (running_) {
    event_base_loop(base_, EVLOOP_ONCE);
    end_of_turn();
  }
  end_of_turn();
}

void Loop::stop() {
  post([this] { running_ = false; });
}

void Loop::post(std::function<void()> task) {
  {
    std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(task));
  }
  const uint64_t one = 1;
  // A full counter means that a wake-up is already on its way.
  if (write(wake_fd_, &one, sizeof(one)) < 0) return;
}

void Loop::run_posted() {
  std::vector<std::function<void()>> tasks;
  {
    std::lock_guard lock(posted_mutex_);
    tasks.swap(posted_);
  }
  for (auto& task : tasks) task();
}

void Loop::end_of_turn() {
  turn_ends_ = true;
  flush_late();
  // Resumed reads may gather writes and retire objects, and so may each other.
  flush();
  resume_readers();
  push_held();
  for (size_t i = 0; i < retired_.size(); ++i) retired_[i].destroy(retired_[i].object);
  retired_.clear();
  if (timers_.take_wake_changed()) arm_tick();
  now_ns_ = 0;
  turn_ends_ = false;
  // What is left must not wait for the network.
  if (!resume_list_.empty()) event_active(&wake_, EV_READ, 0);
}

void Loop::resume_readers() {
  for (int round = 0; round < kMaxResumeRounds && !resume_list_.empty(); ++round) {
    resuming_.swap(resume_list_);
    for (size_t i = 0; i < resuming_.size(); ++i) {
      if (resuming_[i] == nullptr) continue;
      resuming_[i]->resume();
      flush();
    }
    resuming_.clear();
  }
}

void Loop::flush_late() {
  for (Connection* connection : late_list_) {
    if (connection == nullptr) continue;
    connection->in_late_list_ = false;
    connection->join_flush_list();
  }
  late_list_.clear();
}

TlsScratch& Loop::tls_scratch() {
  if (tls_scratch_ == nullptr) {
    tls_scratch_ = std::make_unique<TlsScratch>();
    tls_scratch_->in = std::make_unique_for_overwrite<char[]>(kReadBytes);
    tls_scratch_->record = std::make_unique_for_overwrite<char[]>(TlsSession::kRecordBytes);
  }
  return *tls_scratch_;
}

void Loop::arm_tick() {
  if (timers_.wake_ms() == INT64_MAX) {
    event_del(&tick_);
    return;
  }
  const int64_t wait = std::max<int64_t>(timers_.wake_ms() - now_ms(), 1);
  const timeval after{wait / 1000, (wait % 1000) * 1000};
  event_add(&tick_, &after);
}

void Loop::flush(bool more) {
  while (flush_list_ != nullptr) {
    Connection* connection = flush_list_;
    flush_list_ = connection->next_flush_;
    connection->next_flush_ = nullptr;
    connection->in_flush_list_ = false;
    connection->flush(more);
  }
}

void Loop::push_held() {
  if (held_ == nullptr) return;
  std::exchange(held_, nullptr)->push();
}

std::unique_ptr<Buffer> Loop::take_buffer() {
  if (free_buffers_.empty()) return std::make_unique<Buffer>(blocks_);
  std::unique_ptr<Buffer> buffer = std::move(free_buffers_.back());
  free_buffers_.pop_back();
  return buffer;
}

void Loop::give_buffer(std::unique_ptr<Buffer> buffer) {
  buffer->clear();
  if (free_buffers_.size() < kMaxFreeBuffers) free_buffers_.push_back(std::move(buffer));
}

uint64_t Loop::random() {
  uint64_t x = random_state_;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  random_state_ = x;
  return x * 0x2545f4914f6cdd1du;
}

void Loop::on_tick(int /*fd*/, short /*what*/, void* self) {
  Loop& loop = *static_cast<Loop*>(self);
  loop.timers_.advance(loop.now_ms());
}

void Loop::on_wake(int fd, short /*what*/, void* self) {
  uint64_t count;
  if (read(fd, &count, sizeof(count)) < 0) count = 0;
  static_cast<Loop*>(self)->run_posted();
}

}  // namespace weir::net
