// Deliberate bugs, compiled in for the simulator only (tests/sim): a simulation that passes its mutants proves nothing.
#pragma once

#define MUTANT_LIST(X)                                                                                                  \
    X(MUTANT_SEND_BEFORE_COMMIT, "messages leave before their commit")                                                  \
    X(MUTANT_NO_OFFSET_CHECK, "bytes are applied wherever they begin")                                                  \
    X(MUTANT_NO_HELLO_ORDER, "a delayed hello counts as new")                                                           \
    X(MUTANT_ANY_SESSION, "launches of older sessions are started")                                                     \
    X(MUTANT_SEAL_EARLY, "an attempt is sealed before its bytes are stored")                                            \
    X(MUTANT_RESULT_OVERWRITES, "a superseded attempt's result counts")                                                 \
    X(MUTANT_NO_TOMBSTONES, "an agent starts a late copy of a launch it has been through")                              \
    X(MUTANT_FORGET_ON_SEND, "an agent forgets a run when its end is sent, not when it is acknowledged")                \
    X(MUTANT_LONG_LEASE, "a shim's lease ends after the controller's")                                                  \
    X(MUTANT_CANCEL_NOT_STORED, "a run that fails while its sweep is cancelled leaves its trial running in the store")  \
    X(MUTANT_LENGTHS_STAY, "bytes that a power loss took back after the end was told are waited for")                          \
    X(MUTANT_OLD_CURVE, "a run that is tried again is judged with the curve of its earlier attempt")

enum mutant {
    MUTANT_NONE,
#define MUTANT_ENUM(id, text) id,
    MUTANT_LIST(MUTANT_ENUM)
#undef MUTANT_ENUM
        MUTANT_COUNT
};

#ifdef TRAWL_MUTANTS
extern enum mutant trawl_mutant;
#define MUTANT(id) (trawl_mutant == (id))
#else
#define MUTANT(id) 0
#endif
