add_executable(bench_strategies ${CMAKE_CURRENT_LIST_DIR}/strategies.c)
target_link_libraries(bench_strategies PRIVATE trawl_strategies)
