#pragma once

#include "CoreMinimal.h"

class UObject {
 public:
  virtual ~UObject() = default;
};

class USubsystem : public UObject {
 public:
  virtual void Deinitialize() {}
};

class UGameInstanceSubsystem : public USubsystem {};

// Unreal Header Tool writes what stands for the body, into the file's own `.generated.h`.
#define UCLASS(...)
#define GENERATED_BODY() BODY_OF_GENERATED_FILE
