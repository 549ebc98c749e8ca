trawl_test(test_controller_suggest SOURCES "${CMAKE_CURRENT_LIST_DIR}/test_controller_suggest.c"
    LIBS trawl_controller trawl_spec)
