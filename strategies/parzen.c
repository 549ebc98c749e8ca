// Parzen estimators.

#include "strategies/parzen.h"

#include "base/mem.h"
#include "strategies/vecmath.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 512             // kernels looked at in one go: the axes' numbers for them stay in the cache
#define SIGMA_MAX 1.0         // of the space's width
#define KERNELS_NARROWEST 100 // no bandwidth below 1 / this
#define DRAWS_MAX 200         // of a truncated normal; each is inside with a chance of a third or more

static const double sqrt_2pi = 2.5066282746310002;

// ---- Making

// The part of [0, 1] that is nearest to each level.
static double *level_widths(const struct dimension *dimension)
{
    double *widths = xcalloc(dimension->levels, sizeof *widths), low = 0;
    for (uint64_t i = 0; i < dimension->levels; i++) {
        double high = i + 1 < dimension->levels ? (dimension->coordinates[i] + dimension->coordinates[i + 1]) / 2 : 1;
        widths[i] = high - low;
        low = high;
    }
    return widths;
}

static void grow(struct parzen *parzen)
{
    size_t capacity = parzen->capacity ? 2 * parzen->capacity : 32;
    for (size_t i = 0; i < parzen->axis_count; i++) {
        struct parzen_axis *axis = &parzen->axes[i];
        axis->x = xreallocarray(axis->x, capacity, sizeof *axis->x);
        axis->sigma = xreallocarray(axis->sigma, capacity, sizeof *axis->sigma);
        axis->half = xreallocarray(axis->half, capacity, sizeof *axis->half);
        axis->norm = xreallocarray(axis->norm, capacity, sizeof *axis->norm);
        axis->order = xreallocarray(axis->order, capacity, sizeof *axis->order);
    }
    parzen->weights = xreallocarray(parzen->weights, capacity, sizeof *parzen->weights);
    parzen->capacity = capacity;
}

void parzen_init(struct parzen *parzen, const struct encoding *encoding, const size_t *which, size_t axis_count,
                 double prior_weight)
{
    *parzen = (struct parzen){.axes = xcalloc(axis_count, sizeof *parzen->axes), .axis_count = axis_count};
    for (size_t i = 0; i < axis_count; i++) {
        struct parzen_axis *axis = &parzen->axes[i];
        axis->dimension = &encoding->dimensions[which[i]];
        if (axis->dimension->kind == DIMENSION_ORDERED && axis->dimension->levels <= PARZEN_LEVELS_MAX)
            axis->widths = level_widths(axis->dimension);
    }
    grow(parzen);
    parzen->weights[0] = prior_weight;
    for (size_t i = 0; i < axis_count; i++) {
        struct parzen_axis *axis = &parzen->axes[i];
        axis->x[0] = axis->dimension->kind == DIMENSION_CATEGORY ? -1 : 0.5; // -1: no value's code
        axis->sigma[0] = 0;
    }
    parzen->count = 1;
    parzen->scratch = xcalloc(2 * CHUNK, sizeof *parzen->scratch);
}

void parzen_release(struct parzen *parzen)
{
    for (size_t i = 0; i < parzen->axis_count; i++) {
        struct parzen_axis *axis = &parzen->axes[i];
        free(axis->x);
        free(axis->sigma);
        free(axis->half);
        free(axis->norm);
        free(axis->order);
        free(axis->widths);
    }
    free(parzen->axes);
    free(parzen->weights);
    free(parzen->scratch);
    *parzen = (struct parzen){0};
}

void parzen_clear(struct parzen *parzen)
{
    parzen->count = 1;
}

// Behind those that are equal, so that order is by age among them.
static void insert(struct parzen_axis *axis, size_t count, uint32_t slot)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (axis->x[axis->order[middle]] <= axis->x[slot])
            low = middle + 1;
        else
            high = middle;
    }
    memmove(&axis->order[low + 1], &axis->order[low], (count - low) * sizeof *axis->order);
    axis->order[low] = slot;
}

size_t parzen_add(struct parzen *parzen, const double *coordinates)
{
    if (parzen->count == parzen->capacity)
        grow(parzen);
    size_t slot = parzen->count;
    for (size_t i = 0; i < parzen->axis_count; i++) {
        struct parzen_axis *axis = &parzen->axes[i];
        axis->x[slot] = coordinates[i];
        axis->sigma[slot] = axis->half[slot] = axis->norm[slot] = 0; // none yet
        if (axis->dimension->kind != DIMENSION_CATEGORY)
            insert(axis, parzen->count - 1, (uint32_t)slot);
    }
    parzen->weights[slot] = 1;
    return parzen->count++;
}

