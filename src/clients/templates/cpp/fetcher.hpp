// Asking a gateway for a player's recommendation, with everything that a game would have to write around it otherwise.
// `recgate client cpp` writes this into each fetcher, in the model's own namespace instead of recgate::model.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http_fields.hpp"
#include "model.hpp"
#include "recgate_http.hpp"

namespace recgate::model {

/// Who gave a record.
enum class Source : std::uint8_t {
  /// The gateway, now.
  gateway,
  /// The gateway, for an earlier request with the same parameters.
  kept,
  /// This file: the model's default record as it was when the file was generated.
  built_in,
  /// Nobody: the model has no default record.
  none,
};

/// `gateway`, `kept`, `built-in` or `none`.
inline std::string_view to_string(Source source) noexcept {
  switch (source) {
    case Source::gateway:
      return "gateway";
    case Source::kept:
      return "kept";
    case Source::built_in:
      return "built-in";
    case Source::none:
      return "none";
  }
  return {};
}

/// Why the gateway gave no record.
struct FetchError {
  /// The gateway's, such as `token-invalid`; the decoder's, such as `packed-truncated`; or the fetcher's own:
  /// `network`, `deadline`, `token-callback`, `parameter-invalid`, `option-invalid`, `answer-unexpected`. Empty where
  /// it did.
  std::string code;
  /// For people.
  std::string detail;
};

/// A record, and what the studio's analytics want to know of it.
struct Recommendation {
  /// Absent only where `source` is `none`.
  std::optional<Record> record;
  Source source = Source::none;
  /// The player's arm of the experiment, as the answer named it; empty where there was none.
  std::string version;
  /// The gateway's (`split`, `override`, `sibling`, `stale`, `default`, and others to come), or `kept`, `built-in`.
  std::string reason;
  /// Of the last answer; 0 where none came.
  int status = 0;
  FetchError error;
};

/// What doesn't fit is what every recommendation's error says, as `option-invalid`: nothing is sent then.
struct FetcherOptions {
  /// Where the gateway is: `https://recommendations.example`, with a path where it stands under one, and without query
  /// and fragment.
  std::string base_url;
  /// For everything together, tries and waits included; a day at most.
  std::chrono::milliseconds deadline{5000};
  /// How long the gateway may look for the player's own record, 5 to 999,999,999 ms; without it the model's own time.
  std::optional<std::chrono::milliseconds> gateway_deadline;
  /// Says which model is meant, as tokens for several need it.
  bool send_model = true;
  /// Whether the last record that came may stand in where no answer does.
  bool use_kept = true;
};

/// Takes the player's token, now or later; an empty text where there is none.
using GiveToken = std::function<void(std::string token)>;
/// Is asked for the player's token. `refresh` is true once, after the gateway said that the last one has expired.
using TokenSource = std::function<void(bool refresh, GiveToken give)>;
using OnRecommendation = std::function<void(const Recommendation&)>;

namespace detail {

/// Sets of parameters whose last records are kept.
inline constexpr std::size_t kept_max = 32;
/// More than any packed record of any model, or any problem, has.
inline constexpr std::size_t body_bytes_max = 65536;
/// What gateways take of `Recgate-Deadline-Ms`; what is outside they refuse with 400.
inline constexpr std::chrono::milliseconds gateway_deadline_min{5};
inline constexpr std::chrono::milliseconds gateway_deadline_max{999999999};

/// Answers what is wrong with an option, or nothing where all fit.
inline std::string problem_of(const FetcherOptions& options) {
  if (!is_base_url(options.base_url)) {
    return "base_url: must be http:// or https:// and a host, without query and fragment, is \"" + options.base_url + '"';
  }
  const auto& limit = options.gateway_deadline;
  if (limit.has_value() && (*limit < gateway_deadline_min || *limit > gateway_deadline_max)) {
    return "gateway_deadline: must be 5 to 999999999 ms, is " + std::to_string(limit->count());
  }
  return {};
}

struct Kept {
  std::string query;
  std::string etag;
  std::string version;
  std::string reason;
  Record record;
};

struct FetcherState {
  std::shared_ptr<::recgate::HttpTransport> transport;
  FetcherOptions options;
  TokenSource token;
  /// The fetcher is gone; only what it called, and what destroyed it, is still to return.
  bool is_abandoned = false;
  /// The latest last.
  std::vector<std::shared_ptr<const Kept>> kept;

  std::shared_ptr<const Kept> find(const std::string& query) const {
    for (const auto& entry : kept) {
      if (entry->query == query) return entry;
    }
    return nullptr;
  }

