// Dominance, non-dominated sorting, hypervolume. See pareto.h for the sources.

#include "strategies/pareto.h"

#include "base/mem.h"
#include "strategies/strategy.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double as_cost(double value)
{
    return isnan(value) ? (double)INFINITY : value;
}

bool pareto_dominates(const double *a, const double *b, size_t m)
{
    bool less = false;
    for (size_t k = 0; k < m; k++) {
        double x = as_cost(a[k]), y = as_cost(b[k]);
        if (x > y)
            return false;
        less = less || x < y;
    }
    return less;
}

// ---- Sorting

struct sorted { // a point that is sorted without moving its costs
    const double *costs;
    size_t index, m;
};

static int lexicographic(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    for (size_t k = 0; k < x->m; k++)
        if (x->costs[k] != y->costs[k])
            return x->costs[k] < y->costs[k] ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static bool is_equal(const double *a, const double *b, size_t m)
{
    for (size_t k = 0; k < m; k++)
        if (a[k] != b[k])
            return false;
    return true;
}

// In lexicographic order what dominates a point comes before it; and where a rank holds a point that dominates it, so do all lower
// ranks. So the rank is found by halving.
struct ranking {
    const struct sorted *points;
    size_t m;
    uint32_t *ranks;   // by place in the order
    uint32_t count;    // ranks so far
    double *least;     // m <= 2: the least last cost in each rank
    size_t *last;      // m > 2: the place of the newest of each rank, and of the one before it
    size_t *before;
};

static bool rank_dominates(const struct ranking *ranking, uint32_t rank, size_t place)
{
    const double *costs = ranking->points[place].costs;
    if (ranking->m <= 2)
        return ranking->least[rank] <= costs[ranking->m - 1];
    for (size_t at = ranking->last[rank]; at != SIZE_MAX; at = ranking->before[at])
        if (pareto_dominates(ranking->points[at].costs, costs, ranking->m))
            return true;
    return false;
}

static uint32_t rank_of(const struct ranking *ranking, size_t place)
{
    uint32_t low = 0, high = ranking->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rank_dominates(ranking, middle, place))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void put_into_rank(struct ranking *ranking, size_t place, uint32_t rank)
{
    double last_cost = ranking->points[place].costs[ranking->m - 1];
    ranking->ranks[place] = rank;
    if (rank == ranking->count) {
        ranking->count++;
        ranking->least[rank] = last_cost;
        ranking->last[rank] = SIZE_MAX;
    }
    if (last_cost < ranking->least[rank])
        ranking->least[rank] = last_cost;
    ranking->before[place] = ranking->last[rank];
    ranking->last[rank] = place;
}

uint32_t pareto_ranks(const double *costs, size_t n, size_t m, uint32_t *ret_ranks)
{
    assert(m >= 1 && m <= OBJECTIVES_MAX && n < UINT32_MAX);
    double *clean = xcalloc(n * m + 1, sizeof *clean);
    struct sorted *points = xcalloc(n + 1, sizeof *points);
    for (size_t i = 0; i < n * m; i++)
        clean[i] = as_cost(costs[i]);
    for (size_t i = 0; i < n; i++)
        points[i] = (struct sorted){.costs = clean + i * m, .index = i, .m = m};
    qsort(points, n, sizeof *points, lexicographic);
    struct ranking ranking = {.points = points, .m = m};
    ranking.ranks = xcalloc(n + 1, sizeof *ranking.ranks);
    ranking.least = xcalloc(n + 1, sizeof *ranking.least);
    ranking.last = xcalloc(n + 1, sizeof *ranking.last);
    ranking.before = xcalloc(n + 1, sizeof *ranking.before);
    for (size_t i = 0; i < n; i++) {
        bool again = i > 0 && is_equal(points[i].costs, points[i - 1].costs, m);
        if (again)
            ranking.ranks[i] = ranking.ranks[i - 1];
        else
            put_into_rank(&ranking, i, rank_of(&ranking, i));
        ret_ranks[points[i].index] = ranking.ranks[i];
    }
    free(ranking.before);
    free(ranking.last);
    free(ranking.least);
    free(ranking.ranks);
    free(points);
    free(clean);
    return ranking.count;
}

// ---- Hypervolume

struct volume {
    const double *reference;
    double *limits[OBJECTIVES_MAX + 1]; // scratch of each dimension: points cut off at one of them
    uint64_t work, work_max;            // work_max 0: no bound
    bool too_much;
};

static int by_first(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return x[0] != y[0] ? (x[0] < y[0] ? -1 : 1) : (x[1] > y[1]) - (x[1] < y[1]);
}

// The last of d costs, worst first. qsort's comparison knows no d: one function for each.
#define BY_LAST(d)                                                                                 \
    static int by_last_##d(const void *a, const void *b)                                           \
    {                                                                                              \
        const double *x = a, *y = b;                                                               \
        for (size_t k = d; k-- > 0;)                                                               \
            if (x[k] != y[k])                                                                      \
                return x[k] > y[k] ? -1 : 1;                                                       \
        return 0;                                                                                  \
    }
BY_LAST(3)
BY_LAST(4)
BY_LAST(5)
BY_LAST(6)
BY_LAST(7)
BY_LAST(8)
#undef BY_LAST
static int (*const by_last[OBJECTIVES_MAX + 1])(const void *, const void *) = {
    NULL, NULL, NULL, by_last_3, by_last_4, by_last_5, by_last_6, by_last_7, by_last_8};

static double box(const double *point, const double *reference, size_t d)
{
    double product = 1;
    for (size_t k = 0; k < d; k++)
        product *= reference[k] - point[k];
    return product;
}

// `points` (n x 2) is sorted in place.
static double sweep(const struct volume *volume, double *points, size_t n)
{
    qsort(points, n, 2 * sizeof *points, by_first);
    double total = 0, height = volume->reference[1];
    for (size_t i = 0; i < n; i++) {
        const double *point = points + 2 * i;
        if (point[1] >= height)
            continue;
        total += (volume->reference[0] - point[0]) * (height - point[1]);
        height = point[1];
    }
    return total;
}

// Add a point (d costs) to a set in which none is at most another, and keep it so.
static size_t add_limit(struct volume *volume, double *set, size_t n, const double *point, size_t d)
{
    size_t kept = 0;
    volume->work += n * d + 1;
    for (size_t i = 0; i < n; i++) {
        const double *other = set + i * d;
        bool other_less = false, point_less = false;
        for (size_t k = 0; k < d; k++) {
            other_less = other_less || other[k] < point[k];
            point_less = point_less || point[k] < other[k];
        }
        if (!point_less)
            return n; // only possible before the first was dropped: the set holds no pair that is ordered
        if (!other_less)
            continue;
        if (kept < i)
            memmove(set + kept * d, other, d * sizeof *set);
        kept++;
    }
    memcpy(set + kept * d, point, d * sizeof *set);
    return kept + 1;
}

// `points` (n x d, all better than the reference) is sorted in place. Worst in the last objective first: of those that come after a point
// all that lies in its box reaches through its last objective, so what they share with it is a volume of d - 1 objectives times one length.
static double volume_of(struct volume *volume, double *points, size_t n, size_t d)
{
    volume->work += n * d;
    if (volume->work_max > 0 && volume->work > volume->work_max)
        volume->too_much = true;
    if (volume->too_much || n == 0)
        return 0;
    if (n == 1)
        return box(points, volume->reference, d);
    if (d == 2)
        return sweep(volume, points, n);
    qsort(points, n, d * sizeof *points, by_last[d]);
    double total = 0;
    double *set = volume->limits[d - 1];
    for (size_t i = 0; i < n && !volume->too_much; i++) {
        const double *point = points + i * d;
        size_t count = 0;
        for (size_t j = i + 1; j < n; j++) {
            double limit[OBJECTIVES_MAX];
            for (size_t k = 0; k + 1 < d; k++)
                limit[k] = fmax(points[j * d + k], point[k]);
            count = add_limit(volume, set, count, limit, d - 1);
        }
        double length = volume->reference[d - 1] - point[d - 1];
        total += length * (box(point, volume->reference, d - 1) - volume_of(volume, set, count, d - 1));
    }
    return total;
}

// The points that count, packed into `ret`; true in *ret_infinite when one of them has a volume without bound.
static size_t take_counting(const double *costs, size_t n, size_t m, const double *reference, double *ret, bool *ret_infinite)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        bool better = true, infinite = false;
        for (size_t k = 0; k < m; k++) {
            better = better && costs[i * m + k] < reference[k]; // false for NaN
            infinite = infinite || isinf(costs[i * m + k]);
        }
        if (!better)
            continue;
        *ret_infinite = *ret_infinite || infinite;
        memcpy(ret + count++ * m, costs + i * m, m * sizeof *ret);
    }
    return count;
}

