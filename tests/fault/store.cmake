trawl_test(test_store_fault
    SOURCES "${CMAKE_CURRENT_LIST_DIR}/test_store_fault.c" "${CMAKE_CURRENT_LIST_DIR}/fault_vfs.c"
            "${CMAKE_CURRENT_LIST_DIR}/../unit/store_fixture.c"
    LIBS trawl_store)
target_link_options(test_store_fault PRIVATE
    -Wl,--wrap=pwrite -Wl,--wrap=openat -Wl,--wrap=ftruncate -Wl,--wrap=fsync -Wl,--wrap=renameat
    -Wl,--wrap=write)