  void keep(std::shared_ptr<const Kept> latest) {
    std::vector<std::shared_ptr<const Kept>> entries;
    for (auto& entry : kept) {
      if (entry->query != latest->query) entries.push_back(std::move(entry));
    }
    if (entries.size() == kept_max) entries.erase(entries.begin());
    entries.push_back(std::move(latest));
    kept = std::move(entries);
  }
};

/// One recommendation on its way. Its callbacks hold it, and it doesn't hold the fetcher: when that is gone, it ends
/// in silence.
class Fetch : public std::enable_shared_from_this<Fetch> {
 public:
  Fetch(const std::shared_ptr<FetcherState>& state, OnRecommendation done)
      : state_(state), done_(std::move(done)), give_up_at_(Clock::now() + deadline_of(*state)) {}

  void begin(const Parameters& parameters) {
    const auto state = state_.lock();
    if (state == nullptr) return;
    const std::string fault = problem_of(state->options);
    if (!fault.empty()) return stand_in(*state, {"option-invalid", fault}, false);
    const std::string problem = write_query(parameters, query_);
    if (!problem.empty()) return stand_in(*state, {"parameter-invalid", problem}, false);
    state->transport->call_after(deadline_of(*state), [self = shared_from_this()] { self->run_out(); });
    ask_token(*state, false);
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// Within a day, since clocks that count nanoseconds in 64 bits know no such times as milliseconds can tell.
  static std::chrono::milliseconds deadline_of(const FetcherState& state) {
    const std::chrono::milliseconds longest = std::chrono::hours(24);
    return std::clamp(state.options.deadline, std::chrono::milliseconds(0), longest);
  }

  /// The state, where the callback of this step is the one that is waited for: late and repeated ones come to nothing.
  std::shared_ptr<FetcherState> state_in(unsigned step) const {
    if (finished_ || step != step_) return nullptr;
    auto state = state_.lock();
    return state != nullptr && state->is_abandoned ? nullptr : state;
  }

  void run_out() {
    const auto state = state_in(step_);
    if (state == nullptr) return;
    const std::string limit = std::to_string(deadline_of(*state).count());
    stand_in(*state, {"deadline", "no record within " + limit + " ms"}, true);
  }

  void ask_token(FetcherState& state, bool refresh) {
    const auto give = [self = shared_from_this(), step = ++step_](std::string token) {
      const auto current = self->state_in(step);
      if (current == nullptr) return;
      if (!is_token(token)) {
        return self->stand_in(*current, {"token-callback", "the callback gave no token"}, true);
      }
      self->token_ = std::move(token);
      self->send(*current);
    };
    if (!state.token) return give({});
    // A copy, so that it outlives whatever it does to the fetcher.
    const TokenSource source = state.token;
    source(refresh, give);
  }

  void send(FetcherState& state) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(give_up_at_ - Clock::now());
    if (left.count() <= 0) return run_out();
    sent_ = state.find(query_);
    if (sent_ != nullptr && sent_->etag.empty()) sent_ = nullptr;
    ::recgate::HttpRequest request;
    request.url = url_of(state.options);
    request.headers = {{"Authorization", "Bearer " + token_}, {"Accept", std::string(packed_type)}};
    if (sent_ != nullptr) request.headers.emplace_back("If-None-Match", sent_->etag);
    if (state.options.gateway_deadline.has_value()) {
      const std::string limit = std::to_string(state.options.gateway_deadline->count());
      request.headers.emplace_back("Recgate-Deadline-Ms", limit);
    }
    // So that the deadline, which says what happened, comes first: HTTP libraries round, and have a clock of their own.
    request.timeout = left + std::chrono::milliseconds(25);
    request.body_bytes_max = body_bytes_max;
    state.transport->get(request, [self = shared_from_this(), step = ++step_](const ::recgate::HttpResponse& response) {
      const auto current = self->state_in(step);
      if (current != nullptr) self->answered(*current, response);
    });
  }

  std::string url_of(const FetcherOptions& options) const {
    std::string url = options.base_url;
    while (!url.empty() && url.back() == '/') url.pop_back();
    url += "/recommendations";
    std::string query;
    if (options.send_model) add_parameter(query, "model", model_id);
    if (!query_.empty()) query += (query.empty() ? "" : "&") + query_;
    return query.empty() ? url : url + '?' + query;
  }

  void answered(FetcherState& state, const ::recgate::HttpResponse& response) {
    if (response.status == 0) {
      if (Clock::now() >= give_up_at_) return run_out();
      return stand_in(state, {"network", response.problem}, true);
    }
    status_ = response.status;
    if (response.status == 200 && has_type(response, packed_type)) return take_packed(state, response);
    if (response.status == 304 && sent_ != nullptr) return take_unchanged(state, response);
    refused(state, response);
  }

