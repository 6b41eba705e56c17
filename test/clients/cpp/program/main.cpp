#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "answers.hpp"

namespace {

unsigned hex_digit(char character) {
  return static_cast<unsigned>(character <= '9' ? character - '0' : character - 'a' + 10);
}

/// In memory that ends where they end, so that a sanitizer sees whoever reads on.
std::string answer_to(const Model& model, const std::string& asked) {
  std::string answer;
  if (asked == "default") {
    model.default_record(answer);
    return answer;
  }
  const std::size_t size = asked == "-" ? 0 : asked.size() / 2;
  const std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[size]);
  for (std::size_t index = 0; index < size; ++index) {
    bytes[index] = static_cast<std::uint8_t>(hex_digit(asked[2 * index]) << 4 | hex_digit(asked[2 * index + 1]));
  }
  model.decode(bytes.get(), size, answer);
  return answer;
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  std::string index;
  std::string asked;
  while (std::cin >> index >> asked) {
    const unsigned long place = std::strtoul(index.c_str(), nullptr, 10);
    if (place >= model_count) return 2;
    std::cout << answer_to(models[place], asked) << '\n';
  }
}
