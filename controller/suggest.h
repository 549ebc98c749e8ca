// The strategies of the live sweeps, and the thread for those that take their time.
//
// A fast strategy answers at once, within the turn; a slow one (STRATEGY_SLOW) is owned by the suggestion thread, which is told
// and asked in the order of the turns, so that the same history gives the same suggestions.
#pragma once

#include "controller/core/core.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct suggester;

// An answer to an ask. Owned by whoever holds it.
struct answer {
    uint64_t sweep;
    struct suggestion *suggestions; // configurations owned
    size_t count;
    uint64_t cursor;
    int outcome; // as core_suggested
    char *reason;
};
void answer_release(struct answer *answer);

// `threaded`: every strategy goes through the thread (tests).
struct suggester *suggester_new(bool threaded);
void suggester_free(struct suggester *suggester);

// Make the strategy of a sweep; spec is borrowed and must outlive it. With a cursor to go on from.
int suggester_add(struct suggester *suggester, uint64_t sweep, const struct spec *spec,
                  uint64_t cursor, struct err *err);
bool suggester_has(const struct suggester *suggester, uint64_t sweep);
bool suggester_learns(const struct suggester *suggester, uint64_t sweep);

// History of a strategy that learns, before its first ask: points in the order of asks and tells.
void suggester_restore(struct suggester *suggester, uint64_t sweep, uint64_t point,
                       const struct config *config);

void suggester_tell(struct suggester *suggester, const struct tell *tell);

// True: *ret is the answer (a fast strategy). False: it comes later, through suggester_take.
bool suggester_ask(struct suggester *suggester, const struct ask *ask, struct answer *ret);

// Readable when suggester_take has something; false when there is none now.
int suggester_fd(const struct suggester *suggester);
bool suggester_take(struct suggester *suggester, struct answer *ret);
