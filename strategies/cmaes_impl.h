// CMA-ES: what its files share.
//
//   cmaes.c             the strategy: options, asks, tells, design
//   cmaes_generation.c  what a generation changes: the distribution, margins, categories, restarts
//   cma.c               the distribution over the real numbers
#pragma once

#include "strategies/cma.h"
#include "strategies/design.h"
#include "strategies/history.h"
#include "strategies/strategy_impl.h"

struct cmaes {
    struct strategy base;
    struct history history;
    struct cma cma;       // over the dimensions that are numbers
    size_t *dimension;    // of each of its variables, in the encoding
    double *margin;       // of each variable: how much wider samples are than the step that the update sees (CMA-ES with margin)
    double **chances;     // by dimension of the encoding: of each category; NULL for numbers
    size_t categories;    // dimensions that are categories
    const struct observation **batch; // told since the last update, of this run
    size_t batch_count, batch_capacity;
    size_t fresh;         // of them, from the present distribution
    size_t given, told;   // points; told ones with a finite cost are `finite`
    size_t finite;
    size_t startup;       // points of the initial design
    bool started;         // the design is over
    double sigma;         // option: initial step size
    size_t population, doublings;
    uint64_t last_point;  // the greatest that was given; a point beyond fence is of the present distribution
    uint64_t fence, run_fence; // and one beyond run_fence of this run
    uint64_t run, generation;  // restarts so far; updates of this run
    double run_best;      // least cost of this run
    uint64_t improved;    // the generation of run_best
    struct design design;
    double *coordinates;  // scratch: encoding.count
    double *step;         // scratch: cma.n
    bool used_up;         // every configuration of a finite space was given
    char *note;
};

// What a result counts as: its cost; infinity where there is none or it is not finite. A stopped point without a value has its last report.
double cmaes_cost(const struct observation *observation);

// After a tell: starts the first run when the design is over, updates when a generation is full.
void cmaes_advance(struct cmaes *cmaes);

// The distribution at its start, around the best that was told.
void cmaes_start_from_best(struct cmaes *cmaes);
// The distribution at its start, around the centre.
void cmaes_start_from_centre(struct cmaes *cmaes);
