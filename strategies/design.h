// Points that no model chooses, for the strategies that learn: an initial design of scrambled Sobol points, and points by
// lot where a model has nothing new to propose. All are feasible and were not given before.
#pragma once

#include "strategies/history.h"
#include "strategies/sobol_sequence.h"
#include "strategies/strategy_impl.h"

struct design {
    struct sobol_sequence sobol;
    size_t *params; // that can vary, in the space's order: a dimension of the sequence each, as far as there are any
    size_t varying;
    double *point;  // scratch
};

#define DESIGN_SCAN_MAX 1000000 // points of a finite space that are looked through for one that is left

void design_init(struct design *design, const struct space *space, uint64_t seed);
void design_release(struct design *design);

// Point `index` of the design, in strategy->view; one that is refused or was given gives way to others far along the
// sequence. False when none of DESIGN_DRAWS_MAX would do. Parameters beyond the published dimensions are drawn from stream
// "design.beyond" number `index`.
bool design_point(struct design *design, struct strategy *strategy, const struct history *history, uint64_t index);

#define DESIGN_DRAWS_MAX 1000

// A point by lot, in strategy->view; where draws find none, by looking through what is left of a finite space from a place
// by lot. ERR_EXHAUSTED when every configuration was given, ERR_INVALID when no draw satisfied the constraints.
int design_lot(struct design *design, struct strategy *strategy, const struct history *history, struct rng *rng,
               struct err *err);
