// HTTP by libcurl 7.66 or later, for games, tools and servers that have no HTTP library of an engine. The same file for
// every model. Link with -lcurl.
#pragma once

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recgate_http.hpp"

namespace recgate {

/// Works without a thread of its own: whoever uses it calls `update` once a frame, or in a loop.
class CurlTransport final : public HttpTransport {
 public:
  /// `configure` may set more of each handle: a proxy, authorities, a client certificate.
  explicit CurlTransport(std::function<void(CURL*)> configure = {}) : configure_(std::move(configure)) {
    static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
    multi_ = initialized == CURLE_OK ? curl_multi_init() : nullptr;
  }

  /// Forgets what is under way, and calls nothing back. Not to be destroyed by what it calls back.
  ~CurlTransport() override {
    for (const auto& transfer : transfers_) curl_multi_remove_handle(multi_, transfer->easy.get());
    transfers_.clear();
    if (multi_ != nullptr) curl_multi_cleanup(multi_);
  }

  void get(const HttpRequest& request, std::function<void(const HttpResponse&)> done) override {
    auto transfer = std::make_unique<Transfer>();
    transfer->body_bytes_max = request.body_bytes_max;
    transfer->done = std::move(done);
    if (multi_ == nullptr || !prepare(*transfer, request) ||
        curl_multi_add_handle(multi_, transfer->easy.get()) != CURLM_OK) {
      transfer->response.problem = "libcurl has no handle for a request";
      transfer->done(transfer->response);
      return;
    }
    transfers_.push_back(std::move(transfer));
  }

  void call_after(std::chrono::milliseconds delay, std::function<void()> call) override {
    timers_.emplace(Clock::now() + delay, std::move(call));
  }

  /// Does what there is to do, and calls back what is due; where that is nothing, waits for it, but no longer than
  /// `wait`.
  void update(std::chrono::milliseconds wait = std::chrono::milliseconds(0)) {
    if (turn() || wait.count() <= 0) return;
    if (!timers_.empty()) {
      const auto due = timers_.begin()->first - Clock::now();
      wait = (std::min)(wait, std::chrono::duration_cast<std::chrono::milliseconds>(due) + std::chrono::milliseconds(1));
    }
    if (multi_ != nullptr && wait.count() > 0) curl_multi_poll(multi_, nullptr, 0, static_cast<int>(wait.count()), nullptr);
    turn();
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Close {
    void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
  };

  struct Transfer {
    std::unique_ptr<curl_slist, Close> headers;
    std::unique_ptr<CURL, Close> easy{curl_easy_init()};
    std::function<void(const HttpResponse&)> done;
    std::size_t body_bytes_max = 0;
    HttpResponse response;
  };

  bool prepare(Transfer& transfer, const HttpRequest& request) const {
    CURL* easy = transfer.easy.get();
    if (easy == nullptr) return false;
    for (const auto& field : request.headers) {
      const std::string line = field.first + ": " + field.second;
      curl_slist* longer = curl_slist_append(transfer.headers.get(), line.c_str());
      if (longer == nullptr) return false;
      static_cast<void>(transfer.headers.release());
      transfer.headers.reset(longer);
    }
    curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers.get());
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
    // Timeouts by signal would hit whatever thread of the game's.
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    if (configure_) configure_(easy);
    return true;
  }

  static std::size_t take_body(char* data, std::size_t unit, std::size_t count, void* given) {
    Transfer& transfer = *static_cast<Transfer*>(given);
    const std::size_t size = unit * count;
    // Another number than was given ends the transfer.
    if (size > transfer.body_bytes_max - transfer.response.body.size()) return 0;
    transfer.response.body.append(data, size);
    return size;
  }

  static std::size_t take_header(char* data, std::size_t unit, std::size_t count, void* given) {
    HttpHeaders& headers = static_cast<Transfer*>(given)->response.headers;
    const std::size_t size = unit * count;
    std::string_view line(data, size);
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    // The head of another answer: what came before was 1xx, or a proxy's.
    if (line.substr(0, 5) == "HTTP/") headers.clear();
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos) headers.emplace_back(line.substr(0, colon), line.substr(colon + 1));
    return size;
  }

  /// Answers whether anything was called back.
  bool turn() {
    const bool timed = call_due();
    if (multi_ == nullptr) return timed;
    int running = 0;
    curl_multi_perform(multi_, &running);
    // Before anything is called back, which may begin another transfer.
    std::vector<std::unique_ptr<Transfer>> over;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg == CURLMSG_DONE) over.push_back(taken(message->easy_handle, message->data.result));
    }
    for (const auto& transfer : over) transfer->done(transfer->response);
    return timed || !over.empty();
  }

  bool call_due() {
    const auto now = Clock::now();
    bool called = false;
    while (!timers_.empty() && timers_.begin()->first <= now) {
      const std::function<void()> call = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      call();
      called = true;
    }
    return called;
  }

  std::unique_ptr<Transfer> taken(CURL* easy, CURLcode result) {
    const auto found = std::find_if(transfers_.begin(), transfers_.end(),
                                    [easy](const auto& transfer) { return transfer->easy.get() == easy; });
    std::unique_ptr<Transfer> transfer = std::move(*found);
    transfers_.erase(found);
    curl_multi_remove_handle(multi_, easy);
    if (result == CURLE_OK) {
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      transfer->response.status = static_cast<int>(status);
    } else {
      transfer->response.problem = curl_easy_strerror(result);
    }
    return transfer;
  }

  std::function<void(CURL*)> configure_;
  CURLM* multi_ = nullptr;
  std::vector<std::unique_ptr<Transfer>> transfers_;
  std::multimap<Clock::time_point, std::function<void()>> timers_;
};

}  // namespace recgate
