// Minimising a smooth function within bounds: L-BFGS (Nocedal 1980) with projection onto the box and a
// backtracking line search (Armijo), as in Bertsekas' projected Newton methods (1982).
//
// The caller evaluates: it takes `x`, computes value and gradient there, and gives them to lbfgs_step,
// which leaves the next x to look at. So several searches can go on in step and share one evaluation.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define LBFGS_MEMORY 8

struct lbfgs {
    size_t count;
    const double *low, *high; // borrowed
    double *x;                // the point to evaluate, or the result
    double value;             // of the best point so far
    double *best, *gradient, *direction; // of the best point
    double *s, *y, *rho;      // the memory, a ring
    size_t stored, next;
    double step;
    unsigned iterations, max_iterations, shrinks;
    double tolerance;         // ends when no component of the projected gradient is above it
    bool done;
    double *storage;
};

// x0 is copied (and moved into the bounds).
void lbfgs_init(struct lbfgs *search, size_t count, const double *x0, const double *low, const double *high,
                unsigned max_iterations, double tolerance);
void lbfgs_release(struct lbfgs *search);

// Value and gradient at search->x. A value that is not finite counts as too high. Returns false when the search
// is over: then search->x is the best point, search->value its value.
bool lbfgs_step(struct lbfgs *search, double value, const double *gradient);
