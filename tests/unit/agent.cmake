foreach(test IN ITEMS core report)
    trawl_test(test_agent_${test}
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_agent_${test}.c ${CMAKE_CURRENT_LIST_DIR}/agent_fixture.c
        LIBS trawl_agent_core)
endforeach()

add_library(nvml_stub MODULE ${CMAKE_CURRENT_LIST_DIR}/../support/nvml_stub.c)
target_link_libraries(nvml_stub PRIVATE trawl_compile)
trawl_test(test_agent_gpu SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_agent_gpu.c LIBS trawl_agent_parts
    DEFINITIONS NVML_STUB_PATH="$<TARGET_FILE:nvml_stub>")
add_dependencies(test_agent_gpu nvml_stub)
