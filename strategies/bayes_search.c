// The maximum of an acquisition over a mixed space.
//
// Candidates from the whole space and around the incumbents are scored together; the best of them, kept apart, are improved
// in turns: all continuous coordinates at once by gradients (the searches go on in step and share each evaluation), then the
// best single exchange of a discrete one. Conditions and constraints are asked of every point that is looked at.

#include "strategies/bayes_impl.h"

#include "base/mem.h"
#include "strategies/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STARTS BAYES_STARTS
#define CANDIDATES 1000      // half from the whole space, half around the incumbents; fewer for large models
#define CANDIDATES_MIN 200
#define SCORE_WORK 1e8       // trials^2 * candidates
#define STEPS 30             // of the gradients
#define EXCHANGES 4          // of one place in a round
#define EXCHANGE_MAX 2000    // neighbours of a place that are looked at
#define BLOCK BAYES_BLOCK
#define INCUMBENTS 5
#define RELAXED_LEVELS 16    // ordered dimensions of more levels move with the gradients
#define ROUNDS 5
#define NEIGHBOURS_MAX 48    // exchanges looked at of one dimension
#define APART 0.01           // squared scaled distance between starts

struct place { // a point of the space
    double *coordinates; // full: one a dimension, also of inactive ones
    bool *active;
    double *features;
    double value;        // acquisition
};

struct search {
    struct bayes *bayes;
    const struct wish *wish;
    struct gp *gp; // the first model's, which also has the rows
    struct rng *rng;
    size_t dimensions, features;
    struct place *places; // the pool
    size_t count, capacity;
    double *storage;
    bool *flags;
    double *means, *variances;
};

// ---- Points

static struct place *place_at(struct search *search, size_t i)
{
    return &search->places[i];
}

static void pool_init(struct search *search, size_t capacity)
{
    size_t each = search->dimensions + search->features;
    search->capacity = capacity;
    search->places = xcalloc(capacity, sizeof *search->places);
    search->storage = xcalloc(capacity * each + 2 * capacity, sizeof *search->storage);
    search->flags = xcalloc(capacity * search->dimensions, sizeof *search->flags);
    for (size_t i = 0; i < capacity; i++) {
        search->places[i].features = search->storage + i * search->features; // together, for predictions
        search->places[i].coordinates = search->storage + capacity * search->features + i * search->dimensions;
        search->places[i].active = search->flags + i * search->dimensions;
    }
    search->means = search->storage + capacity * each;
    search->variances = search->means + capacity;
}

static void pool_release(struct search *search)
{
    free(search->places);
    free(search->storage);
    free(search->flags);
}

static void place_copy(const struct search *search, struct place *to, const struct place *from)
{
    memcpy(to->coordinates, from->coordinates, search->dimensions * sizeof(double));
    memcpy(to->active, from->active, search->dimensions * sizeof(bool));
    memcpy(to->features, from->features, search->features * sizeof(double));
    to->value = from->value;
}

// Which dimensions are active, and the features. False where the constraints refuse it.
static bool settle(struct search *search, struct place *place)
{
    struct bayes *bayes = search->bayes;
    struct strategy *strategy = &bayes->base;
    const struct encoding *encoding = &bayes->history.encoding;
    bool feasible = true;
    if (bayes->has_conditions || bayes->has_constraints) {
        encoding_decode(encoding, place->coordinates, strategy->units, &strategy->view);
        for (size_t i = 0; i < encoding->count; i++)
            place->active[i] = strategy->view.active[encoding->dimensions[i].param];
        feasible = !bayes->has_constraints || strategy_accepts(strategy);
    } else {
        memset(place->active, true, search->dimensions);
    }
    bayes_features(bayes, place->coordinates, place->active, place->features);
    return feasible;
}

static double draw(struct search *search, size_t i)
{
    const struct dimension *dimension = &search->bayes->history.encoding.dimensions[i];
    if (dimension->coordinates)
        return dimension->coordinates[rng_below(search->rng, dimension->levels)];
    return dimension->kind == DIMENSION_CATEGORY ? (double)rng_below(search->rng, dimension->levels)
                                                 : rng_double(search->rng);
}

static double moved(struct search *search, size_t i, double x, double scale)
{
    const struct dimension *dimension = &search->bayes->history.encoding.dimensions[i];
    if (dimension->kind == DIMENSION_CATEGORY)
        return rng_double(search->rng) < 0.3 ? draw(search, i) : x;
    double to = x + scale * rng_normal(search->rng);
    to = to < 0 ? 0 : to > 1 ? 1 : to;
    if (!dimension->coordinates)
        return to;
    to = dimension_snap(dimension, to);
    if (to == x && rng_double(search->rng) < 0.5) { // a step to the next level, where the scale is below one
        to = x + (rng_double(search->rng) < 0.5 ? -1.0 : 1.0) / (double)dimension->levels;
        to = dimension_snap(dimension, to);
    }
    return to;
}

