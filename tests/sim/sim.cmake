# The simulator, and the same with deliberate bugs compiled into the cores, each of which it must catch.
file(GLOB TRAWL_SIM_SOURCES "${CMAKE_CURRENT_LIST_DIR}/sim*.c")
add_executable(sim ${TRAWL_SIM_SOURCES})
target_link_libraries(sim PRIVATE trawl_controller trawl_agent_core)
add_test(NAME sim COMMAND sim --seeds 2000)
set_tests_properties(sim PROPERTIES TIMEOUT 900)

file(GLOB TRAWL_CORE_SOURCES "${CMAKE_SOURCE_DIR}/controller/core/*.c" "${CMAKE_SOURCE_DIR}/agent/core*.c")
list(FILTER TRAWL_CORE_SOURCES EXCLUDE REGEX "/(change|batch)\\.c$")
add_executable(sim_mutants ${TRAWL_SIM_SOURCES} ${TRAWL_CORE_SOURCES}
    "${CMAKE_SOURCE_DIR}/controller/restore.c" "${CMAKE_SOURCE_DIR}/controller/suggest.c")
target_compile_definitions(sim_mutants PRIVATE TRAWL_MUTANTS)
target_link_libraries(sim_mutants PRIVATE trawl_compile trawl_change trawl_store trawl_spec trawl_strategies trawl_wire Threads::Threads)
add_test(NAME sim_mutants COMMAND sim_mutants)
set_tests_properties(sim_mutants PROPERTIES TIMEOUT 900)
