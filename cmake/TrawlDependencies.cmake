# Every dependency is a Debian package, found through pkg-config; scripts/install-packages names them.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(JSONC REQUIRED IMPORTED_TARGET json-c>=0.15)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1>=0.2.2)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq>=4.3.3)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium>=1.0.18)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.37)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8>=10.30)
if(TRAWL_TESTS OR NOT DEFINED TRAWL_TESTS)
    pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka>=1.1.5)
endif()
find_path(PCG_INCLUDE_DIR pcg_random.hpp REQUIRED)
find_path(UTHASH_INCLUDE_DIR uthash.h REQUIRED)
# OpenBLAS in its build without threads, wherever Debian's alternatives point: one thread is the contract (the same
# suggestions every time, and no threads of others in our processes).
find_path(OPENBLAS_INCLUDE_DIR cblas.h REQUIRED PATH_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-serial openblas-serial openblas)
find_library(OPENBLAS_LIBRARY openblas REQUIRED PATH_SUFFIXES openblas-serial)
get_filename_component(OPENBLAS_DIR "${OPENBLAS_LIBRARY}" DIRECTORY)
add_library(trawl_blas INTERFACE)
target_include_directories(trawl_blas SYSTEM INTERFACE "${OPENBLAS_INCLUDE_DIR}")
target_link_libraries(trawl_blas INTERFACE "${OPENBLAS_LIBRARY}")
target_link_options(trawl_blas INTERFACE "-Wl,-rpath,${OPENBLAS_DIR}")
