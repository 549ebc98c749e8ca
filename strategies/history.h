// What a learning strategy has seen: its points, encoded, with what came of them.
//
// Encoding: a parameter that can vary is one dimension of a kind of its own. Numbers are their cumulative
// distribution in [0, 1] (so a log-uniform one is even on its log scale), discrete ones the middle of
// their share; a list of numbers counts as ordered, in ascending order; other lists are categories, coded
// 0, 1, 2, ... An inactive parameter (`when:`) is NAN.
//
// Objectives are kept as costs: maximized ones negated, so that less is always better.
#pragma once

#include "strategies/strategy.h"

#include <uthash.h>

enum dimension_kind {
    DIMENSION_REAL,     // continuous, [0, 1]
    DIMENSION_ORDERED,  // `levels` values in ascending order, [0, 1]
    DIMENSION_CATEGORY, // `levels` values, 0..levels-1
};

struct dimension {
    enum dimension_kind kind;
    size_t param;      // in the space
    uint64_t levels;   // values it can have; 0: a continuum
    bool conditional;  // it has a `when:`
    double *coordinates; // of each level, ascending, where there are at most DIMENSION_LEVELS_MAX; else NULL
    double *units;       // with coordinates: the u of param_from_unit that gives each level
};

#define DIMENSION_LEVELS_MAX 1024 // more levels are treated as a continuum that is rounded

struct encoding {
    const struct space *space;
    struct dimension *dimensions;
    size_t count;      // may be 0: nothing can vary
};

void encoding_init(struct encoding *encoding, const struct space *space);
void encoding_release(struct encoding *encoding);

// The configuration's coordinates, encoding.count of them.
void encoding_encode(const struct encoding *encoding, const struct config *config, double *ret);

// The other way: the configuration nearest to coordinates (inactive ones are not looked at: `when:` decides;
// a NAN where the parameter is active counts as 0.5 or the first category). The view is config_view_init's.
void encoding_decode(const struct encoding *encoding, const double *coordinates, double *units, struct config *view);

// The coordinate moved to the nearest one that a value has.
double dimension_snap(const struct dimension *dimension, double coordinate);

struct observation {
    uint64_t point;
    struct config config;  // owned
    double *coordinates;   // owned; encoding.count
    bool told;
    struct outcome outcome; // values are costs
    bool reported;          // an intermediate value came
    int64_t last_step;      // the latest step reported and
    double last_cost;       // its first objective, as a cost
    uint64_t hash;          // config_hash
    struct observation *same; // the next one of the same hash; private
    UT_hash_handle hh, hh_config; // private
};

struct history {
    struct encoding encoding;
    enum goal goals[OBJECTIVES_MAX];
    size_t objective_count;
    struct observation **observations; // in the order of asks (and restores)
    size_t count, capacity;
    size_t pending;           // not told yet
    size_t done, failed, stopped; // told, by state; cancelled ones are forgotten
    uint64_t version;         // grows with every change
    struct observation *by_point; // private
    struct observation *by_config; // private
};

void history_init(struct history *history, const struct strategy_setup *setup);
void history_release(struct history *history);

// A point given; its configuration is copied. NULL when it is known already.
struct observation *history_add(struct history *history, uint64_t point, const struct config *config);
// What came of it; unknown points and second tells are ignored (NULL). A cancelled point is removed.
struct observation *history_tell(struct history *history, uint64_t point, const struct outcome *outcome);
void history_report(struct history *history, uint64_t point, int64_t step, double value);
struct observation *history_find(const struct history *history, uint64_t point);
// Whether a configuration was given before, pending ones included.
bool history_has(const struct history *history, const struct config *config);

// The value that counts for the first objective, as a cost: its mean where it was told one; NAN otherwise.
double observation_cost(const struct observation *observation);
