// Private to strategies/: what a method provides, and what methods share.
//
// A method has its own struct with `struct strategy base` first, and a table of operations.
// strategy_new has checked the settings when `create` runs. Operations that a method does not need
// are NULL.
#pragma once

#include "base/rng.h"
#include "strategies/strategy.h"

struct strategy_ops {
    // Make the method's struct; `base` is filled in by strategy_new afterwards. ERR_INVALID for a
    // space that the method cannot search.
    int (*create)(const struct strategy_setup *setup, struct strategy **ret, struct err *err);
    void (*destroy)(struct strategy *strategy); // all of it
    int (*ask)(struct strategy *strategy, uint64_t point, struct config *ret, struct err *err);
    void (*tell)(struct strategy *strategy, uint64_t point, const struct outcome *outcome);
    struct strategy_note (*note)(const struct strategy *strategy);
    void (*report)(struct strategy *strategy, uint64_t point, int64_t step, double value);
    void (*restore)(struct strategy *strategy, uint64_t point, const struct config *config);
    uint64_t (*cursor)(const struct strategy *strategy); // NULL: 0
    int (*seek)(struct strategy *strategy, uint64_t cursor, struct err *err);
};

struct strategy {
    const struct strategy_method *method;
    const struct strategy_ops *ops;
    const struct space *space;
    enum goal goals[OBJECTIVES_MAX];
    size_t objective_count; // 1 or more
    uint64_t seed;
    struct config view; // scratch: the point being looked at
    double *units;      // scratch: one a parameter
    uint64_t *failures; // by constraint, in the present search
    uint64_t rejects;   // points looked at and refused in the present search
};

extern const struct strategy_ops grid_ops, random_ops, sobol_ops, auto_ops, bayes_ops, tpe_ops, cmaes_ops, hyperband_ops, bohb_ops;
extern const struct strategy_option sobol_options[], bayes_options[], tpe_options[], cmaes_options[],
    hyperband_options[], bohb_options[];

// A setting, or its option's default. The method is found by the option table.
bool setting_bool(const struct strategy_setup *setup, const struct strategy_option *options,
                  const char *name);
int64_t setting_int(const struct strategy_setup *setup, const struct strategy_option *options,
                    const char *name);
double setting_float(const struct strategy_setup *setup, const struct strategy_option *options,
                     const char *name);
const char *setting_word(const struct strategy_setup *setup, const struct strategy_option *options,
                         const char *name);

// ERR_INVALID for a setting that the method does not have or that is out of its range.
int settings_check(const struct strategy_method *method, const struct strategy_setup *setup,
                   struct err *err);

// Looking for a feasible point: start, then strategy_accepts for each candidate in strategy->view,
// which counts what fails. strategy_refuse is the ERR_INVALID that names the constraint that failed
// most.
void strategy_search(struct strategy *strategy);
bool strategy_accepts(struct strategy *strategy);
int strategy_refuse(const struct strategy *strategy, struct err *err);
