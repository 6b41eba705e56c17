// A game of the stub's that plays one scene with the subsystem of docs/clients.md, and tells what it was told:
//
//     play N    asks N times, each when the one before has been answered
//     slow      asks once in frames that say they took a minute each, as the one after a level was loaded does
//     early     asks before anybody has signed in, and after the game has ended
//     switch    asks, and begins anew for another player, who asks
//     leave     asks, and ends the game once standard input has a line
//     quit      asks, ends the game at once, and goes on until no ticker waits
//
// The gateway's address is in GATEWAY, the deadline in DEADLINE_MS, the player's token in TOKEN.
#include <poll.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "Recommendations.h"

namespace {

using Clock = std::chrono::steady_clock;

/// As the engine's loop does: the core ticker hears how long the frame before took.
void Frame(float DeltaTime = 0.0f) {
  static Clock::time_point Last = Clock::now();
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const Clock::time_point Now = Clock::now();
  const float Taken = std::chrono::duration<float>(Now - Last).count();
  Last = Now;
  FTSTicker::GetCoreTicker().Tick(DeltaTime > 0.0f ? DeltaTime : Taken);
}

void Tell(const char* Text) {
  std::printf("%s\n", Text);
  std::fflush(stdout);
}

bool HasLine() {
  pollfd Input{0, POLLIN, 0};
  return poll(&Input, 1, 0) == 1;
}

/// The sign-in takes a frame before it has the token.
void GiveTokenLater(bool bRefresh, const recgate::demo_studio::games::GiveToken& Give) {
  Tell(bRefresh ? "another token" : "a token");
  FTSTicker::GetCoreTicker().AddTicker(FTickerDelegate::CreateLambda([Give](float) {
    Give(std::getenv("TOKEN"));
    return false;
  }));
}

}  // namespace

int main(int, char** Values) {
  const std::string Scene = Values[1];
  auto Subsystem = std::make_unique<URecommendations>();
  int Told = 0;
  Subsystem->TokenSource = &GiveTokenLater;
  Subsystem->OnGamesRecommended.AddLambda([&Told](const TArray<int32>& Games) {
    std::printf("games");
    for (const int32 Game : Games) std::printf(" %d", Game);
    Tell("");
    ++Told;
  });

  if (Scene == "early") Subsystem->Recommend();
  Subsystem->SignIn();
  if (Scene == "play") {
    for (int Asked = 0; Asked < std::atoi(Values[2]); ++Asked) {
      Subsystem->Recommend();
      while (Told == Asked) Frame();
    }
  } else if (Scene == "slow") {
    Subsystem->Recommend();
    while (Told == 0) Frame(60.0f);
  } else if (Scene == "switch") {
    Subsystem->Recommend();
    Frame();
    Subsystem->SignIn();
    Subsystem->Recommend();
    while (Told == 0) Frame();
  } else if (Scene == "leave") {
    Subsystem->Recommend();
    while (!HasLine()) Frame();
  } else if (Scene == "quit") {
    Subsystem->Recommend();
  }
  Subsystem->Deinitialize();
  if (Scene == "early") Subsystem->Recommend();
  // What has been ended lives until garbage is collected next: at once, or after all that comes late.
  if (Scene != "leave") Subsystem.reset();
  Tell("the end");
  // Of the tickers one is the HTTP module's.
  while (!FHttpModule::Get().UnderWay.empty() || (Scene == "quit" && FTSTicker::GetCoreTicker().Num() > 1)) Frame();
}
