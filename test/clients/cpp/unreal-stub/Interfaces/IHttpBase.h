#pragma once

#include "CoreMinimal.h"

class IHttpBase {
 public:
  virtual ~IHttpBase() = default;
  /// Each as `Name: value`.
  virtual TArray<FString> GetAllHeaders() const = 0;
  virtual const TArray<uint8>& GetContent() const = 0;
};
