// Bayesian optimisation: what its files share.
//
//   bayes.c         the strategy: asks, tells, initial design, which acquisition when
//   bayes_model.c   the models: which trials they hold, when they are fitted, pending trials
//   bayes_search.c  the maximum of the acquisition over the space
#pragma once

#include "strategies/acquisition.h"
#include "strategies/gp.h"
#include "strategies/history.h"
#include "strategies/sobol_sequence.h"
#include "strategies/strategy_impl.h"
#include "strategies/warp.h"

#define BAYES_EXACT_MAX 512   // trials in a model; of more, a subset around the best
#define BAYES_PENDING_MAX 256 // pending ones in it: the newest
#define BAYES_ROWS_MAX (BAYES_EXACT_MAX + BAYES_PENDING_MAX)
#define BAYES_FIT_MAX 250     // trials that hyperparameters are fitted to
#define BAYES_STARTS 6        // searches for the maximum
#define BAYES_BLOCK 64        // points of one prediction; at least three times the starts

struct model { // of one warp
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
    bool has_conditions, has_constraints;
    struct sobol_sequence sobol;
    double *sobol_point;
    size_t *sobol_param;    // by dimension
    size_t sobol_varying;
    size_t startup;         // points of the initial design
    struct feature *features;
    size_t feature_count;
    struct gp_prior prior;
    struct model models[WARP_COUNT];
    struct gp fit;
    struct gp_fit_work *fit_work;
    // scratch
    double *costs, *targets, *warp_scratch; // told_capacity each, the last twice
    double *row;            // features of one point
    double *points, *predict_work; // of the search: the features of a few points; room for predictions
    char *note;
};

// bayes_model.c

void bayes_models_init(struct bayes *bayes);
void bayes_models_release(struct bayes *bayes);

// The model of a warp, up to date: hyperparameters by the schedule, all told trials (or a subset), then pending ones.
// *ret_best: the target of the incumbent. NULL when there is nothing to model (the numbers cannot be factored).
struct model *bayes_model(struct bayes *bayes, enum warp warp, double *ret_best);

// Features of full coordinates (one a dimension, also of inactive ones) and a mask of which are active.
void bayes_features(const struct bayes *bayes, const double *coordinates, const bool *active, double *ret);
// Features of an observation.
void bayes_observed_features(const struct bayes *bayes, const struct observation *observation, double *ret);

// bayes_search.c

// The configuration of greatest acquisition that was not given before, into strategy->view. `rng` is used up as far as it
// is. 0; ERR_NOT_FOUND when nothing feasible and new was found.
int bayes_search(struct bayes *bayes, struct model *model, const struct acquisition *acquisition, struct rng *rng,
                 double *ret_value);
