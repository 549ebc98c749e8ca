add_executable(bench_stopping ${CMAKE_CURRENT_LIST_DIR}/stopping.c)
target_link_libraries(bench_stopping PRIVATE trawl_strategies)
