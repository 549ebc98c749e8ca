# The simulator, and the same with deliberate bugs compiled into the cores, each of which it must catch.
add_executable(sim "${CMAKE_CURRENT_LIST_DIR}/sim.c")
target_link_libraries(sim PRIVATE trawl_controller trawl_agent_core)
add_test(NAME sim COMMAND sim --seeds 500)
set_tests_properties(sim PROPERTIES TIMEOUT 900)

file(GLOB TRAWL_CORE_SOURCES "${CMAKE_SOURCE_DIR}/controller/core/*.c" "${CMAKE_SOURCE_DIR}/agent/core*.c")
list(FILTER TRAWL_CORE_SOURCES EXCLUDE REGEX "/(change|batch)\\.c$")
add_executable(sim_mutants "${CMAKE_CURRENT_LIST_DIR}/sim.c" ${TRAWL_CORE_SOURCES}
    "${CMAKE_SOURCE_DIR}/controller/restore.c" "${CMAKE_SOURCE_DIR}/controller/suggest.c")
target_compile_definitions(sim_mutants PRIVATE TRAWL_MUTANTS)
target_link_libraries(sim_mutants PRIVATE trawl_compile trawl_change trawl_store trawl_spec trawl_strategies trawl_wire Threads::Threads)
add_test(NAME sim_mutants COMMAND sim_mutants)
set_tests_properties(sim_mutants PROPERTIES TIMEOUT 900)
