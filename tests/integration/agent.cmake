# The real agent, shim and runs under a fake controller.
trawl_test(test_agent SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_agent.c ${CMAKE_CURRENT_LIST_DIR}/../support/fake_controller.c LIBS trawl_wire
    DEFINITIONS TRAWL_AGENT="$<TARGET_FILE:trawl-agent>" NVML_STUB_PATH="$<TARGET_FILE:nvml_stub>")
add_dependencies(test_agent trawl-agent nvml_stub)