static double shortest(const double *points, size_t n, double reference)
{
    double least = reference;
    for (size_t i = 0; i < n; i++)
        least = fmin(least, points[i]);
    return reference - least;
}

bool pareto_hypervolume(const double *costs, size_t n, size_t m, const double *reference, uint64_t work_max, double *ret)
{
    assert(m >= 1 && m <= OBJECTIVES_MAX);
    struct volume volume = {.reference = reference, .work_max = work_max};
    double *points = xcalloc(n * m + 1, sizeof *points);
    bool infinite = false;
    double result;
    size_t count = take_counting(costs, n, m, reference, points, &infinite);
    for (size_t d = 2; d < m; d++)
        volume.limits[d] = xcalloc((count + 1) * d, sizeof *volume.limits[d]);
    if (infinite)
        result = (double)INFINITY;
    else
        result = m == 1 ? shortest(points, count, reference[0]) : volume_of(&volume, points, count, m);
    for (size_t d = 2; d < m; d++)
        free(volume.limits[d]);
    free(points);
    if (volume.too_much)
        return false;
    *ret = result;
    return true;
}

// ---- The front as points come

void pareto_front_init(struct pareto_front *front, size_t objective_count)
{
    *front = (struct pareto_front){.objective_count = objective_count};
    front->worst = xcalloc(objective_count + 1, sizeof *front->worst);
    for (size_t k = 0; k < objective_count; k++)
        front->worst[k] = -(double)INFINITY;
}

