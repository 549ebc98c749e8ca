add_executable(bench_agents agents.c)
target_link_libraries(bench_agents PRIVATE trawl_agent_core trawl_wire)
target_compile_definitions(bench_agents PRIVATE TRAWL_PROGRAM="${CMAKE_BINARY_DIR}/bin/trawl")
add_dependencies(bench_agents trawl)