static void add_global(struct search *search, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        struct place *place = place_at(search, search->count);
        for (size_t i = 0; i < search->dimensions; i++)
            place->coordinates[i] = draw(search, i);
        search->count += settle(search, place);
    }
}

// The rows of the model with the best predicted means.
static size_t find_incumbents(const struct gp *gp, size_t rows, size_t *ret)
{
    size_t found = 0;
    double best[INCUMBENTS];
    for (size_t i = 0; i < rows; i++) {
        double mean = gp->y[i] - gp->noise / gp->weight[i] * gp->alpha[i];
        size_t at = found;
        while (at > 0 && best[at - 1] > mean)
            at--;
        if (at == INCUMBENTS)
            continue;
        found += found < INCUMBENTS;
        for (size_t k = found - 1; k > at; k--) {
            best[k] = best[k - 1];
            ret[k] = ret[k - 1];
        }
        best[at] = mean;
        ret[at] = i;
    }
    return found;
}

static void coordinates_of_row(struct search *search, size_t row, double *ret)
{
    const struct encoding *encoding = &search->bayes->history.encoding;
    const double *x = search->gp->x + row;
    size_t stride = search->gp->capacity;
    for (size_t i = 0; i < encoding->count; i++, x += stride) {
        const struct dimension *dimension = &encoding->dimensions[i];
        bool active = true;
        ret[i] = *x;
        if (dimension->kind == DIMENSION_CATEGORY)
            active = *x >= 0;
        else if (dimension->conditional)
            active = *(x += stride) == 0;
        if (!active)
            ret[i] = draw(search, i);
    }
}

static void add_local(struct search *search, size_t rows, size_t count)
{
    size_t incumbents[INCUMBENTS], found = find_incumbents(search->gp, rows, incumbents);
    double *centre = xcalloc(search->dimensions, sizeof *centre);
    for (size_t k = 0; k < count && found > 0; k++) {
        struct place *place = place_at(search, search->count);
        coordinates_of_row(search, incumbents[k % found], centre);
        double scale = pow(10, -2.5 + 2.3 * rng_double(search->rng)), chance = 1;
        if (search->dimensions > 2 && rng_double(search->rng) < 0.5)
            chance = (2 + (double)rng_below(search->rng, 5)) / (double)search->dimensions;
        bool any = false;
        for (size_t i = 0; i < search->dimensions; i++) {
            bool moves = rng_double(search->rng) < chance;
            place->coordinates[i] = moves ? moved(search, i, centre[i], scale) : centre[i];
            any = any || place->coordinates[i] != centre[i];
        }
        if (!any) {
            size_t i = (size_t)rng_below(search->rng, search->dimensions);
            place->coordinates[i] = moved(search, i, centre[i], fmax(scale, 0.1));
        }
        search->count += settle(search, place);
    }
    free(centre);
}

// The part of objective k in the wish, and its derivatives.
static double wish_value(const struct wish *wish, size_t k, double mean, double variance, double *by_mean, double *by_variance)
{
    double value = acquisition_value(&wish->acquisition, mean, variance, by_mean, by_variance);
    if (wish->count == 1)
        return value;
    if (by_mean) {
        *by_mean /= wish->weight[k];
        *by_variance /= wish->weight[k];
    }
    return (wish->reference[k] + value) / wish->weight[k];
}

static void score(struct search *search, size_t first, size_t count)
{
    for (size_t at = first; at < first + count; at += BLOCK) {
        size_t m = first + count - at < BLOCK ? first + count - at : BLOCK;
        for (size_t k = 0; k < search->wish->count; k++) {
            gp_predict(&search->wish->models[k]->gp, search->places[at].features, m, search->means, search->variances,
                       search->bayes->predict_work);
            for (size_t j = 0; j < m; j++) {
                double value = wish_value(search->wish, k, search->means[j], search->variances[j], NULL, NULL);
                if (k == 0 || value < search->places[at + j].value)
                    search->places[at + j].value = value;
            }
        }
    }
}

// ---- Starts

