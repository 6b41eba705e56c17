// A fetcher over a transport that does what a test says, for what no network does on demand: answers that come late,
// twice, or to nobody. Ends with 1 where something isn't as it should be, and says what.
//
// The model has one parameter, `level`, a record of one number, `game`, and no default record.
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "client.hpp"

namespace {

using Milliseconds = std::chrono::milliseconds;

void expect(bool fulfilled, const char* what) {
  if (fulfilled) return;
  std::fprintf(stderr, "expected: %s\n", what);
  std::exit(1);
}

recgate::HttpResponse packed(const std::string& body, const std::string& etag) {
  recgate::HttpResponse response;
  response.status = 200;
  response.headers = {{"content-type", "application/vnd.recgate.packed"}, {"etag", etag}, {"recgate", "v=a, r=split"}};
  response.body = body;
  return response;
}

recgate::HttpResponse status(int code) {
  recgate::HttpResponse response;
  response.status = code;
  return response;
}

class ScriptedTransport final : public recgate::HttpTransport {
 public:
  struct Sent {
    recgate::HttpRequest request;
    std::function<void(const recgate::HttpResponse&)> done;
  };

  void get(const recgate::HttpRequest& request, std::function<void(const recgate::HttpResponse&)> done) override {
    sent.push_back({request, std::move(done)});
    if (at_once) sent.back().done(*at_once);
  }

  void call_after(Milliseconds delay, std::function<void()> call) override {
    delays.push_back(delay);
    timers.push_back(std::move(call));
  }

  /// Answers requests before `get` returns.
  std::unique_ptr<recgate::HttpResponse> at_once;
  std::deque<Sent> sent;
  std::vector<Milliseconds> delays;
  std::vector<std::function<void()>> timers;
};

struct Scene {
  explicit Scene(client::TokenSource token = [](bool, const client::GiveToken& give) { give("token"); },
                 Milliseconds deadline = Milliseconds(60000)) {
    client::FetcherOptions options;
    options.base_url = "https://gateway.example/path/";
    options.deadline = deadline;
    fetcher = std::make_unique<client::Fetcher>(transport, options, std::move(token));
  }

  explicit Scene(const client::FetcherOptions& options) {
    const auto give_token = [this](bool, const client::GiveToken& give) {
      ++tokens_asked;
      give("token");
    };
    fetcher = std::make_unique<client::Fetcher>(transport, options, give_token);
  }

  void recommend(std::int64_t level = 0) {
    client::Parameters parameters;
    parameters.level = level;
    fetcher->recommend(parameters, [this](const client::Recommendation& given) { found.push_back(given); });
  }

