trawl_test(test_wire_msg SOURCES "${CMAKE_CURRENT_LIST_DIR}/test_wire_msg.c" LIBS trawl_msg)
trawl_test(test_wire_link SOURCES "${CMAKE_CURRENT_LIST_DIR}/test_wire_link.c" LIBS trawl_wire)
