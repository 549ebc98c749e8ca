add_executable(bench_ingest "${CMAKE_CURRENT_LIST_DIR}/ingest.c")
target_link_libraries(bench_ingest PRIVATE trawl_compile trawl_store)
