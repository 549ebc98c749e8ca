foreach(test IN ITEMS grid random sobol)
    trawl_test(test_strategy_${test} SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_strategy_${test}.c
        LIBS trawl_strategies)
endforeach()
trawl_test(test_strategy_history SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_strategy_history.c LIBS trawl_strategies trawl_spec)
trawl_test(test_strategy_numeric SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_strategy_numeric.c LIBS trawl_strategies)
trawl_test(test_strategy_pareto SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_strategy_pareto.c LIBS trawl_strategies)
trawl_test(test_strategy_tpe SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_strategy_tpe.c LIBS trawl_strategies trawl_spec)
trawl_test(test_strategy_cmaes SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_strategy_cmaes.c LIBS trawl_strategies)
