# Compile options shared by every target of the project, and the two one-line helpers that modules and tests use.

option(IMPRINT_WERROR "Treat warnings as errors (presets switch it on)" OFF)
option(IMPRINT_TSAN "Build for ThreadSanitizer: std::jthread instead of oneTBB, which Debian ships uninstrumented" OFF)
set(IMPRINT_SANITIZE "" CACHE STRING "Value for -fsanitize=, empty for none")

add_library(imprint_options INTERFACE)
target_compile_features(imprint_options INTERFACE cxx_std_20)
target_compile_options(imprint_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual
  # clang has no such warnings, and clang-tidy takes an unknown flag for an error.
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op>
  # g++ 12 sees overlapping copies in "literal" + std::string from -O2 on (GCC bug 105329).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # ... and takes std::optional<std::string> for uninitialised at -O3 (GCC bug 105562).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<BOOL:${IMPRINT_WERROR}>:-Werror>)
if(IMPRINT_SANITIZE)
  target_compile_options(imprint_options INTERFACE -fsanitize=${IMPRINT_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(imprint_options INTERFACE -fsanitize=${IMPRINT_SANITIZE})
endif()

# imprint_add_module(NAME SOURCES ... [PUBLIC libs...] [PRIVATE libs...])
# One static library per folder of src/, with include/imprint/NAME as its public headers.
function(imprint_add_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(imprint_${name} STATIC ${ARG_SOURCES})
  add_library(imprint::${name} ALIAS imprint_${name})
  file(GLOB headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/imprint/${name}/*.hpp")
  # The file set makes `all_verify_interface_header_sets` compile every public header alone.
  target_sources(imprint_${name} PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${headers})
  set_target_properties(imprint_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  target_include_directories(imprint_${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_link_libraries(imprint_${name} PUBLIC ${ARG_PUBLIC} PRIVATE imprint_options ${ARG_PRIVATE})
endfunction()

# imprint_add_test(NAME SOURCES ... LIBS ... [LABELS ...] [TIMEOUT s] [FIXTURES name...])
# One GoogleTest executable; each TEST becomes a ctest entry. Label `unit` unless said otherwise. FIXTURES are those of
# ctest: tests with FIXTURES_SETUP of that name run first.
function(imprint_add_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBS;LABELS;FIXTURES" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE imprint_options imprint_test_support ${ARG_LIBS})
  set(properties LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
  if(ARG_FIXTURES)
    list(APPEND properties FIXTURES_REQUIRED "${ARG_FIXTURES}")
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 TEST_PREFIX "${name}." PROPERTIES ${properties})
endfunction()

# imprint/base/version.hpp, generated: the version of project() and the commit it was configured from.
execute_process(COMMAND git -C "${PROJECT_SOURCE_DIR}" rev-parse --short HEAD
                OUTPUT_VARIABLE IMPRINT_REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT IMPRINT_REVISION)
  set(IMPRINT_REVISION unknown)
endif()
# Of SOURCE_DATE_EPOCH where that is set.
string(TIMESTAMP IMPRINT_BUILD_YEAR "%Y" UTC)
configure_file("${PROJECT_SOURCE_DIR}/src/base/version.hpp.in"
               "${PROJECT_BINARY_DIR}/generated/imprint/base/version.hpp" @ONLY)