// ---- Bandwidths and normalisers

// P(X > z) for a standard normal, z >= 0.
static double upper_tail(double z)
{
    return z > 8.3 ? 0 : 0.5 * erfc(z * 0.70710678118654752);
}

// The integral of exp(-half (x - centre)^2) over [0, 1], the levels' parts where there are levels.
static double kernel_mass(const struct parzen_axis *axis, double centre, double sigma, double half)
{
    if (!axis->widths)
        return sqrt_2pi * sigma * (1 - upper_tail(centre / sigma) - upper_tail((1 - centre) / sigma));
    double terms[PARZEN_LEVELS_MAX], mass = 0;
    size_t levels = axis->dimension->levels;
    for (size_t i = 0; i < levels; i++) {
        double away = axis->dimension->coordinates[i] - centre;
        terms[i] = -half * (away * away);
    }
    vec_exp(terms, levels);
    for (size_t i = 0; i < levels; i++)
        mass += axis->widths[i] * terms[i];
    return mass > 1e-300 ? mass : 1e-300;
}

// `like`: the slot before on the axis, often the same place and bandwidth.
static void set_sigma(struct parzen_axis *axis, size_t slot, double sigma, size_t like)
{
    if (axis->sigma[slot] == sigma)
        return;
    axis->sigma[slot] = sigma;
    if (axis->x[like] == axis->x[slot] && axis->sigma[like] == sigma && like != slot) {
        axis->half[slot] = axis->half[like];
        axis->norm[slot] = axis->norm[like];
        return;
    }
    axis->half[slot] = 0.5 / (sigma * sigma);
    axis->norm[slot] = -log(kernel_mass(axis, axis->x[slot], sigma, axis->half[slot]));
}

// The larger gap to the neighbours. The outermost kernels have one neighbour; a kernel alone has both ends of the space.
static void fit_numbers(const struct parzen *parzen, struct parzen_axis *axis, size_t kernels, double sigma_min)
{
    size_t previous = 0, current = 0; // 0: none
    double gap = -1;                  // between the two
    for (size_t i = 0; i < parzen->count; i++) {
        size_t next = i + 1 < parzen->count ? axis->order[i] : 0;
        if (next != 0 && parzen->weights[next] == 0)
            continue;
        double next_gap = next != 0 && current != 0 ? axis->x[next] - axis->x[current] : -1;
        if (current != 0) {
            double sigma = gap > next_gap ? gap : next_gap, x = axis->x[current];
            if (kernels == 2)
                sigma = x > 0.5 ? x : 1 - x;
            sigma = sigma < sigma_min ? sigma_min : sigma > SIGMA_MAX ? SIGMA_MAX : sigma;
            set_sigma(axis, current, sigma, previous ? previous : current);
        }
        previous = current;
        current = next;
        gap = next_gap;
    }
    set_sigma(axis, 0, SIGMA_MAX, 0);
}

static void fit_categories(const struct parzen *parzen, struct parzen_axis *axis, double kernels)
{
    double choices = (double)axis->dimension->levels, sum = 1 + choices / kernels;
    axis->own = (1 + 1 / kernels) / sum;
    axis->differs = log((1 / kernels) / sum) - log(axis->own);
    double norm = log(axis->own);
    for (size_t i = 1; i < parzen->count; i++)
        axis->norm[i] = norm;
    axis->norm[0] = -log(choices) - axis->differs; // whose code differs from all
}

void parzen_fit(struct parzen *parzen)
{
    size_t kernels = 1;
    for (size_t i = 1; i < parzen->count; i++)
        kernels += parzen->weights[i] > 0;
    double sigma_min = 1 / fmin(KERNELS_NARROWEST, 1 + (double)kernels);
    for (size_t i = 0; i < parzen->axis_count; i++) {
        struct parzen_axis *axis = &parzen->axes[i];
        if (axis->dimension->kind == DIMENSION_CATEGORY)
            fit_categories(parzen, axis, (double)kernels);
        else
            fit_numbers(parzen, axis, kernels, sigma_min);
    }
}

// ---- Densities

static bool used(const bool *use, size_t axis)
{
    return !use || use[axis];
}

