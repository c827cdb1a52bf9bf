# FindBoost finds Boost by BoostConfig.cmake, and also where that file is missing. Since CMake 3.30 its use is a warning
# unless this policy is set.
if(POLICY CMP0167)
  cmake_policy(SET CMP0167 OLD)
endif()