static double distance(const struct search *search, const struct place *a, const struct place *b)
{
    double sum = 0;
    for (size_t f = 0; f < search->features; f++) {
        double d = a->features[f] - b->features[f];
        sum += search->gp->features[f].kind == FEATURE_CODE ? (d != 0 ? search->gp->weights[f] : 0)
                                                            : search->gp->weights[f] * d * d;
    }
    return sum;
}

// The best places that are apart, copied to places[at..]. Returns how many.
static size_t pick_starts(struct search *search, size_t at)
{
    size_t found = 0;
    bool *out = xcalloc(at, sizeof *out);
    while (found < STARTS) {
        size_t best = at;
        for (size_t i = 0; i < at; i++)
            if (!out[i] && (best == at || search->places[i].value > search->places[best].value))
                best = i;
        if (best == at)
            break;
        out[best] = true;
        bool apart = true;
        for (size_t k = 0; k < found && apart; k++)
            apart = distance(search, &search->places[at + k], &search->places[best]) > APART;
        if (apart)
            place_copy(search, &search->places[at + found++], &search->places[best]);
    }
    free(out);
    return found;
}

// ---- Continuous coordinates

static bool is_smooth(const struct search *search, size_t i)
{
    const struct dimension *dimension = &search->bayes->history.encoding.dimensions[i];
    return dimension->kind != DIMENSION_CATEGORY && (dimension->levels == 0 || dimension->levels > RELAXED_LEVELS);
}

struct climb { // the ascent of one place
    struct place *place;
    struct lbfgs lbfgs;
    size_t *index;    // dimension of each variable
    size_t *feature;  // and its feature
    double *scale;    // a variable is a coordinate divided by it
    double *low, *high;
    size_t count;
    bool going;
};

static void climb_init(struct search *search, struct climb *climb, struct place *place, unsigned steps)
{
    const struct encoding *encoding = &search->bayes->history.encoding;
    double *x0 = xcalloc(search->dimensions, sizeof *x0);
    *climb = (struct climb){.place = place,
                            .index = xcalloc(search->dimensions, sizeof *climb->index),
                            .feature = xcalloc(search->dimensions, sizeof *climb->feature),
                            .scale = xcalloc(search->dimensions * 3, sizeof *climb->scale)};
    climb->low = climb->scale + search->dimensions;
    climb->high = climb->low + search->dimensions;
    for (size_t i = 0, feature = 0; i < encoding->count; i++) {
        const struct dimension *dimension = &encoding->dimensions[i];
        if (place->active[i] && is_smooth(search, i)) {
            double scale = fmin(exp(search->gp->log_scales[i]), 1);
            size_t at = climb->count++;
            climb->index[at] = i;
            climb->feature[at] = feature;
            climb->scale[at] = scale;
            climb->high[at] = 1 / scale;
            x0[at] = place->coordinates[i] / scale;
        }
        feature += dimension->kind != DIMENSION_CATEGORY && dimension->conditional ? 2 : 1;
    }
    lbfgs_init(&climb->lbfgs, climb->count, x0, climb->low, climb->high, steps, 1e-6);
    climb->going = climb->count > 0;
    free(x0);
}

static void climb_release(struct climb *climb)
{
    lbfgs_release(&climb->lbfgs);
    free(climb->index);
    free(climb->feature);
    free(climb->scale);
}

static void climb_put(struct climb *climb, const double *x)
{
    for (size_t v = 0; v < climb->count; v++) {
        double coordinate = x[v] * climb->scale[v];
        climb->place->coordinates[climb->index[v]] = climb->place->features[climb->feature[v]] =
            coordinate > 1 ? 1 : coordinate;
    }
}

// Values and gradients of the wish at the first m of search->bayes->points. `gradients` holds STARTS * features numbers, then
// room for `capacity` more.
static void look(struct search *search, size_t m, double *values, double *gradients)
{
    const double *points = search->bayes->points;
    double *scratch = gradients + STARTS * search->features;
    for (size_t k = 0; k < search->wish->count; k++) {
        const struct gp *gp = &search->wish->models[k]->gp;
        struct gp_slopes slopes;
        gp_predict_slopes(gp, points, m, search->means, search->variances, search->bayes->predict_work, &slopes);
        for (size_t j = 0; j < m; j++) {
            double by_mean, by_variance;
            double value = wish_value(search->wish, k, search->means[j], search->variances[j], &by_mean, &by_variance);
            if (k > 0 && value >= values[j])
                continue;
            values[j] = value;
            gp_gradient(gp, &slopes, j, points + j * search->features, by_mean, by_variance, gradients + j * search->features,
                        scratch);
        }
    }
}

