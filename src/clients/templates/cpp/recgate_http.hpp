// What fetchers ask of a game's HTTP library. The same file for every model: a game has one transport for all.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

/// Fetchers refuse to be compiled with another one.
#define RECGATE_HTTP_TRANSPORT 1

namespace recgate {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// A GET, which follows no redirect: its token is for the gateway alone.
struct HttpRequest {
  std::string url;
  HttpHeaders headers;
  /// From now to the last byte of the answer.
  std::chrono::milliseconds timeout{0};
  /// A longer body may be given up as if the network had failed.
  std::size_t body_bytes_max = 0;
};

struct HttpResponse {
  /// 0 where no whole answer came, for whatever reason.
  int status = 0;
  HttpHeaders headers;
  std::string body;
  /// Why none came, for people.
  std::string problem;
};

/// An HTTP library and a clock. Everything is called on one thread, the one that uses the fetchers, and the transport
/// calls back on it, too: later, or before the call returns.
class HttpTransport {
 public:
  HttpTransport() = default;
  HttpTransport(const HttpTransport&) = delete;
  HttpTransport& operator=(const HttpTransport&) = delete;
  virtual ~HttpTransport() = default;

  /// Sends the request, and calls `done` once.
  virtual void get(const HttpRequest& request, std::function<void(const HttpResponse&)> done) = 0;

  /// Calls `call` once, when `delay` is over and not before this returns.
  virtual void call_after(std::chrono::milliseconds delay, std::function<void()> call) = 0;
};

}  // namespace recgate
