add_executable(bench_store_turn "${CMAKE_CURRENT_LIST_DIR}/store_turn.c")
target_link_libraries(bench_store_turn PRIVATE trawl_compile trawl_store)