// One evaluation of all that still climb. Returns how many go on. `gradients` as for look.
static size_t climb_step(struct search *search, struct climb *climbs, size_t count, double *gradients)
{
    double values[STARTS], *variables = gradients + STARTS * search->features; // the room of look
    size_t m = 0, going = 0;
    for (size_t k = 0; k < count; k++) {
        if (!climbs[k].going)
            continue;
        climb_put(&climbs[k], climbs[k].lbfgs.x);
        memcpy(search->bayes->points + m++ * search->features, climbs[k].place->features, search->features * sizeof(double));
    }
    if (m == 0)
        return 0;
    look(search, m, values, gradients);
    for (size_t k = 0, j = 0; k < count; k++) {
        struct climb *climb = &climbs[k];
        if (!climb->going)
            continue;
        for (size_t v = 0; v < climb->count; v++)
            variables[v] = -gradients[j * search->features + climb->feature[v]] * climb->scale[v];
        climb->going = lbfgs_step(&climb->lbfgs, -values[j++], variables);
        going += climb->going;
    }
    return going;
}

// Relaxed coordinates go back to a level. Rounding, or a constraint, may spoil it: then the place is as it was.
static void climb_end(struct search *search, struct climb *climb, const struct place *before)
{
    struct place *place = climb->place;
    climb_put(climb, climb->lbfgs.x);
    for (size_t v = 0; v < climb->count; v++) {
        size_t i = climb->index[v];
        place->coordinates[i] = dimension_snap(&search->bayes->history.encoding.dimensions[i], place->coordinates[i]);
    }
    bool feasible = settle(search, place);
    if (feasible)
        score(search, (size_t)(place - search->places), 1);
    if (!feasible || !(place->value >= before->value))
        place_copy(search, place, before);
}

// All places first..first+count-1 uphill, in step. The places behind them (`count` more) are room.
static void climb_all(struct search *search, size_t first, size_t count, unsigned steps)
{
    struct climb climbs[STARTS];
    size_t room = search->gp->capacity > search->dimensions ? search->gp->capacity : search->dimensions;
    double *gradients = xcalloc(STARTS * search->features + room, sizeof *gradients);
    for (size_t k = 0; k < count; k++) {
        climb_init(search, &climbs[k], place_at(search, first + k), steps);
        place_copy(search, place_at(search, first + count + k), climbs[k].place);
    }
    while (climb_step(search, climbs, count, gradients) > 0)
        ;
    for (size_t k = 0; k < count; k++) {
        if (climbs[k].count > 0)
            climb_end(search, &climbs[k], place_at(search, first + count + k));
        climb_release(&climbs[k]);
    }
    free(gradients);
}

// ---- Exchanges

// Other coordinates for dimension i of a place, at most NEIGHBOURS_MAX.
static size_t other_levels(struct search *search, const struct place *place, size_t i, double *ret)
{
    const struct dimension *dimension = &search->bayes->history.encoding.dimensions[i];
    size_t count = 0, levels = (size_t)dimension->levels;
    if (!dimension->coordinates)
        return 0;
    if (dimension->kind == DIMENSION_CATEGORY) {
        for (size_t k = 0; k < levels && count < NEIGHBOURS_MAX; k++) {
            size_t level = levels <= NEIGHBOURS_MAX ? k : (size_t)rng_below(search->rng, levels);
            if ((double)level != place->coordinates[i])
                ret[count++] = (double)level;
        }
        return count;
    }
    size_t at = 0;
    while (at + 1 < levels && dimension->coordinates[at] < place->coordinates[i])
        at++;
    for (size_t step = 1; step < levels; step = step < 4 ? step + 1 : step * 2) {
        if (at >= step)
            ret[count++] = dimension->coordinates[at - step];
        if (at + step < levels)
            ret[count++] = dimension->coordinates[at + step];
    }
    return count;
}

// All single exchanges of a place's discrete coordinates, scored, from places[pool] on. Returns how many.
static size_t look_around(struct search *search, const struct place *place, size_t pool)
{
    size_t count = 0, room = search->capacity - pool;
    double others[2 * NEIGHBOURS_MAX];
    for (size_t i = 0; i < search->dimensions; i++) {
        if (!place->active[i])
            continue;
        size_t levels = other_levels(search, place, i, others);
        for (size_t k = 0; k < levels && count < room; k++) {
            struct place *other = place_at(search, pool + count);
            place_copy(search, other, place);
            other->coordinates[i] = others[k];
            count += settle(search, other);
        }
    }
    score(search, pool, count);
    return count;
}

