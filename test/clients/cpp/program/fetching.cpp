// Asks a gateway as its standard input says, by libcurl, and tells on its standard output what came of it.
//
//     fetching BASE_URL DEADLINE_MS [OPTION…]    no-model, no-kept, or GATEWAY_DEADLINE_MS
//
//     VALUE…              asks, with the values of the row key's parameters in order, tabs between them, `-` for none
//     {"refresh":false}   is told whenever the fetcher asks for a token, and answered with a line: the token, `-` for
//                         none of it, or `never` where no answer is to come
//     {"source":…}        what came of it
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "client.hpp"
#include "recgate_curl.hpp"

namespace {

std::string given(const std::string& text) { return text == "-" ? std::string() : text; }

client::FetcherOptions options_of(int count, char** values) {
  client::FetcherOptions options;
  options.base_url = values[1];
  options.deadline = std::chrono::milliseconds(std::strtol(values[2], nullptr, 10));
  for (int index = 3; index < count; ++index) {
    const std::string option = values[index];
    if (option == "no-model") {
      options.send_model = false;
    } else if (option == "no-kept") {
      options.use_kept = false;
    } else {
      options.gateway_deadline = std::chrono::milliseconds(std::strtol(values[index], nullptr, 10));
    }
  }
  return options;
}

void ask_for_token(bool refresh, const client::GiveToken& give) {
  std::cout << "{\"refresh\":" << (refresh ? "true" : "false") << "}" << std::endl;
  std::string token;
  std::getline(std::cin, token);
  if (token != "never") give(given(token));
}

void tell(const client::Recommendation& recommendation) {
  std::string out = "{\"source\":";
  json::put_text(out, to_string(recommendation.source));
  out += ",\"version\":";
  json::put_text(out, recommendation.version);
  out += ",\"reason\":";
  json::put_text(out, recommendation.reason);
  out += ",\"status\":" + std::to_string(recommendation.status) + ",\"code\":";
  json::put_text(out, recommendation.error.code);
  out += ",\"detail\":";
  json::put_text(out, recommendation.error.detail);
  out += ",\"record\":";
  if (recommendation.record) {
    client::print(out, *recommendation.record);
  } else {
    out += "null";
  }
  std::cout << out << "}" << std::endl;
}

}  // namespace

int main(int count, char** values) {
  const auto transport = std::make_shared<recgate::CurlTransport>();
  client::Fetcher fetcher(transport, options_of(count, values), &ask_for_token);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::vector<std::string> parameters;
    for (std::string word; std::getline(words, word, '\t');) parameters.push_back(given(word));
    bool over = false;
    fetcher.recommend(client::parameters_of(parameters), [&over](const client::Recommendation& recommendation) {
      tell(recommendation);
      over = true;
    });
    while (!over) transport->update(std::chrono::milliseconds(1000));
  }
}
