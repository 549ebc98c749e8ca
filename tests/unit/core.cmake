trawl_test(test_core SOURCES "${CMAKE_CURRENT_LIST_DIR}/test_core.c" LIBS trawl_core)
foreach(test IN ITEMS report session stop trial warm)
    trawl_test(test_core_${test}
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_${test}.c ${CMAKE_CURRENT_LIST_DIR}/core_fixture.c
        LIBS trawl_controller)
endforeach()
trawl_test(test_core_outcome SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_outcome.c LIBS trawl_change m)
