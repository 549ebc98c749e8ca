foreach(test IN ITEMS value expr dist config command)
    trawl_test(test_space_${test} SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_space_${test}.c LIBS trawl_space)
endforeach()
