// Reads the same records packed and as JSON text, in turns, into the same struct. Prints a line a repetition: nanoseconds
// a record of either, packed first.
//
//     decode RECORDS REPETITIONS    each line of standard input: a body in hex, a space, the record as JSON
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <rapidjson/document.h>

#include "demo-studio.games.hpp"

namespace {

namespace games = recgate::demo_studio::games;

struct Sample {
  std::vector<std::uint8_t> packed;
  std::string json;
};

std::uint8_t hex_byte(const char* digits) {
  const char pair[] = {digits[0], digits[1], '\0'};
  return static_cast<std::uint8_t>(std::strtoul(pair, nullptr, 16));
}

std::vector<Sample> read_samples() {
  std::vector<Sample> samples;
  std::string hex;
  std::string json;
  while (std::cin >> hex && std::getline(std::cin, json)) {
    Sample sample;
    for (std::size_t index = 0; index + 1 < hex.size(); index += 2) sample.packed.push_back(hex_byte(&hex[index]));
    sample.json = json;
    samples.push_back(sample);
  }
  return samples;
}

bool read_packed(const Sample& sample, games::Record& record) {
  games::Decoded decoded = games::decode(sample.packed.data(), sample.packed.size());
  if (!decoded) return false;
  record = *std::move(decoded.record);
  return true;
}

bool read_segment(const std::string& text, games::Segment& segment) {
  for (const games::Segment value :
       {games::Segment::newcomer, games::Segment::casual, games::Segment::regular, games::Segment::collector}) {
    if (text != to_string(value)) continue;
    segment = value;
    return true;
  }
  return false;
}

/// With the checks that a game can't do without: a member may be missing, or of another type.
bool read_json(const Sample& sample, games::Record& record) {
  // As RapidJSON's own guide has it for speed: without this each document takes 64 kB from the heap.
  char room[4096];
  rapidjson::MemoryPoolAllocator<> allocator(room, sizeof room);
  rapidjson::Document document(&allocator);
  document.Parse(sample.json.data(), sample.json.size());
  if (document.HasParseError() || !document.IsObject()) return false;
  const auto segment = document.FindMember("segment");
  const auto hours = document.FindMember("hours_played");
  const auto played = document.FindMember("games");
  const auto scores = document.FindMember("scores");
  const auto end = document.MemberEnd();
  if (segment == end || hours == end || played == end || scores == end) return false;
  if (!segment->value.IsString() || !hours->value.IsNumber()) return false;
  if (!played->value.IsArray() || !scores->value.IsArray()) return false;
  if (!read_segment(segment->value.GetString(), record.segment)) return false;
  record.hours_played = hours->value.GetDouble();
  record.games.reserve(played->value.Size());
  for (const auto& game : played->value.GetArray()) {
    if (!game.IsInt()) return false;
    record.games.push_back(game.GetInt());
  }
  record.scores.reserve(scores->value.Size());
  for (const auto& score : scores->value.GetArray()) {
    if (!score.IsNumber()) return false;
    record.scores.push_back(score.GetDouble());
  }
  return true;
}

/// What nobody may leave out as unused.
double weight_of(const games::Record& record) {
  double sum = record.hours_played + static_cast<double>(record.segment);
  for (const std::int32_t game : record.games) sum += game;
  for (const double score : record.scores) sum += score;
  return sum;
}

struct Timed {
  double nanoseconds;
  double weight;
};

template <class Read>
Timed time_of(const std::vector<Sample>& samples, std::size_t records, Read read) {
  double weight = 0;
  const auto begun = std::chrono::steady_clock::now();
  for (std::size_t index = 0; index < records; ++index) {
    games::Record record;
    if (!read(samples[index % samples.size()], record)) std::exit(1);
    weight += weight_of(record);
  }
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begun;
  return {taken.count() / static_cast<double>(records), weight};
}

}  // namespace

int main(int count, char** values) {
  const std::vector<Sample> samples = read_samples();
  if (count != 3 || samples.empty()) return 2;
  const std::size_t records = std::strtoul(values[1], nullptr, 10);
  const unsigned long repetitions = std::strtoul(values[2], nullptr, 10);
  // Caches and branches are warm in a game that was asked once before; the first of each isn't told.
  time_of(samples, records / 10 + 1, &read_packed);
  time_of(samples, records / 10 + 1, &read_json);
  for (unsigned long repetition = 0; repetition < repetitions; ++repetition) {
    const Timed packed = time_of(samples, records, &read_packed);
    const Timed json = time_of(samples, records, &read_json);
    // Both must have read the same.
    if (!(packed.weight <= json.weight && packed.weight >= json.weight)) return 3;
    std::printf("%.2f %.2f\n", packed.nanoseconds, json.nanoseconds);
  }
}