void pareto_front_release(struct pareto_front *front)
{
    free(front->costs);
    free(front->ids);
    free(front->worst);
    *front = (struct pareto_front){0};
}

bool pareto_front_add(struct pareto_front *front, uint64_t id, const double *costs)
{
    size_t m = front->objective_count, kept = 0;
    for (size_t k = 0; k < m; k++)
        if (isnan(costs[k]))
            return false;
    front->seen++;
    for (size_t k = 0; k < m; k++)
        if (isfinite(costs[k]) && costs[k] > front->worst[k])
            front->worst[k] = costs[k];
    for (size_t i = 0; i < front->count; i++) {
        const double *other = front->costs + i * m;
        if (is_equal(other, costs, m) || pareto_dominates(other, costs, m))
            return false;
    }
    for (size_t i = 0; i < front->count; i++) {
        if (pareto_dominates(costs, front->costs + i * m, m))
            continue;
        memmove(front->costs + kept * m, front->costs + i * m, m * sizeof *front->costs);
        front->ids[kept++] = front->ids[i];
    }
    front->count = kept;
    if (front->count == front->capacity) {
        front->capacity = front->capacity ? 2 * front->capacity : 16;
        front->costs = xreallocarray(front->costs, front->capacity * m, sizeof *front->costs);
        front->ids = xreallocarray(front->ids, front->capacity, sizeof *front->ids);
    }
    memcpy(front->costs + front->count * m, costs, m * sizeof *front->costs);
    front->ids[front->count++] = id;
    return true;
}
