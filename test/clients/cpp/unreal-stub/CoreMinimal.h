// As much of Unreal Engine 5.5 as the files of docs/clients.md touch, on real HTTP: the engine's names, signatures and
// promises, and its macros, which the generated headers must get along with. Written for the tests, with none of the
// engine's code; the headers are named as the engine's are. On Linux, where Unreal's TCHAR is char16_t.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using int32 = std::int32_t;
using uint8 = std::uint8_t;
using ANSICHAR = char;
using TCHAR = char16_t;

#define TEXT(x) u##x
#define PI (3.1415926535897932f)
#define FORCEINLINE inline
#define INDEX_NONE (-1)
#define check(expr) ((expr) ? static_cast<void>(0) : std::abort())
#define verify(expr) check(expr)
#define ensure(expr) (!!(expr))
#define THIRD_PARTY_INCLUDES_START
#define THIRD_PARTY_INCLUDES_END

template <typename T>
class TArray {
 public:
  int32 Num() const { return static_cast<int32>(Items.size()); }
  const T* GetData() const { return Items.data(); }
  int32 Add(const T& Item) {
    Items.push_back(Item);
    return Num() - 1;
  }
  void Append(const T* From, int32 Count) { Items.insert(Items.end(), From, From + Count); }
  auto begin() const { return Items.begin(); }
  auto end() const { return Items.end(); }

 private:
  std::vector<T> Items;
};

class FString {
 public:
  FString() = default;
  FString(const TCHAR* Str) : Data(Str) {}
  const TCHAR* operator*() const { return Data.c_str(); }

  /// At the first of them; both stay as they are where there is none.
  bool Split(const FString& InS, FString* LeftS, FString* RightS) const {
    const std::size_t At = Data.find(InS.Data);
    if (At == std::u16string::npos) return false;
    const std::u16string Whole = Data;
    if (LeftS != nullptr) LeftS->Data = Whole.substr(0, At);
    if (RightS != nullptr) RightS->Data = Whole.substr(At + InS.Data.size());
    return true;
  }

 private:
  std::u16string Data;
};

/// Of ASCII alone: a test that brings more must bring the rest of UTF-8, too.
template <typename To, typename From>
class TAsciiConversion {
 public:
  explicit TAsciiConversion(const From* Source) {
    for (; *Source != 0; ++Source) {
      check(static_cast<std::make_unsigned_t<From>>(*Source) < 0x80);
      Converted += static_cast<To>(*Source);
    }
  }
  const To* Get() const { return Converted.c_str(); }

 private:
  std::basic_string<To> Converted;
};
using FTCHARToUTF8 = TAsciiConversion<ANSICHAR, TCHAR>;
using FUTF8ToTCHAR = TAsciiConversion<TCHAR, ANSICHAR>;

// What they give lives as long as the expression that they stand in.
#define TCHAR_TO_UTF8(str) const_cast<ANSICHAR*>(FTCHARToUTF8(str).Get())
#define UTF8_TO_TCHAR(str) const_cast<TCHAR*>(FUTF8ToTCHAR(str).Get())

enum class ESPMode : uint8 { NotThreadSafe, ThreadSafe };

template <typename T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedRef {
 public:
  explicit TSharedRef(std::shared_ptr<T> InHeld) : Held(std::move(InHeld)) { check(Held != nullptr); }
  template <typename Other>
  TSharedRef(const TSharedRef<Other, Mode>& InOther) : Held(InOther.Held) {}
  T* operator->() const { return Held.get(); }
  T& operator*() const { return *Held; }

  std::shared_ptr<T> Held;
};

template <typename T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedPtr {
 public:
  TSharedPtr(std::nullptr_t = nullptr) {}
  template <typename Other>
  TSharedPtr(const TSharedRef<Other, Mode>& InOther) : Held(InOther.Held) {}
  bool IsValid() const { return Held != nullptr; }
  T* operator->() const { return &**this; }
  T& operator*() const {
    check(IsValid());
    return *Held;
  }

 private:
  std::shared_ptr<T> Held;
};

template <typename T>
class TUniquePtr {
 public:
  TUniquePtr() = default;
  explicit TUniquePtr(T* Object) : Held(Object) {}
  bool IsValid() const { return Held != nullptr; }
  explicit operator bool() const { return IsValid(); }
  T* operator->() const {
    check(IsValid());
    return Held.get();
  }
  void Reset(T* Object = nullptr) { Held.reset(Object); }

 private:
  std::unique_ptr<T> Held;
};

template <typename T, typename... TArgs>
TUniquePtr<T> MakeUnique(TArgs&&... Args) {
  return TUniquePtr<T>(new T(std::forward<TArgs>(Args)...));
}

/// Delegates are copied, and what is bound to one with them.
template <typename Signature>
class TDelegate;

template <typename Result, typename... ParamTypes>
class TDelegate<Result(ParamTypes...)> {
 public:
  template <typename FunctorType>
  static TDelegate CreateLambda(FunctorType&& InFunctor) {
    TDelegate Delegate;
    Delegate.BindLambda(std::forward<FunctorType>(InFunctor));
    return Delegate;
  }
  template <typename FunctorType>
  void BindLambda(FunctorType&& InFunctor) {
    Bound = std::forward<FunctorType>(InFunctor);
  }
  bool IsBound() const { return static_cast<bool>(Bound); }
  Result Execute(ParamTypes... Params) const {
    check(IsBound());
    return Bound(Params...);
  }

 private:
  std::function<Result(ParamTypes...)> Bound;
};

template <typename Signature>
class TMulticastDelegate;

template <typename... ParamTypes>
class TMulticastDelegate<void(ParamTypes...)> {
 public:
  template <typename FunctorType>
  void AddLambda(FunctorType&& InFunctor) {
    All.push_back(TDelegate<void(ParamTypes...)>::CreateLambda(std::forward<FunctorType>(InFunctor)));
  }
  void Broadcast(ParamTypes... Params) const {
    for (const auto& One : All) One.Execute(Params...);
  }

 private:
  std::vector<TDelegate<void(ParamTypes...)>> All;
};

#define DECLARE_DELEGATE_RetVal_OneParam(ReturnValueType, DelegateName, Param1Type) \
  typedef TDelegate<ReturnValueType(Param1Type)> DelegateName;
#define DECLARE_MULTICAST_DELEGATE_OneParam(DelegateName, Param1Type) \
  typedef TMulticastDelegate<void(Param1Type)> DelegateName;

/// `%hs` is all that it knows, for char; Unreal, too, refuses to compile another type for it.
inline void LogAs(const char* Category, std::u16string Format, const std::vector<const ANSICHAR*>& Texts) {
  for (const ANSICHAR* Text : Texts) {
    const std::size_t At = Format.find(TEXT("%hs"));
    check(At != std::u16string::npos);
    Format.replace(At, 3, FUTF8ToTCHAR(Text).Get());
  }
  check(Format.find(TEXT("%")) == std::u16string::npos);
  std::printf("%s: %s\n", Category, FTCHARToUTF8(Format.c_str()).Get());
  std::fflush(stdout);
}
template <std::size_t Length, typename... Types>
void LogLine(const char* Category, const TCHAR (&Format)[Length], Types... Texts) {
  static_assert((std::is_same_v<Types, const ANSICHAR*> && ...));
  LogAs(Category, Format, {Texts...});
}
#define UE_LOG(CategoryName, Verbosity, ...) LogLine(#CategoryName, __VA_ARGS__)