// The best exchange. True when it is a gain.
static bool exchange(struct search *search, struct place *place, size_t pool)
{
    size_t count = look_around(search, place, pool), best = 0;
    for (size_t k = 1; k < count; k++)
        if (search->places[pool + k].value > search->places[pool + best].value)
            best = k;
    if (count == 0 || !(search->places[pool + best].value > place->value + 1e-9))
        return false;
    place_copy(search, place, &search->places[pool + best]);
    return true;
}

// ---- The result

static bool is_new(struct search *search, const struct place *place)
{
    struct strategy *strategy = &search->bayes->base;
    encoding_decode(&search->bayes->history.encoding, place->coordinates, strategy->units, &strategy->view);
    return !history_has(&search->bayes->history, &strategy->view) &&
           (!search->bayes->has_constraints || strategy_accepts(strategy));
}

// The best of places[first..] that is new; taken ones get minus infinity. False when there is none.
static bool take_best(struct search *search, size_t first, size_t count, double *ret_value)
{
    for (size_t tries = 0; tries < count; tries++) {
        struct place *best = NULL;
        for (size_t k = 0; k < count; k++) {
            struct place *place = place_at(search, first + k);
            if (place->value > -(double)INFINITY && (!best || place->value > best->value))
                best = place;
        }
        if (!best)
            return false;
        if (is_new(search, best)) {
            *ret_value = best->value;
            return true;
        }
        best->value = -(double)INFINITY;
    }
    return false;
}

// In turns until no exchange gains: what gradients move, then the discrete ones.
static void improve(struct search *search, size_t starts, size_t count, size_t pool, unsigned steps)
{
    bool exchanged = count > 0;
    for (int round = 0; round < ROUNDS && exchanged; round++) {
        climb_all(search, starts, count, round ? steps / 3 : steps);
        exchanged = false;
        for (size_t k = 0; k < count; k++)
            for (int again = 0; again < EXCHANGES && exchange(search, place_at(search, starts + k), pool); again++)
                exchanged = true;
    }
}

int bayes_search(struct bayes *bayes, const struct wish *wish, struct rng *rng, double *ret_value)
{
    struct model *model = wish->models[0];
    struct search search = {.bayes = bayes, .gp = &model->gp, .wish = wish, .rng = rng,
                            .dimensions = bayes->history.encoding.count, .features = bayes->feature_count};
    double n = (double)model->gp.count + 1;
    size_t wanted = (size_t)fmin(fmax(SCORE_WORK / (n * n), CANDIDATES_MIN), CANDIDATES) / 2;
    size_t neighbours = search.dimensions * 2 * NEIGHBOURS_MAX;
    pool_init(&search, 2 * wanted + 2 * STARTS + (neighbours < EXCHANGE_MAX ? neighbours : EXCHANGE_MAX));
    strategy_search(&bayes->base);
    for (size_t k = 0; k < wish->count; k++)
        gp_invert(&wish->models[k]->gp);
    add_global(&search, wanted);
    for (size_t k = 0; k < wish->count; k++) { // around the incumbents of every objective
        search.gp = &wish->models[k]->gp;
        add_local(&search, model->rows, wanted / wish->count);
    }
    search.gp = &model->gp;
    score(&search, 0, search.count);
    size_t starts = search.count, count = pick_starts(&search, starts), pool = starts + 2 * STARTS;
    improve(&search, starts, count, pool, STEPS);
    struct place first;
    bool found = false;
    if (count > 0) {
        first = *place_at(&search, starts);
        found = take_best(&search, starts, count, ret_value);
    }
    if (!found && count > 0) // all ends were given before: what lies around the first
        found = take_best(&search, pool, look_around(&search, &first, pool), ret_value);
    if (!found)
        found = take_best(&search, 0, starts, ret_value);
    pool_release(&search);
    return found ? 0 : ERR_NOT_FOUND;
}

size_t bayes_candidates(struct bayes *bayes, struct model *model, struct rng *rng, size_t count, double *coordinates,
                        double *features)
{
    struct search search = {.bayes = bayes, .gp = &model->gp, .rng = rng, .dimensions = bayes->history.encoding.count,
                            .features = bayes->feature_count};
    pool_init(&search, count);
    strategy_search(&bayes->base);
    add_global(&search, count / 2);
    add_local(&search, model->rows, count / 2);
    for (size_t i = 0; i < search.count; i++) {
        memcpy(coordinates + i * search.dimensions, search.places[i].coordinates, search.dimensions * sizeof(double));
        memcpy(features + i * search.features, search.places[i].features, search.features * sizeof(double));
    }
    pool_release(&search);
    return search.count;
}
