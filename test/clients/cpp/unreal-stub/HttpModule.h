#pragma once

#include <vector>

#include "Interfaces/IHttpRequest.h"

class FCurlHttpRequest;

class FHttpModule {
 public:
  static FHttpModule& Get();
  virtual ~FHttpModule() = default;
  virtual TSharedRef<IHttpRequest, ESPMode::ThreadSafe> CreateRequest();

  /// Not Unreal's: the requests' and the tests' own. Each is held while it is under way, whoever else has let it go.
  std::vector<std::shared_ptr<FCurlHttpRequest>> UnderWay;

 private:
  FHttpModule();
  bool Tick();
};
