// Strategies: where configurations come from. Ask and tell, pure.
//
// A strategy sees points: it is asked for a configuration, and later told what came of it, in any
// order, for any number of points in flight. It reads no clock, environment or file and draws its random
// numbers from named PCG streams of the sweep's seed, so the same sequence of calls gives the same
// suggestions, bit for bit. A strategy is used by one thread at a time.
#pragma once

#include "base/err.h"
#include "space/space.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum goal { GOAL_MINIMIZE, GOAL_MAXIMIZE };

#define OBJECTIVES_MAX 8 // of one sweep

enum strategy_caps {
    STRATEGY_INDEXED = 1 << 0,  // point i is a function of (seed, i): restore needs only the cursor
    STRATEGY_FINITE = 1 << 1,   // ends by itself (ERR_EXHAUSTED)
    STRATEGY_LEARNS = 1 << 2,   // tells matter
    STRATEGY_SLOW = 1 << 3,     // asks may take milliseconds or more: to be asked on a thread of its own
};

// One option of a strategy (`strategy:` in the spec); the table is NULL-named at its end.
struct strategy_option {
    const char *name;
    enum { OPTION_INT, OPTION_FLOAT, OPTION_BOOL, OPTION_WORD, OPTION_TEXT } kind;
    const char *default_text;
    double min, max;            // OPTION_INT, OPTION_FLOAT
    const char *const *words;   // OPTION_WORD, NULL-terminated
    const char *help;
};

struct strategy_setting {
    const char *name;
    struct value value;
};

// What a strategy is made from. All borrowed; space and settings must outlive the strategy.
struct strategy_setup {
    const struct space *space;
    enum goal goals[OBJECTIVES_MAX]; // of each objective
    size_t objective_count;          // 0 counts as 1
    uint64_t seed;
    bool shuffle;               // grid: `order: shuffle`
    const struct strategy_setting *settings; // checked against the options table by strategy_new
    size_t setting_count;
};

enum point_state { POINT_DONE, POINT_FAILED, POINT_STOPPED, POINT_CANCELLED };

// What came of a point: of all its repeats together.
struct outcome {
    enum point_state state;
    uint32_t value_count;             // repeats that gave values; 0: none did, and the values are not looked at
    double values[OBJECTIVES_MAX];    // the mean over the repeats of each objective; may be NaN or infinite
    double variances[OBJECTIVES_MAX]; // sample variance of one repeat's value; 0 where value_count < 2
};

// The outcome of one run with one objective.
struct outcome outcome_of(enum point_state state, double value);

// What a strategy says of the point it gave last.
struct strategy_note {
    const char *text; // a sentence for `trawl why`: how it came to this point; NULL: nothing that the method's name does not say
    uint64_t parent;  // the point whose run this one goes on from (hyperband), 0: none
};

struct strategy;

// A method's name, what it can do, its options.
struct strategy_method {
    const char *name;
    unsigned caps;
    const struct strategy_option *options; // ends with a NULL name
    const char *help;                      // one line
};

// All methods, ended by a NULL name; and one by name (NULL when there is none).
const struct strategy_method *strategy_methods(void);
const struct strategy_method *strategy_find(const char *name);

// ERR_NOT_FOUND for an unknown method, ERR_INVALID for a space or option it cannot work with (a
// continuous parameter in a grid, ...). The caller owns *ret.
int strategy_new(const char *method, const struct strategy_setup *setup, struct strategy **ret,
                 struct err *err);
void strategy_free(struct strategy *strategy);

// The next point. `point` is the caller's name for it (unique, ascending), used in later tells.
// On 0 *ret holds a feasible configuration (constraints hold), the caller's to release.
// ERR_EXHAUSTED: there will never be another. ERR_AGAIN: not before another tell (or, for a search
// through an almost infeasible grid, call again: bounded work was done and the cursor moved).
// ERR_INVALID: no feasible configuration was found in STRATEGY_REJECTS_MAX draws; the sentence names
// the constraint that failed most.
int strategy_ask(struct strategy *strategy, uint64_t point, struct config *ret, struct err *err);

#define STRATEGY_REJECTS_MAX 100000  // draws in one ask before the constraints count as unsatisfiable
#define STRATEGY_SCAN_MAX 1000000    // grid indices looked at in one ask before ERR_AGAIN

// About the point of the last ask that gave one; the text lives until the next call. Zero before the first.
struct strategy_note strategy_note(const struct strategy *strategy);

// The outcome of a point; its values count only when it is POINT_DONE or POINT_STOPPED. A second tell of
// the same point is ignored.
void strategy_tell(struct strategy *strategy, uint64_t point, const struct outcome *outcome);

// An intermediate value; kept by strategies that learn from curves, ignored by the rest.
void strategy_report(struct strategy *strategy, uint64_t point, int64_t step, double value);

// The cursor: how far an indexed strategy has gone, to be stored with the sweep in the same transaction
// as the points it gave. strategy_seek puts it back; ERR_INVALID when it is past the end.
uint64_t strategy_cursor(const struct strategy *strategy);
int strategy_seek(struct strategy *strategy, uint64_t cursor, struct err *err);

// Points from here on are of no trial: results from elsewhere (priors), restored and told like others. They have no run that
// another could go on from.
#define STRATEGY_PRIOR_POINTS (UINT64_C(1) << 63)

// Restore: a point that this or an earlier process was given (also an enqueued or imported one, whose
// configuration need not come from ask), before its tell. Points and tells come in the order in which they
// came at first; then the next ask gives what it would have given. Indexed strategies need no call.
void strategy_restore(struct strategy *strategy, uint64_t point, const struct config *config);
