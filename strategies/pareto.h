// Several objectives at once: dominance, non-dominated sorting, the front, hypervolume. Pure.
//
// Costs are minimised (whoever maximises negates) and lie row by row: costs[i * m + k] is objective k of point i, m from 1 to
// OBJECTIVES_MAX. a dominates b when it is at most b in every objective and less in one; so equal points do not dominate each other. A
// NaN counts as infinity; infinities compare as they should.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool pareto_dominates(const double *a, const double *b, size_t m);

// ret_ranks[i] (n of them) is 0 for points that none dominates, 1 for those that only points of rank 0 dominate, and so on; equal points
// have equal ranks. Returns how many ranks there are. O(n log n) for m <= 2 (Jensen, "Reducing the run-time complexity of multiobjective
// EAs", 2003), at most O(m n^2) and usually far less for more (efficient non-dominated sort with binary search: Zhang, Tian, Cheng and Jin,
// "An efficient approach to nondominated sorting for evolutionary multiobjective optimization", 2015).
uint32_t pareto_ranks(const double *costs, size_t n, size_t m, uint32_t *ret_ranks);

// The volume that the points dominate below the reference (m finite numbers): of points that are not better than it in every objective
// nothing counts. Exact but for rounding: a sweep for m <= 2, O(n log n); else WFG with each level's last objective sliced off (While,
// Bradstreet and Barone, "A fast way of calculating exact hypervolumes", 2012), O(n^2 log n) for m = 3, exponential in m at worst. Infinite
// when a point is minus infinity in an objective (and better than the reference in the others). False, *ret untouched, when it would take
// more than about work_max comparisons of numbers (0: no bound; a millisecond is about a million).
bool pareto_hypervolume(const double *costs, size_t n, size_t m, const double *reference, uint64_t work_max, double *ret);

// The points that no other dominates, kept as points come. Of equal ones the first is kept. A point with a NaN is not taken.
struct pareto_front {
    size_t objective_count; // m; set before the first point
    size_t count, capacity;
    double *costs;          // count x m
    uint64_t *ids;          // count, in the order they came
    double *worst;          // m: the greatest finite cost of any point that came, on the front or not; -infinity: none yet
    size_t seen;            // points that came, without those with a NaN
};
void pareto_front_init(struct pareto_front *front, size_t objective_count);
void pareto_front_release(struct pareto_front *front);
// True when it is on the front now. O(m count).
bool pareto_front_add(struct pareto_front *front, uint64_t id, const double *costs);
