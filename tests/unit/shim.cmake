trawl_test(test_shim
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_shim.c ${CMAKE_CURRENT_LIST_DIR}/shim_fixture.c
    LIBS trawl_rundir)
trawl_test(test_shim_output
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_shim_output.c ${CMAKE_CURRENT_LIST_DIR}/shim_fixture.c
    LIBS trawl_rundir)
trawl_test(test_launcher
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_launcher.c ${CMAKE_CURRENT_LIST_DIR}/shim_fixture.c ${CMAKE_SOURCE_DIR}/agent/launcher.c
    LIBS trawl_rundir)
foreach(test IN ITEMS test_shim test_shim_output test_launcher)
    target_compile_definitions(${test} PRIVATE SHIM_PROGRAM="$<TARGET_FILE:trawl-shim>")
    add_dependencies(${test} trawl-shim)
endforeach()
