trawl_test(test_rundir SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_rundir.c LIBS trawl_rundir)
trawl_test(test_rundir_read SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_rundir_read.c LIBS trawl_rundir)
trawl_test(test_agent_environment SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_agent_environment.c LIBS trawl_agent_parts)