  void take_packed(FetcherState& state, const ::recgate::HttpResponse& response) {
    Decoded decoded = decode(response.body);
    if (!decoded.record.has_value()) {
      const std::string code(to_string(decoded.error.code));
      return stand_in(state, {code, "field " + std::string(decoded.error.field)}, true);
    }
    auto kept = std::make_shared<Kept>();
    kept->query = query_;
    kept->etag = header(response, "ETag");
    kept->version = experiment_member(response, "v");
    kept->reason = experiment_member(response, "r");
    kept->record = *std::move(decoded.record);
    give_kept(state, std::move(kept));
  }

  void take_unchanged(FetcherState& state, const ::recgate::HttpResponse& response) {
    // A cache may have left `Recgate` off (RFC 9110, 15.4.5): what came with the record is still so then.
    if (header(response, "Recgate").empty()) return give_kept(state, sent_);
    auto renewed = std::make_shared<Kept>(*sent_);
    renewed->version = experiment_member(response, "v");
    renewed->reason = experiment_member(response, "r");
    give_kept(state, std::move(renewed));
  }

  void give_kept(FetcherState& state, std::shared_ptr<const Kept> latest) {
    state.keep(latest);
    finish({latest->record, Source::gateway, latest->version, latest->reason, status_, {}});
  }

  /// Once more with a new token, once more after `Retry-After`, and never for another reason.
  void refused(FetcherState& state, const ::recgate::HttpResponse& response) {
    FetchError error;
    if (has_type(response, problem_type)) {
      error = {json_member(response.body, "code"), json_member(response.body, "detail")};
    }
    if (error.code.empty()) {
      const std::string type(header(response, "Content-Type"));
      error = {"answer-unexpected", std::to_string(status_) + " with \"" + type + "\", not a packed record"};
    }
    if (status_ == 401 && error.code == "token-expired" && !refreshed_) {
      refreshed_ = true;
      return ask_token(state, true);
    }
    const auto pause = retry_after(response);
    const bool repeatable = (status_ == 429 || status_ == 503) && !waited_ && pause.has_value();
    if (!repeatable || Clock::now() + *pause >= give_up_at_) return stand_in(state, std::move(error), true);
    waited_ = true;
    state.transport->call_after(*pause, [self = shared_from_this(), step = ++step_] {
      const auto current = self->state_in(step);
      if (current != nullptr) self->send(*current);
    });
  }

  /// The last record for the same parameters, or else the one of this file.
  void stand_in(const FetcherState& state, FetchError error, bool may_be_kept) {
    const auto kept = may_be_kept && state.options.use_kept ? state.find(query_) : nullptr;
    if (kept != nullptr) {
      return finish({kept->record, Source::kept, kept->version, "kept", status_, std::move(error)});
    }
    std::optional<Record> record = default_record();
    const bool built_in = record.has_value();
    finish({std::move(record), built_in ? Source::built_in : Source::none, {}, built_in ? "built-in" : "", status_,
            std::move(error)});
  }

  void finish(const Recommendation& recommendation) {
    finished_ = true;
    const OnRecommendation done = std::move(done_);
    done_ = nullptr;
    if (done) done(recommendation);
  }

  std::weak_ptr<FetcherState> state_;
  OnRecommendation done_;
  Clock::time_point give_up_at_;
  std::string query_;
  std::string token_;
  /// What `If-None-Match` stands for.
  std::shared_ptr<const Kept> sent_;
  int status_ = 0;
  unsigned step_ = 0;
  bool refreshed_ = false;
  bool waited_ = false;
  bool finished_ = false;
};

}  // namespace detail

/// For one player: another one's token needs a fetcher of its own, or would get the first one's records. Everything
/// happens on one thread (see HttpTransport); once a fetcher is destroyed, it calls nothing back.
class Fetcher {
 public:
  Fetcher(std::shared_ptr<::recgate::HttpTransport> transport, FetcherOptions options, TokenSource token)
      : state_(std::make_shared<detail::FetcherState>()) {
    state_->transport = std::move(transport);
    state_->options = std::move(options);
    state_->token = std::move(token);
  }
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;
  ~Fetcher() { state_->is_abandoned = true; }

  /// Calls `done` once, within the deadline, whatever happens.
  void recommend(const Parameters& parameters, OnRecommendation done) {
    std::make_shared<detail::Fetch>(state_, std::move(done))->begin(parameters);
  }

 private:
  std::shared_ptr<detail::FetcherState> state_;
};

}  // namespace recgate::model
