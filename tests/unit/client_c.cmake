trawl_test(test_client_c SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_client_c.c LIBS trawl_client trawl_base)
