#include "HttpModule.h"

#include <curl/curl.h>

#include <algorithm>
#include <map>

#include "Containers/Ticker.h"
#include "Interfaces/IHttpResponse.h"

namespace {

CURLM* Multi() {
  static CURLM* const Handle = curl_multi_init();
  return Handle;
}

std::string Utf8(const FString& Text) { return FTCHARToUTF8(*Text).Get(); }

class FCurlHttpResponse final : public IHttpResponse {
 public:
  TArray<FString> GetAllHeaders() const override { return Headers; }
  const TArray<uint8>& GetContent() const override { return Content; }
  int32 GetResponseCode() const override { return Code; }

  TArray<FString> Headers;
  TArray<uint8> Content;
  int32 Code = 0;
};

std::size_t TakeBody(char* Data, std::size_t, std::size_t Count, void* Response) {
  static_cast<FCurlHttpResponse*>(Response)->Content.Append(reinterpret_cast<const uint8*>(Data), static_cast<int32>(Count));
  return Count;
}

std::size_t TakeHeader(char* Data, std::size_t, std::size_t Count, void* Response) {
  TArray<FString>& Headers = static_cast<FCurlHttpResponse*>(Response)->Headers;
  std::string Line(Data, Count);
  while (!Line.empty() && (Line.back() == '\r' || Line.back() == '\n')) Line.pop_back();
  if (Line.compare(0, 5, "HTTP/") == 0) Headers = TArray<FString>();
  if (Line.find(':') != std::string::npos) Headers.Add(UTF8_TO_TCHAR(Line.c_str()));
  return Count;
}

}  // namespace

class FCurlHttpRequest final : public IHttpRequest, public std::enable_shared_from_this<FCurlHttpRequest> {
 public:
  ~FCurlHttpRequest() override {
    curl_easy_cleanup(Easy);
    curl_slist_free_all(HeaderList);
  }

  TArray<FString> GetAllHeaders() const override { return {}; }
  const TArray<uint8>& GetContent() const override { return Content; }
  void SetVerb(const FString& Verb) override { curl_easy_setopt(Easy, CURLOPT_CUSTOMREQUEST, Utf8(Verb).c_str()); }
  void SetURL(const FString& URL) override { Url = Utf8(URL); }
  void SetHeader(const FString& HeaderName, const FString& HeaderValue) override {
    Headers[Utf8(HeaderName)] = Utf8(HeaderValue);
  }
  void SetTimeout(float InTimeoutSecs) override {
    curl_easy_setopt(Easy, CURLOPT_TIMEOUT_MS, static_cast<long>(InTimeoutSecs * 1000.0f));
  }
  FHttpRequestCompleteDelegate& OnProcessRequestComplete() override { return Complete; }

  bool ProcessRequest() override {
    // Stands for a host that isn't among the game's allowed domains.
    if (Url.find("://not-allowed.") != std::string::npos) {
      Finish(false);
      return false;
    }
    for (const auto& Header : Headers) {
      HeaderList = curl_slist_append(HeaderList, (Header.first + ": " + Header.second).c_str());
    }
    curl_easy_setopt(Easy, CURLOPT_URL, Url.c_str());
    curl_easy_setopt(Easy, CURLOPT_HTTPHEADER, HeaderList);
    curl_easy_setopt(Easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(Easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(Easy, CURLOPT_WRITEFUNCTION, &TakeBody);
    curl_easy_setopt(Easy, CURLOPT_WRITEDATA, Response.operator->());
    curl_easy_setopt(Easy, CURLOPT_HEADERFUNCTION, &TakeHeader);
    curl_easy_setopt(Easy, CURLOPT_HEADERDATA, Response.operator->());
    curl_multi_add_handle(Multi(), Easy);
    FHttpModule::Get().UnderWay.push_back(shared_from_this());
    return true;
  }

  bool Is(CURL* Other) const { return Easy == Other; }

  void Finish(bool bSucceeded) {
    long Code = 0;
    curl_easy_getinfo(Easy, CURLINFO_RESPONSE_CODE, &Code);
    Response->Code = static_cast<int32>(Code);
    if (!Complete.IsBound()) return;
    const TSharedRef<IHttpRequest> Self(shared_from_this());
    // What broke off has come as far as it did; where nothing came, there is none.
    Complete.Execute(Self, Code == 0 ? FHttpResponsePtr() : FHttpResponsePtr(Response), bSucceeded);
  }

 private:
  CURL* Easy = curl_easy_init();
  curl_slist* HeaderList = nullptr;
  std::string Url;
  std::map<std::string, std::string> Headers;
  const TArray<uint8> Content{};
  FHttpRequestCompleteDelegate Complete;
  TSharedRef<FCurlHttpResponse> Response{std::make_shared<FCurlHttpResponse>()};
};

FHttpModule::FHttpModule() {
  FTSTicker::GetCoreTicker().AddTicker(FTickerDelegate::CreateLambda([this](float) { return Tick(); }));
}

FHttpModule& FHttpModule::Get() {
  static FHttpModule Module;
  return Module;
}

TSharedRef<IHttpRequest, ESPMode::ThreadSafe> FHttpModule::CreateRequest() {
  return TSharedRef<IHttpRequest>(std::make_shared<FCurlHttpRequest>());
}

bool FHttpModule::Tick() {
  int Running = 0;
  curl_multi_perform(Multi(), &Running);
  while (const CURLMsg* Message = curl_multi_info_read(Multi(), &Running)) {
    CURL* const Easy = Message->easy_handle;
    const bool bSucceeded = Message->data.result == CURLE_OK;
    const auto Found = std::find_if(UnderWay.begin(), UnderWay.end(), [Easy](const auto& One) { return One->Is(Easy); });
    const std::shared_ptr<FCurlHttpRequest> Request = *Found;
    UnderWay.erase(Found);
    curl_multi_remove_handle(Multi(), Easy);
    Request->Finish(bSucceeded);
  }
  return true;
}
