# How Trawl's code is compiled: language, warnings, hardening, sanitizers, and the helpers that
# declare a library, a program and a test.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or RelWithDebInfo" FORCE)
endif()

option(TRAWL_WERROR "Warnings are errors" OFF)
set(TRAWL_SANITIZE "" CACHE STRING "address, thread or empty")
option(TRAWL_COVERAGE "Instrument for gcov" OFF)

# Asserts stay on in release builds: they state what was proved.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-O3" "-O2" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")

add_library(trawl_compile INTERFACE)
target_compile_definitions(trawl_compile INTERFACE _POSIX_C_SOURCE=200809L)
target_include_directories(trawl_compile INTERFACE
    "${CMAKE_SOURCE_DIR}/lib" "${CMAKE_SOURCE_DIR}")
target_compile_options(trawl_compile INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wwrite-strings -Wformat=2 -Wswitch-enum
    -Wundef $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
    # Contracted products would give other last bits, and so other suggestions, on processors that have them.
    -ffp-contract=off
    -fstack-protector-strong $<$<BOOL:${TRAWL_WERROR}>:-Werror>)

set(TRAWL_SANITIZE_FLAGS "")
if(TRAWL_SANITIZE STREQUAL "address")
    set(TRAWL_SANITIZE_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=undefined
        -fno-omit-frame-pointer)
elseif(TRAWL_SANITIZE STREQUAL "thread")
    set(TRAWL_SANITIZE_FLAGS -fsanitize=thread -fno-omit-frame-pointer)
elseif(NOT TRAWL_SANITIZE STREQUAL "")
    message(FATAL_ERROR "TRAWL_SANITIZE is address, thread or empty, not '${TRAWL_SANITIZE}'")
endif()
if(TRAWL_FUZZ)
    list(APPEND TRAWL_SANITIZE_FLAGS -fsanitize=fuzzer-no-link)
endif()
if(TRAWL_SANITIZE_FLAGS)
    target_compile_options(trawl_compile INTERFACE ${TRAWL_SANITIZE_FLAGS})
    target_link_options(trawl_compile INTERFACE ${TRAWL_SANITIZE_FLAGS})
else()
    target_compile_options(trawl_compile INTERFACE
        $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()
if(TRAWL_COVERAGE)
    target_compile_options(trawl_compile INTERFACE --coverage)
    target_link_options(trawl_compile INTERFACE --coverage)
endif()
target_link_options(trawl_compile INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)

# trawl_library(NAME SOURCES ... LIBS ...): a static library of ours.
function(trawl_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
    add_library(${name} STATIC ${ARG_SOURCES})
    target_link_libraries(${name} PUBLIC trawl_compile ${ARG_LIBS})
endfunction()

# trawl_test(NAME SOURCES ... LIBS ... [DEFINITIONS ...]): a cmocka program, run by ctest.
function(trawl_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LIBS;DEFINITIONS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE trawl_compile ${ARG_LIBS} PkgConfig::CMOCKA)
    target_compile_definitions(${name} PRIVATE TRAWL_SOURCE_DIR="${CMAKE_SOURCE_DIR}" ${ARG_DEFINITIONS})
    target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests/support")
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()
