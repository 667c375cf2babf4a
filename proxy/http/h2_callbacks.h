#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>

namespace weir::http::h2 {

class Session;

// nghttp2's callbacks, as it wants them: C functions that get the session by a pointer.
struct Callbacks {
  // A session of nghttp2's with these callbacks, in memory of these; null when memory is short.
  static nghttp2_session* make_session(Session& session, bool server, uint32_t hpack_table_bytes,
                                       uint32_t max_acks, nghttp2_mem hooks);

  // What nghttp2 asks for the payload of one stream's DATA frames.
  static nghttp2_data_provider body_of(int32_t stream_id);

 private:
  static int on_begin_frame(nghttp2_session* from, const nghttp2_frame_hd* head, void* self);
  static int on_begin_headers(nghttp2_session* from, const nghttp2_frame* frame, void* self);
  static int ignore_line(Session& session);
  static int on_header(nghttp2_session* from, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_bytes, const uint8_t* value, size_t value_bytes, uint8_t flags,
                       void* self);
  static int on_frame(nghttp2_session* from, const nghttp2_frame* frame, void* self);
  static int on_invalid_frame(nghttp2_session* from, const nghttp2_frame* frame, int error,
                              void* self);
  static int on_data(nghttp2_session* from, uint8_t flags, int32_t id, const uint8_t* data,
                     size_t bytes, void* self);
  static int on_stream_close(nghttp2_session* from, int32_t id, uint32_t error_code, void* self);
  static ssize_t read_body(nghttp2_session* from, int32_t id, uint8_t* to, size_t most,
                           uint32_t* flags, nghttp2_data_source* source, void* self);
  static int send_data(nghttp2_session* from, nghttp2_frame* frame, const uint8_t* header,
                       size_t bytes, nghttp2_data_source* source, void* self);

  static void on_headers_end(Session& session, const nghttp2_frame& frame);
  static void on_data_end(Session& session, const nghttp2_frame& frame);
};

}  // namespace weir::http::h2
