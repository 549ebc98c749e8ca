# Integration tests: Python (standard library only) over the built programs.
find_package(Python3 COMPONENTS Interpreter REQUIRED)
foreach(name run bad_input bench_search cli early_stop objectives python_client vectors warm)
    add_test(NAME integration_${name}
        COMMAND Python3::Interpreter "${CMAKE_SOURCE_DIR}/tests/integration/test_${name}.py")
    set(slowness 1)
    if(TRAWL_SANITIZE)
        set(slowness 5)
    endif()
    set_tests_properties(integration_${name} PROPERTIES TIMEOUT 1200
        ENVIRONMENT "TRAWL_BUILD_DIR=${CMAKE_BINARY_DIR};TRAWL_SOURCE_DIR=${CMAKE_SOURCE_DIR};TRAWL_TEST_SLOWNESS=${slowness}")
endforeach()