  std::shared_ptr<ScriptedTransport> transport = std::make_shared<ScriptedTransport>();
  std::unique_ptr<client::Fetcher> fetcher;
  std::vector<client::Recommendation> found;
  int tokens_asked = 0;
};

bool has_header(const recgate::HttpRequest& request, const std::string& name, const std::string& value) {
  for (const auto& field : request.headers) {
    if (field.first == name && field.second == value) return true;
  }
  return false;
}

void answers_count_once() {
  Scene scene;
  scene.recommend();
  expect(scene.transport->sent.size() == 1, "one request");
  const auto& sent = scene.transport->sent.front();
  expect(sent.request.url.rfind("https://gateway.example/path/recommendations?model=", 0) == 0, "the gateway's path");
  expect(has_header(sent.request, "Authorization", "Bearer token"), "the token");
  expect(sent.request.timeout > Milliseconds(0), "a timeout");
  expect(sent.request.timeout <= Milliseconds(61000), "a timeout that is hardly longer than the deadline");
  expect(sent.request.body_bytes_max > 0, "a bound of the body");
  sent.done(packed("\x01\x07", "\"one\""));
  sent.done(packed("\x01\x08", "\"two\""));
  sent.done(status(0));
  scene.transport->timers.front()();
  expect(scene.found.size() == 1, "one recommendation");
  expect(scene.found.front().record && scene.found.front().record->game == 7, "the first answer");
}

void nothing_is_called_when_the_fetcher_is_gone() {
  Scene scene;
  scene.recommend();
  scene.fetcher.reset();
  scene.transport->sent.front().done(packed("\x01\x07", "\"one\""));
  for (const auto& timer : scene.transport->timers) timer();
  expect(scene.found.empty(), "silence");
}

void the_deadline_holds_without_an_answer() {
  Scene scene;
  scene.recommend();
  expect(scene.transport->delays == std::vector<Milliseconds>{Milliseconds(60000)}, "a timer for the deadline");
  scene.transport->timers.front()();
  expect(scene.found.size() == 1 && scene.found.front().error.code == "deadline", "the deadline");
  expect(!scene.found.front().record && scene.found.front().source == client::Source::none, "no record");
  expect(scene.found.front().reason.empty(), "no reason");
  scene.transport->sent.front().done(packed("\x01\x07", "\"one\""));
  expect(scene.found.size() == 1, "nothing of a late answer");
}

void tokens_count_once_and_may_come_late() {
  std::vector<client::GiveToken> asked;
  Scene scene([&asked](bool, const client::GiveToken& give) { asked.push_back(give); });
  scene.recommend();
  expect(scene.transport->sent.empty(), "no request without a token");
  asked.front()("first");
  asked.front()("second");
  expect(scene.transport->sent.size() == 1, "one request");
  auto expired = status(401);
  expired.headers = {{"Content-Type", "application/problem+json"}};
  expired.body = "{\"code\" : \"token-expired\"}";
  scene.transport->sent.front().done(expired);
  expect(asked.size() == 2, "asked for another one");
  asked.front()("first again");
  expect(scene.transport->sent.size() == 1, "nothing for the old question");
  asked.back()("third");
  expect(scene.transport->sent.size() == 2, "another request");
  expect(has_header(scene.transport->sent.back().request, "Authorization", "Bearer third"), "with the new token");
  scene.transport->timers.front()();
  asked.back()("fourth");
  expect(scene.transport->sent.size() == 2 && scene.found.size() == 1, "nothing after the deadline");
}

void a_callback_may_destroy_the_fetcher() {
  Scene scene;
  scene.transport->at_once = std::make_unique<recgate::HttpResponse>(packed("\x01\x07", "\"one\""));
  std::weak_ptr<ScriptedTransport> transport = scene.transport;
  scene.transport.reset();
  bool called = false;
  scene.fetcher->recommend({}, [&](const client::Recommendation& given) {
    called = given.record.has_value();
    scene.fetcher.reset();
  });
  expect(called && transport.expired(), "one call, and nothing left");

  std::unique_ptr<client::Fetcher> own;
  Scene other([&own](bool, const client::GiveToken& give) {
    own.reset();
    give("token");
  });
  own = std::move(other.fetcher);
  own->recommend({}, nullptr);
  expect(own == nullptr && other.transport->sent.empty(), "silence");
}

void nobody_need_listen() {
  Scene scene;
  scene.fetcher->recommend({}, nullptr);
  scene.transport->sent.front().done(status(500));
  Scene deaf(nullptr);
  deaf.recommend();
  expect(deaf.found.size() == 1 && deaf.found.front().error.code == "token-callback", "no token without a source");
}

void two_may_be_under_way() {
  Scene scene;
  scene.recommend();
  scene.recommend();
  scene.transport->sent[1].done(packed("\x01\x08", "\"two\""));
  scene.transport->sent[0].done(packed("\x01\x07", "\"one\""));
  expect(scene.found.size() == 2, "two recommendations");
  expect(scene.found[0].record->game == 8 && scene.found[1].record->game == 7, "each its own");
  scene.recommend();
  expect(has_header(scene.transport->sent.back().request, "If-None-Match", "\"one\""), "the last one is kept");
  scene.transport->sent.back().done(status(304));
  expect(scene.found.back().record->game == 7 && scene.found.back().status == 304, "and stands for a 304");
}

void what_is_kept_has_a_bound() {
  Scene scene;
  for (std::int64_t level = 0; level <= 32; ++level) {
    scene.recommend(level);
    scene.transport->sent.back().done(packed("\x01\x07", "\"" + std::to_string(level) + "\""));
    // Whoever is asked for again stays.
    scene.recommend(1);
    scene.transport->sent.back().done(packed("\x01\x07", "\"1\""));
  }
  const auto is_kept = [&scene](std::int64_t level) {
    scene.recommend(level);
    const std::string etag = "\"" + std::to_string(level) + "\"";
    const bool kept = has_header(scene.transport->sent.back().request, "If-None-Match", etag);
    scene.transport->sent.back().done(status(0));
    return kept;
  };
  expect(!is_kept(0), "the oldest is gone");
  expect(is_kept(1) && is_kept(2) && is_kept(32), "32 are kept");
}

void any_deadline_will_do() {
  for (const Milliseconds deadline : {(Milliseconds::max)(), Milliseconds(0), (Milliseconds::min)()}) {
    Scene scene([](bool, const client::GiveToken& give) { give("token"); }, deadline);
    scene.recommend();
    const bool endless = deadline.count() > 0;
    expect(scene.transport->sent.size() == (endless ? 1 : 0), "a request only where there is time");
    if (!endless) expect(scene.found.size() == 1 && scene.found.front().error.code == "deadline", "the deadline");
  }
}

void a_304_may_come_bare() {
  Scene scene;
  scene.recommend();
  scene.transport->sent.back().done(packed("\x01\x07", "\"one\""));
  const auto expect_arm = [&scene](const std::string& version, const std::string& reason) {
    expect(scene.found.back().record && scene.found.back().record->game == 7, "the kept record");
    expect(scene.found.back().version == version, "the version");
    expect(scene.found.back().reason == reason, "the reason");
  };
  for (int times = 0; times < 2; ++times) {
    scene.recommend();
    expect(has_header(scene.transport->sent.back().request, "If-None-Match", "\"one\""), "the kept ETag");
    scene.transport->sent.back().done(status(304));
    expect_arm("a", "split");
  }
  scene.recommend();
  auto moved = status(304);
  moved.headers = {{"Recgate", "v=b, r=override"}};
  scene.transport->sent.back().done(moved);
  expect_arm("b", "override");
  scene.recommend();
  scene.transport->sent.back().done(status(304));
  expect_arm("b", "override");
  scene.recommend();
  auto outside = status(304);
  outside.headers = {{"Recgate", "r=default"}};
  scene.transport->sent.back().done(outside);
  expect_arm("", "default");
  scene.recommend();
  scene.transport->sent.back().done(status(0));
  expect_arm("", "kept");
}

void options_are_checked() {
  const auto try_options = [](const client::FetcherOptions& options, const std::string& detail) {
    Scene scene(options);
    scene.recommend();
    if (detail.empty()) return expect(scene.transport->sent.size() == 1, "a request");
    expect(scene.transport->sent.empty() && scene.transport->timers.empty(), "nothing sent");
    expect(scene.tokens_asked == 0, "no token asked for");
    expect(scene.found.size() == 1 && scene.found.front().error.code == "option-invalid", "option-invalid");
    expect(scene.found.front().error.detail == detail, detail.c_str());
  };
  for (const char* url : {"", "gateway.example", "http://", "https:///path", "ftp://gateway.example", "http:gateway",
                          "https://gateway.example?x", "https://gateway.example/#x", " https://gateway.example",
                          "https://gateway.example\r\nX: y", "https://gr\xc3\xbc\xc3\x9f.example"}) {
    client::FetcherOptions options;
    options.base_url = url;
    const std::string rule = "base_url: must be http:// or https:// and a host, without query and fragment, is \"";
    try_options(options, rule + url + '"');
  }
  for (const char* url : {"http://127.0.0.1:8080", "HTTPS://gateway.example/a/b//", "http://[::1]:1"}) {
    client::FetcherOptions options;
    options.base_url = url;
    try_options(options, "");
  }
  for (const std::int64_t limit : {std::int64_t{-1}, std::int64_t{4}, std::int64_t{5}, std::int64_t{999999999},
                                   std::int64_t{1000000000}}) {
    client::FetcherOptions options;
    options.base_url = "https://gateway.example";
    options.gateway_deadline = Milliseconds(limit);
    const bool fits = limit == 5 || limit == 999999999;
    const std::string rule = "gateway_deadline: must be 5 to 999999999 ms, is ";
    try_options(options, fits ? "" : rule + std::to_string(limit));
  }
}

}  // namespace

int main() {
  answers_count_once();
  nothing_is_called_when_the_fetcher_is_gone();
  the_deadline_holds_without_an_answer();
  tokens_count_once_and_may_come_late();
  a_callback_may_destroy_the_fetcher();
  nobody_need_listen();
  two_may_be_under_way();
  what_is_kept_has_a_bound();
  any_deadline_will_do();
  a_304_may_come_bare();
  options_are_checked();
}
