// Output transformations.

#include "strategies/warp.h"

#include "base/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COST_MAX 1e300 // beyond it differences would overflow

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Finite costs as they are, failures INFINITY.
static void tidy(const double *costs, size_t count, double *ret)
{
    double least = (double)INFINITY;
    for (size_t i = 0; i < count; i++)
        if (isfinite(costs[i]) && costs[i] < least)
            least = costs[i];
    for (size_t i = 0; i < count; i++) {
        double cost = costs[i];
        if (isnan(cost))
            cost = (double)INFINITY;
        else if (isinf(cost) && cost < 0)
            cost = isfinite(least) ? least : 0;
        if (isfinite(cost))
            cost = fmin(fmax(cost, -COST_MAX), COST_MAX);
        ret[i] = cost;
    }
}

static double quantile(const double *sorted, size_t count, double q)
{
    double at = q * (double)(count - 1);
    size_t i = (size_t)at;
    if (i + 1 >= count)
        return sorted[count - 1];
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

static void standardise(double *y, size_t count)
{
    double mean = 0, largest = 0, square = 0;
    for (size_t i = 0; i < count; i++)
        mean += y[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(y[i] - mean));
    if (!(largest > 0) || !isfinite(largest)) {
        memset(y, 0, count * sizeof *y);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        double z = (y[i] - mean) / largest;
        square += z * z;
    }
    double deviation = largest * sqrt(square / (double)count);
    for (size_t i = 0; i < count; i++)
        y[i] = deviation > 0 ? (y[i] - mean) / deviation : 0;
}

// Failures half a range above the worst of the rest, the rest at most three interquartile ranges above the third quartile.
static void draw_in(double *y, size_t finite, size_t count, const double *sorted)
{
    double first = quantile(sorted, finite, 0.25), third = quantile(sorted, finite, 0.75);
    double worst = sorted[finite - 1], fence = third + 3 * (third - first);
    if (third > first && fence < worst)
        worst = fence;
    double failure = worst + 0.5 * (worst - sorted[0]) + (worst > sorted[0] ? 0 : fmax(fabs(worst) * 1e-3, 1e-300));
    for (size_t i = 0; i < count; i++)
        y[i] = isinf(y[i]) ? failure : fmin(y[i], worst);
}

static size_t above_median(const double *sorted, size_t finite, double y)
{
    size_t low = 0, high = finite;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted[middle] <= y)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Root mean square of how far the better half is below the median.
static double better_deviation(const double *sorted, size_t better, double median)
{
    double largest = median - sorted[0], square = 0;
    for (size_t i = 0; i < better && largest > 0; i++) {
        double z = (median - sorted[i]) / largest;
        square += z * z;
    }
    double deviation = largest > 0 ? largest * sqrt(square / (double)better) : 0;
    return deviation > 0 ? deviation : fmax(fabs(median), 1) * 1e-3; // one value only: any scale will do
}

// The costs above the median become median + deviation * quantile of their rank among the distinct ones; failures are
// the last rank. `ranks` holds `finite` numbers: distinct costs from there on.
static void half_rank(double *y, size_t finite, size_t count, const double *sorted, double *ranks)
{
    double median = quantile(sorted, finite, 0.5), failures = finite < count ? 1 : 0;
    size_t better = above_median(sorted, finite, median);
    double deviation = better_deviation(sorted, better, median);
    for (size_t i = finite; i-- > 0;)
        ranks[i] = i + 1 == finite ? 1 : ranks[i + 1] + (sorted[i] < sorted[i + 1] ? 1 : 0);
    double total = (better < finite ? ranks[better] : 0) + failures;
    if (median == sorted[better - 1])
        total += 0.5; // the median is a cost of its own: half of it lies here
    for (size_t i = 0; i < count; i++) {
        if (y[i] <= median)
            continue;
        size_t next = isinf(y[i]) ? finite : above_median(sorted, finite, y[i]);
        double rank = isinf(y[i]) ? 1 : 1 + failures + (next < finite ? ranks[next] : 0); // from the worst
        y[i] = median - deviation * norm_inverse_cdf(0.5 * (rank - 0.5) / total);
    }
}

static void log_towards_best(double *y, size_t count)
{
    double least = y[0], most = y[0];
    for (size_t i = 1; i < count; i++) {
        least = fmin(least, y[i]);
        most = fmax(most, y[i]);
    }
    for (size_t i = 0; i < count && most > least; i++)
        y[i] = log1p((y[i] - least) / (most - least) * 0.5) / log(1.5);
}

size_t warp_costs(enum warp warp, const double *costs, size_t count, double *ret, double *scratch)
{
    double *sorted = scratch;
    size_t finite = 0, best = 0;
    if (count == 0)
        return 0;
    tidy(costs, count, ret);
    for (size_t i = 0; i < count; i++) {
        if (isfinite(ret[i]))
            sorted[finite++] = ret[i];
        if (ret[i] < ret[best])
            best = i;
    }
    if (finite == 0) {
        memset(ret, 0, count * sizeof *ret);
        return 0;
    }
    qsort(sorted, finite, sizeof *sorted, ascending);
    if (warp == WARP_STANDARD)
        draw_in(ret, finite, count, sorted);
    else
        half_rank(ret, finite, count, sorted, scratch + count);
    if (warp == WARP_HALF_RANK_LOG)
        log_towards_best(ret, count);
    standardise(ret, count);
    return best;
}
