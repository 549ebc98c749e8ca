// Bayesian optimisation: what its files share.
//
//   bayes.c         the strategy: asks, tells, initial design, which acquisition when
//   bayes_model.c   the models: which trials they hold, when they are fitted, pending trials
//   bayes_search.c  the maximum of the acquisition over the space
//   bayes_pool.c    many suggestions at once
#pragma once

#include "strategies/acquisition.h"
#include "strategies/design.h"
#include "strategies/gp.h"
#include "strategies/history.h"
#include "strategies/strategy_impl.h"
#include "strategies/warp.h"

#define BAYES_EXACT_MAX 400   // trials in a model; of more, a subset around the best
#define BAYES_PENDING_MAX 256 // pending ones in it: the newest
#define BAYES_ROWS_MAX (BAYES_EXACT_MAX + BAYES_PENDING_MAX)
#define BAYES_FIT_MAX 250     // trials that hyperparameters are fitted to
#define BAYES_PICKS_AFTER 8   // asks without a tell between them, from which on they are picked from a pool
#define BAYES_STARTS 6        // searches for the maximum
#define BAYES_BLOCK 64        // points of one prediction; at least three times the starts

struct model { // of one objective's costs
    size_t objective;
    enum warp warp;
    struct gp_prior prior;
    struct gp gp;
    size_t fitted;      // told trials that the hyperparameters are of; 0: none yet
    unsigned fits;
    uint64_t theta;     // changes with the hyperparameters
    uint64_t factored;  // the theta of the factor in gp; 0: none
    size_t rows;        // told trials in gp, its first rows
};

struct bayes {
    struct strategy base;
    struct history history;
    const struct observation **told; // in the order of tells
    size_t told_count, told_capacity;
    size_t value_count;     // of them with a finite value
    uint64_t given;         // points given or restored
    uint64_t run;           // of them since the last tell
    struct pool *pool;      // bayes_pool.c
    bool has_conditions, has_constraints;
    struct design design;
    size_t startup;         // points of the initial design
    struct feature *features;
    size_t feature_count;
    enum acquisition_kind acquisition;
    struct model *models;   // one an objective
    size_t model_count;
    struct gp fit;
    struct gp_fit_work *fit_work;
    // scratch
    double *costs, *targets, *warp_scratch; // told_capacity each, the last twice
    double *row;            // features of one point
    double *points, *predict_work; // of the search: the features of a few points; room for predictions
    char *note;
};

// bayes_model.c

void bayes_models_init(struct bayes *bayes, enum warp warp);
void bayes_models_release(struct bayes *bayes);

// Bring a model up to date: hyperparameters by the schedule, all told trials (or a subset), then pending ones (the first
// `pending` of them, of those the newest). *ret_best: the target of the incumbent. False when there is nothing to model (the
// numbers cannot be factored).
bool bayes_update(struct bayes *bayes, struct model *model, size_t pending, double *ret_best);

// Features of full coordinates (one a dimension, also of inactive ones) and a mask of which are active.
void bayes_features(const struct bayes *bayes, const double *coordinates, const bool *active, double *ret);
// Features of an observation.
void bayes_observed_features(const struct bayes *bayes, const struct observation *observation, double *ret);

// bayes_search.c

// What is to be maximised: the acquisition of one model; or of several objectives the least of the models' gains, each
// (reference - lower confidence bound) / weight (R. Zhang and D. Golovin, "Random Hypervolume Scalarizations for Provable
// Multi-Objective Black Box Optimization", 2020), whose mean over all weights is the gain of hypervolume.
struct wish {
    struct model *models[OBJECTIVES_MAX];
    size_t count;
    struct acquisition acquisition;
    double reference[OBJECTIVES_MAX], weight[OBJECTIVES_MAX]; // of several
};

// The configuration of greatest wish that was not given before, into strategy->view. `rng` is used up as far as it is. 0;
// ERR_NOT_FOUND when nothing feasible and new was found.
int bayes_search(struct bayes *bayes, const struct wish *wish, struct rng *rng, double *ret_value);

// A pool of feasible points for picks: `count` at most, half from the whole space, half around the model's incumbents. Coordinates
// (one a dimension) and features, point by point. Returns how many.
size_t bayes_candidates(struct bayes *bayes, struct model *model, struct rng *rng, size_t count, double *coordinates,
                        double *features);

// bayes_pool.c

// Many suggestions between two tells: picked one after the other from a pool, each shrinking the variances of the others. Into
// strategy->view. For runs of more than BAYES_PICKS_AFTER asks. 0, or ERR_NOT_FOUND when the pool has nothing new.
int bayes_pick(struct bayes *bayes, struct model *model);
void bayes_pool_release(struct bayes *bayes);
