# With TRAWL_FUZZ a libFuzzer program; else the same entry over a seed corpus and fixed mutations of it.
add_executable(fuzz_spec ${CMAKE_CURRENT_LIST_DIR}/fuzz_spec.c)
target_link_libraries(fuzz_spec PRIVATE trawl_compile trawl_spec)
if(TRAWL_FUZZ)
    # libFuzzer writes what it finds into the first directory: not into the source.
    file(MAKE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/fuzz_spec_corpus")
    target_link_options(fuzz_spec PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz_spec
             COMMAND fuzz_spec -runs=20000 -seed=1 -max_len=4096
                     "${CMAKE_CURRENT_BINARY_DIR}/fuzz_spec_corpus"
                     "${CMAKE_SOURCE_DIR}/tests/vectors/spec")
else()
    target_compile_definitions(fuzz_spec PRIVATE TRAWL_FUZZ_SMOKE)
    add_test(NAME fuzz_spec COMMAND fuzz_spec "${CMAKE_SOURCE_DIR}/tests/vectors/spec")
endif()
set_tests_properties(fuzz_spec PROPERTIES TIMEOUT 300)
