foreach(test IN ITEMS core report)
    trawl_test(test_agent_${test}
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_agent_${test}.c ${CMAKE_CURRENT_LIST_DIR}/agent_fixture.c
        LIBS trawl_agent_core)
endforeach()
