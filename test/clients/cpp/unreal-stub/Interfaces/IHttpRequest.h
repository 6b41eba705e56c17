#pragma once

#include "Interfaces/IHttpBase.h"

class IHttpRequest;
class IHttpResponse;

using FHttpRequestPtr = TSharedPtr<IHttpRequest, ESPMode::ThreadSafe>;
using FHttpResponsePtr = TSharedPtr<IHttpResponse, ESPMode::ThreadSafe>;
using FHttpRequestCompleteDelegate = TDelegate<void(FHttpRequestPtr, FHttpResponsePtr, bool)>;

class IHttpRequest : public IHttpBase {
 public:
  virtual void SetVerb(const FString& Verb) = 0;
  virtual void SetURL(const FString& URL) = 0;
  /// In the place of an earlier one of that name.
  virtual void SetHeader(const FString& HeaderName, const FString& HeaderValue) = 0;
  /// For the whole request.
  virtual void SetTimeout(float InTimeoutSecs) = 0;
  /// The delegate is always called: within this where it gives false, else on the game thread.
  virtual bool ProcessRequest() = 0;
  virtual FHttpRequestCompleteDelegate& OnProcessRequestComplete() = 0;
};
