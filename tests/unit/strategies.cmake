foreach(test IN ITEMS grid random sobol)
    trawl_test(test_strategy_${test} SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_strategy_${test}.c
        LIBS trawl_strategies)
endforeach()
