foreach(part open commit prior read wide)
    trawl_test(test_store_${part}
        SOURCES "${CMAKE_CURRENT_LIST_DIR}/test_store_${part}.c" "${CMAKE_CURRENT_LIST_DIR}/store_fixture.c"
        LIBS trawl_store)
    target_include_directories(test_store_${part} SYSTEM PRIVATE "${UTHASH_INCLUDE_DIR}")
endforeach()