// A sum of weighted exponentials, kept with the greatest exponent taken out.
struct sum {
    double shift, sum;
};

static void sum_add(struct sum *sum, double shift, double terms)
{
    if (shift > sum->shift) {
        sum->sum = sum->sum * exp(sum->shift - shift) + terms;
        sum->shift = shift;
    } else {
        sum->sum += terms * exp(shift - sum->shift);
    }
}

static void add_chunk(const struct parzen *parzen, const bool *use, size_t start, size_t length, const double *points,
                      size_t count, struct sum *sums)
{
    double *base = parzen->scratch, *log_kernel = parzen->scratch + CHUNK;
    memset(base, 0, length * sizeof *base);
    for (size_t i = 0; i < parzen->axis_count; i++)
        if (used(use, i))
            vec_add(base, parzen->axes[i].norm + start, length);
    for (size_t j = 0; j < length; j++)
        if (parzen->weights[start + j] == 0)
            base[j] = -(double)INFINITY;
    for (size_t k = 0; k < count; k++) {
        memcpy(log_kernel, base, length * sizeof *base);
        for (size_t i = 0; i < parzen->axis_count; i++) {
            const struct parzen_axis *axis = &parzen->axes[i];
            double x = points[k * parzen->axis_count + i];
            if (!used(use, i))
                continue;
            if (axis->dimension->kind == DIMENSION_CATEGORY)
                vec_add_differs(log_kernel, axis->x + start, length, x, axis->differs);
            else
                vec_sub_squares(log_kernel, axis->x + start, axis->half + start, length, x);
        }
        double shift = vec_max(log_kernel, length);
        if (shift == -(double)INFINITY) // none has a weight
            return;
        sum_add(&sums[k], shift, vec_sum_exp(log_kernel, parzen->weights + start, length, shift));
    }
}

void parzen_log_density(const struct parzen *parzen, const bool *use, const double *points, size_t count, double *ret)
{
    double total = 0;
    for (size_t i = 0; i < parzen->count; i++)
        total += parzen->weights[i];
    struct sum *sums = xcalloc(count, sizeof *sums);
    for (size_t k = 0; k < count; k++)
        sums[k].shift = -(double)INFINITY;
    for (size_t start = 0; start < parzen->count; start += CHUNK) {
        size_t length = parzen->count - start < CHUNK ? parzen->count - start : CHUNK;
        add_chunk(parzen, use, start, length, points, count, sums);
    }
    for (size_t k = 0; k < count; k++)
        ret[k] = sums[k].shift + log(sums[k].sum) - log(total);
    free(sums);
}

// ---- Draws

static size_t draw_kernel(const struct parzen *parzen, struct rng *rng)
{
    double total = 0;
    for (size_t i = 0; i < parzen->count; i++)
        total += parzen->weights[i];
    double left = rng_double(rng) * total;
    size_t last = 0;
    for (size_t i = 0; i < parzen->count; i++) {
        if (parzen->weights[i] == 0)
            continue;
        last = i;
        if (left < parzen->weights[i])
            break;
        left -= parzen->weights[i];
    }
    return last;
}

static double draw_category(const struct parzen_axis *axis, size_t slot, struct rng *rng)
{
    uint64_t choices = axis->dimension->levels;
    if (slot == 0)
        return (double)rng_below(rng, choices);
    if (rng_double(rng) < axis->own)
        return axis->x[slot];
    uint64_t other = rng_below(rng, choices - 1);
    return (double)(other + ((double)other >= axis->x[slot]));
}

static double draw_number(const struct parzen_axis *axis, size_t slot, struct rng *rng)
{
    double x = -1;
    for (int i = 0; i < DRAWS_MAX && (x < 0 || x > 1); i++)
        x = axis->x[slot] + axis->sigma[slot] * rng_normal(rng);
    x = x < 0 ? 0 : x > 1 ? 1 : x;
    return dimension_snap(axis->dimension, x);
}

void parzen_sample(const struct parzen *parzen, bool prior_only, struct rng *rng, double *ret)
{
    size_t slot = prior_only ? 0 : draw_kernel(parzen, rng);
    for (size_t i = 0; i < parzen->axis_count; i++) {
        const struct parzen_axis *axis = &parzen->axes[i];
        ret[i] = axis->dimension->kind == DIMENSION_CATEGORY ? draw_category(axis, slot, rng) : draw_number(axis, slot, rng);
    }
}
