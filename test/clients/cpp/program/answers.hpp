// What a program that holds many models' decoders answers: see ClientRunner in ../../support/client-runner.ts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

struct Model {
  void (*decode)(const std::uint8_t* bytes, std::size_t size, std::string& answer);
  void (*default_record)(std::string& answer);
};

/// Generated beside this file.
extern const Model models[];
extern const std::size_t model_count;
