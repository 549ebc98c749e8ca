// Projected L-BFGS, one evaluation at a time.

#include "strategies/lbfgs.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ARMIJO 1e-4
#define SHRINKS_MAX 12

void lbfgs_init(struct lbfgs *search, size_t count, const double *x0, const double *low, const double *high,
                unsigned max_iterations, double tolerance)
{
    double *storage = xcalloc(count * (4 + 2 * LBFGS_MEMORY) + LBFGS_MEMORY, sizeof *storage);
    *search = (struct lbfgs){.count = count, .low = low, .high = high, .x = storage, .value = (double)INFINITY,
                             .max_iterations = max_iterations, .tolerance = tolerance, .storage = storage};
    search->best = storage + count;
    search->gradient = storage + 2 * count;
    search->direction = storage + 3 * count;
    search->s = storage + 4 * count;
    search->y = search->s + LBFGS_MEMORY * count;
    search->rho = search->y + LBFGS_MEMORY * count;
    for (size_t i = 0; i < count; i++)
        search->x[i] = x0[i] < low[i] ? low[i] : x0[i] > high[i] ? high[i] : x0[i];
}

void lbfgs_release(struct lbfgs *search)
{
    free(search->storage);
    *search = (struct lbfgs){0};
}

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

// At a bound, with the descent leading out of the box.
static bool is_held(const struct lbfgs *search, size_t i)
{
    return (search->best[i] <= search->low[i] && search->gradient[i] > 0) ||
           (search->best[i] >= search->high[i] && search->gradient[i] < 0);
}

static void remember(struct lbfgs *search, const double *gradient)
{
    size_t count = search->count;
    double *s = search->s + search->next * count, *y = search->y + search->next * count;
    for (size_t i = 0; i < count; i++) {
        s[i] = search->x[i] - search->best[i];
        y[i] = gradient[i] - search->gradient[i];
    }
    double curvature = dot(s, y, count);
    if (curvature <= 1e-12 * dot(y, y, count)) { // no valley in sight: what was learned of others misleads here
        search->stored = 0;
        return;
    }
    search->rho[search->next] = 1 / curvature;
    search->next = (search->next + 1) % LBFGS_MEMORY;
    search->stored += search->stored < LBFGS_MEMORY;
}

// The two-loop recursion over the free variables.
static void choose_direction(struct lbfgs *search)
{
    size_t count = search->count;
    double *d = search->direction, weights[LBFGS_MEMORY];
    for (size_t i = 0; i < count; i++)
        d[i] = is_held(search, i) ? 0 : -search->gradient[i];
    for (size_t k = 0; k < search->stored; k++) {
        size_t at = (search->next + LBFGS_MEMORY - 1 - k) % LBFGS_MEMORY;
        weights[at] = search->rho[at] * dot(search->s + at * count, d, count);
        for (size_t i = 0; i < count; i++)
            d[i] -= weights[at] * search->y[at * count + i];
    }
    if (search->stored > 0) {
        size_t last = (search->next + LBFGS_MEMORY - 1) % LBFGS_MEMORY;
        const double *y = search->y + last * count;
        double scale = 1 / (search->rho[last] * dot(y, y, count));
        for (size_t i = 0; i < count; i++)
            d[i] *= scale;
    }
    for (size_t k = search->stored; k-- > 0;) {
        size_t at = (search->next + LBFGS_MEMORY - 1 - k) % LBFGS_MEMORY;
        double correction = weights[at] - search->rho[at] * dot(search->y + at * count, d, count);
        for (size_t i = 0; i < count; i++)
            d[i] += correction * search->s[at * count + i];
    }
    for (size_t i = 0; i < count; i++)
        if (is_held(search, i))
            d[i] = 0;
}

static bool finish(struct lbfgs *search)
{
    memcpy(search->x, search->best, search->count * sizeof(double));
    search->done = true;
    return false;
}

static void go(struct lbfgs *search)
{
    for (size_t i = 0; i < search->count; i++) {
        double x = search->best[i] + search->step * search->direction[i];
        search->x[i] = x < search->low[i] ? search->low[i] : x > search->high[i] ? search->high[i] : x;
    }
}

static bool begin_line(struct lbfgs *search)
{
    double largest = 0, size = 0;
    for (size_t i = 0; i < search->count; i++)
        if (!is_held(search, i))
            largest = fmax(largest, fabs(search->gradient[i]));
    if (largest <= search->tolerance || search->iterations++ >= search->max_iterations)
        return finish(search);
    choose_direction(search);
    if (dot(search->direction, search->gradient, search->count) >= 0) { // no descent: begin again
        search->stored = 0;
        choose_direction(search);
    }
    for (size_t i = 0; i < search->count; i++)
        if (search->high[i] > search->low[i])
            size = fmax(size, fabs(search->direction[i]) / (search->high[i] - search->low[i]));
    if (size <= 0 || !isfinite(size))
        return finish(search);
    // The first step goes a tenth of the box at most, later ones as far as the model says, within the box.
    double limit = search->stored ? 1 : 0.1;
    search->step = fmin(search->stored ? 1 : (double)INFINITY, limit / size);
    search->shrinks = 0;
    go(search);
    return true;
}

bool lbfgs_step(struct lbfgs *search, double value, const double *gradient)
{
    size_t count = search->count;
    if (search->done)
        return false;
    bool first = search->iterations == 0;
    if (!first) {
        double expected = 0; // the decrease along the projected step
        for (size_t i = 0; i < count; i++)
            expected += search->gradient[i] * (search->x[i] - search->best[i]);
        if (!(value <= search->value + ARMIJO * expected) || !isfinite(value)) {
            if (search->shrinks++ >= SHRINKS_MAX)
                return finish(search);
            // The parabola through the two values and the slope, kept away from the ends.
            double factor = isfinite(value) ? -expected / (2 * (value - search->value - expected)) : 0.1;
            search->step *= factor > 0.1 && factor < 0.5 ? factor : factor >= 0.5 ? 0.5 : 0.1;
            go(search);
            return true;
        }
        remember(search, gradient);
        double gain = search->value - value;
        memcpy(search->best, search->x, count * sizeof(double));
        memcpy(search->gradient, gradient, count * sizeof(double));
        search->value = value;
        if (gain <= 1e-13 * (fabs(value) + 1e-30))
            return finish(search);
    } else {
        memcpy(search->best, search->x, count * sizeof(double));
        memcpy(search->gradient, gradient, count * sizeof(double));
        search->value = value;
        if (!isfinite(value))
            return finish(search);
    }
    return begin_line(search);
}
