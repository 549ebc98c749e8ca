// Several objectives, for people: the front of a sweep and how much it dominates.
#pragma once

#include "controller/store/store.h"
#include "spec/spec.h"
#include "strategies/pareto.h"

#include <stdio.h>

// The front of the done trials with a value of every objective: ids are the numbers of trials, costs are values, negated where the goal is
// to maximise; ordered by the first cost. The spec has an objective. The caller releases it, on success only.
int front_load(struct store *store, const struct sweep_row *row, const struct spec *spec, struct pareto_front *ret, struct err *err);

// "0.5,100": a value of each objective, in the spec's order and its units, to costs. ERR_USAGE.
int front_parse_reference(const struct spec *spec, const char *text, double ret_costs[static OBJECTIVES_MAX], struct err *err);

// Against a reference (costs), or NULL: against the worst value that any done trial had in each objective. False: it would take minutes.
bool front_hypervolume(const struct pareto_front *front, const double *reference, double *ret);

// "front of 12 trials, hypervolume 3.25 (reference loss 0.9, latency 40)", without a newline.
void front_write_line(struct str *out, const struct spec *spec, const struct pareto_front *front);

// {"size":12,"hypervolume":3.25,"reference":{"loss":0.9,"latency":40},"trials":[3,9,...]}; the hypervolume is null where it takes too long.
void front_write_json(struct str *out, const struct spec *spec, const struct pareto_front *front, const double *reference);
