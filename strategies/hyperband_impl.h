// Private to hyperband.c, hyperband_brackets.c and hyperband_model.c.
//
// A configuration without its budget is a config of `rest`, the space without the budget parameter. What was given out is
// a list of trials; which place of which bracket each has is a function of the points' numbers, configurations and budgets
// alone, so that a restored strategy finds the same places:
// - a trial with a trial of the same configuration one level below is that one's promotion and in its bracket;
// - a prior result (STRATEGY_PRIOR_POINTS) has no place: there is no run to go on from;
// - any other one begins: at level L it takes the next place of the brackets that begin at L, round after round.
#pragma once

#include "strategies/hyperband_plan.h"
#include "strategies/strategy_impl.h"

#include <uthash.h>

struct hb_trial {
    uint64_t point;
    struct config config;     // of `rest`; owned
    int level;                // of the budget; -1: none of the plan's
    bool placed;              // in a bracket
    size_t bracket, rung;     // where placed
    struct hb_trial *parent;  // that it was promoted from
    bool promoted;
    bool told;
    struct outcome outcome;   // told, as it was
    double cost;              // told, with a finite value: less is better; else NAN
    uint64_t hash;            // of config
    struct hb_trial *same;    // the next one of the same hash
    UT_hash_handle hh, hh_config;
};

struct rung {
    size_t places;
    size_t started; // trials ever, at most places in the first rung and twice the places above it
    size_t live;    // of these, not failed or cancelled
    size_t ended;   // of all
    struct hb_trial **ranked; // ended with a value, best first; equal ones by number
    size_t count, capacity;
};

struct bracket {
    size_t s;
    uint64_t round;
    struct rung rungs[BUDGET_LEVELS_MAX]; // s + 1 of them
    bool quiet;  // nothing to promote before another tell
    bool closed; // nothing will ever be
};

struct results { // with a cost, of a level, in the order of tells
    struct hb_trial **trials;
    size_t count, capacity;
};

struct hyperband {
    struct strategy base;
    struct budget_plan plan;
    struct space *rest;
    struct config rest_view; // scratch
    bool sync;
    size_t bracket_kinds;  // brackets of a round
    uint64_t iterations;   // rounds, UINT64_MAX: without end
    struct strategy *lot;  // method random over `rest`
    // The model, bohb only
    const char *sampler;   // NULL: none
    double random_fraction;
    struct strategy_setting startup; // the model's
    size_t varying;         // parameters of `rest` that can vary
    struct strategy *model; // over `rest`; NULL: to be made from what is known
    size_t model_level;     // whose results it learns from
    // What was given
    struct hb_trial **trials; // ascending points, once `assigned`
    size_t count, capacity;
    struct hb_trial *by_point, *by_config;
    struct results results[BUDGET_LEVELS_MAX];
    size_t pending;        // placed and not told
    bool assigned;         // false: a restore came, the places are to be found again
    // Brackets
    struct bracket **brackets; // rounds one after the other, in each s = s_max, ...
    size_t bracket_count, bracket_capacity;
    size_t first_open;     // all before are closed
    size_t first_unfilled; // all before have their first rung full
    uint64_t begun[BUDGET_LEVELS_MAX]; // by level: trials that began there
    bool exhausted;        // no configuration is left that was not given
    char *note;
    uint64_t note_parent;
};

// ---- hyperband_brackets.c

// A trial that was asked for or restored; its configuration is taken over. It has no place yet.
struct hb_trial *hb_add(struct hyperband *hb, uint64_t point, struct config *config, int level);
struct hb_trial *hb_find(const struct hyperband *hb, uint64_t point);
bool hb_knows(const struct hyperband *hb, const struct config *config);

// Put every trial in its place: after restores.
void hb_assign(struct hyperband *hb);
// One trial after the others; parent NULL: it begins. False where there is no place for it.
bool hb_place(struct hyperband *hb, struct hb_trial *trial, struct hb_trial *parent);
// A trial ended; it is marked as told.
void hb_end(struct hyperband *hb, struct hb_trial *trial);

// The trial to promote next and its rank (1 is the best), or NULL.
struct hb_trial *hb_candidate(struct hyperband *hb, size_t *ret_rank);
// The bracket that the next new configuration begins in, or NULL: all rounds are full.
const struct bracket *hb_next_bracket(struct hyperband *hb);
// No configuration is left that was not given: first rungs are as full as they will be.
void hb_exhaust(struct hyperband *hb);

void hb_release(struct hyperband *hb); // trials and brackets

// ---- hyperband_model.c

// A configuration that was not given before, for trial `point`; *ret_how says where it is from, the caller's to free.
// ERR_EXHAUSTED: none was found; ERR_INVALID: the constraints refuse all.
int hb_new_config(struct hyperband *hb, uint64_t point, struct config *ret, char **ret_how, struct err *err);
