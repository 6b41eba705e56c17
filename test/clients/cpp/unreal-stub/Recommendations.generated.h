// What Unreal Header Tool makes of Recommendations.h, as far as it matters.
#pragma once

#define BODY_OF_GENERATED_FILE              \
 public:                                    \
  typedef UGameInstanceSubsystem Super;     \
  typedef URecommendations ThisClass;       \
                                            \
 private:
