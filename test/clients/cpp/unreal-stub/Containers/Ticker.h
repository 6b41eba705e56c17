#pragma once

#include <memory>
#include <vector>

#include "CoreMinimal.h"

/// True: again after the same delay.
DECLARE_DELEGATE_RetVal_OneParam(bool, FTickerDelegate, float)

/// A clock of its own, which knows only what each frame says it took, and which stands still while nobody waits. So what
/// is added between two frames waits from the last one on, and that the next frame was long counts, too.
class FTSTicker {
  struct FElement {
    double FireTime;
    float DelayTime;
    FTickerDelegate Delegate;
  };

 public:
  using FDelegateHandle = std::weak_ptr<FElement>;

  static FTSTicker& GetCoreTicker() {
    static FTSTicker CoreTicker;
    return CoreTicker;
  }

  FDelegateHandle AddTicker(const FTickerDelegate& InDelegate, float InDelay = 0.0f) {
    Added.push_back(std::make_shared<FElement>(FElement{CurrentTime + static_cast<double>(InDelay), InDelay, InDelegate}));
    return Added.back();
  }

  /// What is added by those that it calls has its turn in the same frame.
  void Tick(float DeltaTime) {
    if (Num() == 0) return;
    CurrentTime += static_cast<double>(DeltaTime);
    std::vector<std::shared_ptr<FElement>> Left;
    std::vector<std::shared_ptr<FElement>> Now = std::move(Waiting);
    Waiting.clear();
    do {
      Now.insert(Now.end(), Added.begin(), Added.end());
      Added.clear();
      for (const auto& Element : Now) {
        if (Element->FireTime > CurrentTime) {
          Left.push_back(Element);
        } else if (Element->Delegate.Execute(DeltaTime)) {
          Element->FireTime = CurrentTime + static_cast<double>(Element->DelayTime);
          Left.push_back(Element);
        }
      }
      Now.clear();
    } while (!Added.empty());
    Waiting = std::move(Left);
  }

  /// Not Unreal's: the tests' own.
  std::size_t Num() const { return Added.size() + Waiting.size(); }

 private:
  double CurrentTime = 0;
  std::vector<std::shared_ptr<FElement>> Added;
  std::vector<std::shared_ptr<FElement>> Waiting;
};
