foreach(test IN ITEMS csv err file json num stats str)
    trawl_test(test_base_${test} SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_base_${test}.c LIBS trawl_base)
endforeach()
