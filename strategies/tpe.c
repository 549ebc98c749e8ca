// Tree-structured Parzen estimator (J. Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011), multivariate
// (S. Falkner et al., "BOHB", 2018) and in groups of parameters for conditional spaces.
//
// The best trials make one density, l, all others (failed and pending ones too) another, g; of points drawn from l the one
// with the greatest l / g is next. Parameters that have been active in the same trials make a group; each group has its own
// two densities of the trials where it was active, and its own share of the best. Groups are chosen one after the other,
// what activates before what is activated.
//
// A suggestion is a function of the seed, the point's number and the history alone: what is kept between asks is what
// would be computed again.

#include "strategies/design.h"
#include "strategies/parzen.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 12       // to find a point that is feasible and new
#define ATTEMPTS_OF_L 10  // of these, from l; then from the prior
#define WEIGHTS_FULL 25   // the newest trials of g, whose weight is 1
#define WEIGHT_MIN 1e-6   // of a good trial

const struct strategy_option tpe_options[] = {
    {.name = "startup",
     .kind = OPTION_INT,
     .default_text = "10",
     .min = 1,
     .max = 1000000,
     .help = "trials that must have ended before the first is chosen by the densities; until then scrambled Sobol points"},
    {.name = "candidates",
     .kind = OPTION_INT,
     .default_text = "24",
     .min = 1,
     .max = 10000,
     .help = "points drawn from the density of the good trials, of which the best is taken"},
    {.name = "gamma",
     .kind = OPTION_FLOAT,
     .default_text = "0.15",
     .min = 0.001,
     .max = 1,
     .help = "share of the trials that count as good"},
    {.name = "gamma_cap",
     .kind = OPTION_INT,
     .default_text = "50",
     .min = 1,
     .max = 10000,
     .help = "most trials that count as good"},
    {.name = "prior_weight",
     .kind = OPTION_FLOAT,
     .default_text = "1",
     .min = 0.001,
     .max = 1000,
     .help = "weight of the prior in both densities; a trial's is 1"},
    {.name = NULL}};

struct candidate {
    double score; // log l - log g
    uint32_t index;
};

// Dimensions that have been active in the same trials, and those trials: its members.
struct group {
    size_t *which; // dimensions
    size_t count;
    struct parzen good, other;
    uint32_t *slots;        // by trial: its kernel in `other`, 0 where it is no member
    uint32_t *members;      // by kernel (0 is the prior): the trial
    size_t usable;          // members with a value
    size_t good_count;      // after fit
    bool fitted;            // for the present ask
    bool drawn;             // in the present attempt
    double *points;         // candidates x count
    double *densities;      // scratch: 2 x candidates
    struct candidate *ranked; // best first
    bool *use;              // by own dimension, in the present attempt: it is active and not chosen yet
};

// How a point was made.
struct made {
    const struct group *first; // of the groups that were drawn
    size_t groups;             // how many were
    size_t rank;               // of the candidate taken of the last one
};

struct tpe {
    struct strategy base;
    struct history history;
    struct design design;
    size_t startup, candidates, good_max;
    double gamma, prior_weight;
    uint64_t given;       // points, by asks and restores
    size_t *depth;        // by dimension: of its `when:`, 0: none
    uint32_t *ranking;    // trials with a value, best first
    size_t ranked, ranking_capacity;
    struct group *groups;
    size_t group_count;
    size_t synced;        // trials that the groups know
    size_t slots_capacity;
    double *coordinates;  // of the point being made
    double *own;          // scratch: of a group
    double *good_costs;   // scratch: good_max
    char *note;
};

// ---- Making

static size_t when_depth(const struct space *space, const struct param *param)
{
    size_t names = 0, depth = 0;
    if (!param->when)
        return 0;
    const char *const *name = expr_names(param->when, &names);
    for (size_t i = 0; i < names; i++) {
        int index = space_find(space, name[i]); // no cycles: space_seal refuses them
        size_t above = index < 0 ? 0 : when_depth(space, space_param(space, (size_t)index));
        depth = above + 1 > depth ? above + 1 : depth;
    }
    return depth;
}

static int create(const struct strategy_setup *setup, struct strategy **ret, struct err *err)
{
    (void)err;
    struct tpe *tpe = xcalloc(1, sizeof *tpe);
    history_init(&tpe->history, setup);
    design_init(&tpe->design, setup->space, setup->seed);
    tpe->startup = (size_t)setting_int(setup, tpe_options, "startup");
    tpe->candidates = (size_t)setting_int(setup, tpe_options, "candidates");
    tpe->good_max = (size_t)setting_int(setup, tpe_options, "gamma_cap");
    tpe->gamma = setting_float(setup, tpe_options, "gamma");
    tpe->prior_weight = setting_float(setup, tpe_options, "prior_weight");
    const struct encoding *encoding = &tpe->history.encoding;
    tpe->depth = xcalloc(encoding->count, sizeof *tpe->depth);
    for (size_t i = 0; i < encoding->count; i++)
        tpe->depth[i] = when_depth(setup->space, space_param(setup->space, encoding->dimensions[i].param));
    tpe->coordinates = xcalloc(encoding->count, sizeof *tpe->coordinates);
    tpe->own = xcalloc(encoding->count, sizeof *tpe->own);
    tpe->good_costs = xcalloc(tpe->good_max, sizeof *tpe->good_costs);
    *ret = &tpe->base;
    return 0;
}

static void group_release(struct group *group)
{
    parzen_release(&group->good);
    parzen_release(&group->other);
    free(group->which);
    free(group->slots);
    free(group->members);
    free(group->points);
    free(group->densities);
    free(group->ranked);
    free(group->use);
}

static void forget_groups(struct tpe *tpe)
{
    for (size_t i = 0; i < tpe->group_count; i++)
        group_release(&tpe->groups[i]);
    tpe->group_count = 0;
    tpe->synced = 0;
}

static void destroy(struct strategy *strategy)
{
    struct tpe *tpe = (struct tpe *)strategy;
    forget_groups(tpe);
    history_release(&tpe->history);
    design_release(&tpe->design);
    free(tpe->depth);
    free(tpe->ranking);
    free(tpe->groups);
    free(tpe->coordinates);
    free(tpe->own);
    free(tpe->good_costs);
    free(tpe->note);
    free(tpe);
}

// ---- The order of trials

// The value that a trial is ranked by: a stopped one's last; NAN: it has none.
static double ranked_cost(const struct observation *observation)
{
    if (!observation->told || observation->outcome.state == POINT_FAILED)
        return (double)NAN;
    double cost = observation_cost(observation);
    if (observation->outcome.state == POINT_STOPPED && observation->outcome.value_count == 0 && observation->reported)
        cost = observation->last_cost;
    return isfinite(cost) ? cost : (double)NAN;
}

// Trials that ended by themselves come before stopped ones, and of these the ones that got farther come first.
static bool is_better(const struct observation *a, const struct observation *b)
{
    bool a_stopped = a->outcome.state == POINT_STOPPED, b_stopped = b->outcome.state == POINT_STOPPED;
    if (a_stopped != b_stopped)
        return b_stopped;
    int64_t a_step = a->reported ? a->last_step : INT64_MIN, b_step = b->reported ? b->last_step : INT64_MIN;
    if (a_stopped && a_step != b_step)
        return a_step > b_step;
    return ranked_cost(a) < ranked_cost(b);
}

// Equal ones in the order of trials.
static void rank_trial(struct tpe *tpe, uint32_t trial)
{
    struct observation *const *all = tpe->history.observations;
    if (isnan(ranked_cost(all[trial])))
        return;
    ARRAY_GROW(tpe->ranking, tpe->ranked, tpe->ranking_capacity);
    size_t low = 0, high = tpe->ranked;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint32_t other = tpe->ranking[middle];
        bool after = is_better(all[other], all[trial]) || (!is_better(all[trial], all[other]) && other < trial);
        if (after)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(&tpe->ranking[low + 1], &tpe->ranking[low], (tpe->ranked - low) * sizeof *tpe->ranking);
    tpe->ranking[low] = trial;
    tpe->ranked++;
    for (size_t i = 0; i < tpe->group_count; i++)
        tpe->groups[i].usable += trial < tpe->synced && tpe->groups[i].slots[trial] > 0;
}

// ---- Groups

static void add_group(struct tpe *tpe, const size_t *which, size_t count)
{
    tpe->groups = xreallocarray(tpe->groups, tpe->group_count + 1, sizeof *tpe->groups);
    struct group *group = &tpe->groups[tpe->group_count++];
    *group = (struct group){.which = xmemdup(which, count * sizeof *which), .count = count};
    parzen_init(&group->good, &tpe->history.encoding, which, count, tpe->prior_weight);
    parzen_init(&group->other, &tpe->history.encoding, which, count, tpe->prior_weight);
    group->slots = xcalloc(tpe->slots_capacity, sizeof *group->slots);
    group->members = xcalloc(tpe->slots_capacity + 1, sizeof *group->members);
    group->points = xcalloc(tpe->candidates * count, sizeof *group->points);
    group->densities = xcalloc(2 * tpe->candidates, sizeof *group->densities);
    group->ranked = xcalloc(tpe->candidates, sizeof *group->ranked);
    group->use = xcalloc(count, sizeof *group->use);
}

static void add_member(struct tpe *tpe, struct group *group, uint32_t trial)
{
    const double *x = tpe->history.observations[trial]->coordinates;
    if (isnan(x[group->which[0]]))
        return;
    for (size_t i = 0; i < group->count; i++)
        tpe->own[i] = x[group->which[i]];
    size_t slot = parzen_add(&group->other, tpe->own);
    group->slots[trial] = (uint32_t)slot;
    group->members[slot] = trial;
    group->usable += isnan(ranked_cost(tpe->history.observations[trial])) ? 0U : 1U;
}

// A group that the trial activates in part becomes two, with the members that it had: all have both halves.
static void split_group(struct tpe *tpe, size_t index, uint32_t trial)
{
    const double *x = tpe->history.observations[trial]->coordinates;
    size_t count = tpe->groups[index].count, halves[2] = {0, 0};
    size_t *which = xcalloc(2 * count, sizeof *which);
    for (size_t i = 0; i < count; i++) {
        size_t dimension = tpe->groups[index].which[i];
        size_t half = isnan(x[dimension]) ? 1U : 0U;
        which[half * count + halves[half]++] = dimension;
    }
    if (halves[0] > 0 && halves[1] > 0) {
        struct group old = tpe->groups[index];
        add_group(tpe, which, halves[0]);
        add_group(tpe, which + count, halves[1]);
        for (size_t slot = 1; slot < old.other.count; slot++) {
            add_member(tpe, &tpe->groups[tpe->group_count - 2], old.members[slot]);
            add_member(tpe, &tpe->groups[tpe->group_count - 1], old.members[slot]);
        }
        group_release(&old);
        tpe->groups[index] = tpe->groups[--tpe->group_count];
    }
    free(which);
}

static void grow_slots(struct tpe *tpe)
{
    size_t old = tpe->slots_capacity;
    if (tpe->history.count <= old)
        return;
    tpe->slots_capacity = 2 * tpe->history.count;
    for (size_t i = 0; i < tpe->group_count; i++) {
        struct group *group = &tpe->groups[i];
        group->slots = xreallocarray(group->slots, tpe->slots_capacity, sizeof *group->slots);
        memset(&group->slots[old], 0, (tpe->slots_capacity - old) * sizeof *group->slots);
        group->members = xreallocarray(group->members, tpe->slots_capacity + 1, sizeof *group->members);
    }
}

static void make_first_group(struct tpe *tpe)
{
    size_t count = tpe->history.encoding.count;
    size_t *which = xcalloc(count, sizeof *which);
    for (size_t i = 0; i < count; i++)
        which[i] = i;
    add_group(tpe, which, count);
    free(which);
}

static void sync_groups(struct tpe *tpe)
{
    grow_slots(tpe);
    if (tpe->group_count == 0)
        make_first_group(tpe);
    for (; tpe->synced < tpe->history.count; tpe->synced++) {
        uint32_t trial = (uint32_t)tpe->synced;
        size_t groups = tpe->group_count;
        for (size_t i = 0; i < groups; i++)
            split_group(tpe, i, trial);
        for (size_t i = 0; i < tpe->group_count; i++)
            add_member(tpe, &tpe->groups[i], trial);
    }
}

// ---- Densities

// Each good trial weighs by how much it is better than the best of the others, on average 1 (the expected improvement that
// it stands for: S. Watanabe, "Tree-Structured Parzen Estimator: Understanding Its Algorithm Components", 2023). Equally
// where that says nothing: equal costs, or stopped trials among them, whose costs do not compare.
static void weigh_good(struct tpe *tpe, struct group *group, uint32_t rest)
{
    struct observation *const *all = tpe->history.observations;
    double threshold = ranked_cost(all[rest]), sum = 0;
    if (all[rest]->outcome.state == POINT_STOPPED) // then the last of the good ones may be, too
        return;
    for (size_t i = 0; i < group->good_count; i++)
        sum += threshold - tpe->good_costs[i];
    double mean = sum / (double)group->good_count;
    if (!(mean > 0) || !isfinite(mean))
        return;
    for (size_t i = 0; i < group->good_count; i++) {
        double weight = (threshold - tpe->good_costs[i]) / mean;
        group->good.weights[i + 1] = weight > WEIGHT_MIN ? weight : WEIGHT_MIN;
    }
}

// The good ones, best first: those of the ranking that are members.
static void fit_good(struct tpe *tpe, struct group *group)
{
    double share = ceil(tpe->gamma * (double)group->usable);
    size_t wanted = share < (double)tpe->good_max ? (size_t)share : tpe->good_max;
    parzen_clear(&group->good);
    group->good_count = 0;
    for (size_t slot = 1; slot < group->other.count; slot++)
        group->other.weights[slot] = 1;
    for (size_t i = 0; i < tpe->ranked; i++) {
        uint32_t slot = group->slots[tpe->ranking[i]];
        if (slot == 0)
            continue;
        if (group->good_count == wanted) {
            weigh_good(tpe, group, tpe->ranking[i]);
            break;
        }
        for (size_t k = 0; k < group->count; k++)
            tpe->own[k] = group->other.axes[k].x[slot];
        parzen_add(&group->good, tpe->own);
        group->other.weights[slot] = 0;
        tpe->good_costs[group->good_count++] = ranked_cost(tpe->history.observations[tpe->ranking[i]]);
    }
    parzen_fit(&group->good);
}

// Older trials weigh less: from 1 / n for the oldest to 1 for the newest WEIGHTS_FULL.
static void fit_other(struct group *group)
{
    size_t n = group->other.count - 1 - group->good_count;
    size_t ramp = n > WEIGHTS_FULL ? n - WEIGHTS_FULL : 0, age = 0;
    double first = 1 / (double)(n ? n : 1), step = ramp > 1 ? (1 - first) / (double)(ramp - 1) : 0;
    for (size_t slot = 1; slot < group->other.count; slot++)
        if (group->other.weights[slot] > 0) {
            group->other.weights[slot] = age < ramp ? first + step * (double)age : 1;
            age++;
        }
    parzen_fit(&group->other);
}

static void fit(struct tpe *tpe, struct group *group)
{
    if (group->fitted)
        return;
    fit_good(tpe, group);
    fit_other(group);
    group->fitted = true;
}

// ---- Candidates

static int by_score(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static void draw_candidates(struct tpe *tpe, struct group *group, bool prior_only, struct rng *rng)
{
    size_t count = tpe->candidates;
    double *good = group->densities, *other = group->densities + count;
    for (size_t i = 0; i < count; i++)
        parzen_sample(&group->good, prior_only, rng, &group->points[i * group->count]);
    parzen_log_density(&group->good, group->use, group->points, count, good);
    parzen_log_density(&group->other, group->use, group->points, count, other);
    for (size_t i = 0; i < count; i++)
        group->ranked[i] = (struct candidate){.score = good[i] - other[i], .index = (uint32_t)i};
    qsort(group->ranked, count, sizeof *group->ranked, by_score);
    group->drawn = true;
}

static void put_candidate(struct tpe *tpe, const struct group *group, size_t rank)
{
    const double *point = &group->points[group->ranked[rank].index * group->count];
    for (size_t i = 0; i < group->count; i++)
        if (group->use[i])
            tpe->coordinates[group->which[i]] = point[i];
}

// The group whose turn is next: the shallowest that has an active parameter without a coordinate. NULL: all have one.
static struct group *next_group(struct tpe *tpe)
{
    const struct encoding *encoding = &tpe->history.encoding;
    struct group *next = NULL;
    size_t next_depth = SIZE_MAX;
    for (size_t i = 0; i < tpe->group_count; i++) {
        struct group *group = &tpe->groups[i];
        size_t depth = SIZE_MAX;
        for (size_t k = 0; k < group->count && !group->drawn; k++) {
            size_t dimension = group->which[k];
            group->use[k] = tpe->base.view.active[encoding->dimensions[dimension].param];
            if (group->use[k] && tpe->depth[dimension] < depth)
                depth = tpe->depth[dimension];
        }
        bool first = depth < next_depth || (next && depth == next_depth && group->which[0] < next->which[0]);
        if (depth != SIZE_MAX && first) {
            next = group;
            next_depth = depth;
        }
    }
    return next;
}

static bool view_is_new(struct tpe *tpe)
{
    return strategy_accepts(&tpe->base) && !history_has(&tpe->history, &tpe->base.view);
}

// One attempt: each group's best, and of the last group the best that gives a feasible and new point.
static bool make_point(struct tpe *tpe, bool prior_only, struct rng *rng, struct made *ret)
{
    const struct encoding *encoding = &tpe->history.encoding;
    struct strategy *strategy = &tpe->base;
    struct group *group, *last = NULL;
    *ret = (struct made){0};
    for (size_t i = 0; i < encoding->count; i++)
        tpe->coordinates[i] = (double)NAN;
    for (size_t i = 0; i < tpe->group_count; i++)
        tpe->groups[i].drawn = false;
    for (;;) {
        encoding_decode(encoding, tpe->coordinates, strategy->units, &strategy->view);
        group = next_group(tpe);
        if (!group)
            break;
        fit(tpe, group);
        draw_candidates(tpe, group, prior_only, rng);
        put_candidate(tpe, group, 0);
        if (!last)
            ret->first = group;
        last = group;
        ret->groups++;
    }
    for (; last && ret->rank < tpe->candidates; ret->rank++) {
        put_candidate(tpe, last, ret->rank);
        encoding_decode(encoding, tpe->coordinates, strategy->units, &strategy->view);
        if (view_is_new(tpe))
            return true;
    }
    return false;
}

// ---- Operations

static void say(struct tpe *tpe, char *text)
{
    free(tpe->note);
    tpe->note = text;
}

static void say_made(struct tpe *tpe, const struct made *made, bool prior_only)
{
    const struct group *first = made->first;
    size_t good = first->good_count, other = first->other.count - 1 - good;
    char *where = made->groups > 1 ? xasprintf(" of the first of %zu groups of parameters", made->groups) : xstrdup("");
    char *place = made->rank > 0 ? xasprintf("number %zu", made->rank + 1) : xstrdup("the best");
    say(tpe, xasprintf("Parzen estimator: %s of %zu candidates%s by l / g of %zu good and %zu other trials%s%s", place,
                       tpe->candidates, prior_only ? " by lot" : "", good, other, where,
                       made->rank > 0 ? "; those before it were given or refused" : ""));
    free(where);
    free(place);
}

static bool model_point(struct tpe *tpe, struct rng *rng)
{
    sync_groups(tpe);
    for (size_t i = 0; i < tpe->group_count; i++)
        tpe->groups[i].fitted = false;
    strategy_search(&tpe->base);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        bool prior_only = attempt >= ATTEMPTS_OF_L;
        struct made made;
        if (make_point(tpe, prior_only, rng, &made)) {
            say_made(tpe, &made, prior_only);
            return true;
        }
    }
    return false;
}

static int choose(struct tpe *tpe, uint64_t point, struct err *err)
{
    size_t told = tpe->history.done + tpe->history.stopped + tpe->history.failed;
    bool start = told < tpe->startup || tpe->ranked == 0;
    if (start && design_point(&tpe->design, &tpe->base, &tpe->history, tpe->given)) {
        const char *why = told < tpe->startup ? "" : ", as no trial has a value yet";
        say(tpe, xasprintf("point %llu of the initial design (scrambled Sobol)%s", (unsigned long long)tpe->given + 1, why));
        return 0;
    }
    struct rng rng;
    rng_stream(&rng, tpe->base.seed, "tpe.ask", point);
    if (!start && tpe->history.encoding.count > 0 && model_point(tpe, &rng))
        return 0;
    int rc = design_lot(&tpe->design, &tpe->base, &tpe->history, &rng, err);
    if (rc == 0)
        say(tpe, xstrdup("by lot: no candidate was both feasible and new"));
    return rc;
}

static int ask(struct strategy *strategy, uint64_t point, struct config *ret, struct err *err)
{
    struct tpe *tpe = (struct tpe *)strategy;
    int rc = choose(tpe, point, err);
    if (rc != 0)
        return rc;
    config_copy(&strategy->view, ret);
    history_add(&tpe->history, point, ret);
    tpe->given++;
    return 0;
}

// Of what was told lately; told ones were asked for lately, most often.
static uint32_t trial_of(const struct tpe *tpe, const struct observation *observation)
{
    size_t trial = tpe->history.count - 1;
    while (tpe->history.observations[trial] != observation)
        trial--;
    return (uint32_t)trial;
}

static void tell(struct strategy *strategy, uint64_t point, const struct outcome *outcome)
{
    struct tpe *tpe = (struct tpe *)strategy;
    size_t before = tpe->history.count;
    struct observation *observation = history_tell(&tpe->history, point, outcome);
    if (observation)
        rank_trial(tpe, trial_of(tpe, observation));
    if (tpe->history.count == before)
        return;
    forget_groups(tpe); // a cancelled one is gone, and the places of those behind it have changed
    tpe->ranked = 0;
    for (size_t i = 0; i < tpe->history.count; i++)
        rank_trial(tpe, (uint32_t)i);
}

static void report(struct strategy *strategy, uint64_t point, int64_t step, double value)
{
    history_report(&((struct tpe *)strategy)->history, point, step, value);
}

static void restore(struct strategy *strategy, uint64_t point, const struct config *config)
{
    struct tpe *tpe = (struct tpe *)strategy;
    if (history_add(&tpe->history, point, config))
        tpe->given++;
}

static struct strategy_note note(const struct strategy *strategy)
{
    return (struct strategy_note){.text = ((const struct tpe *)strategy)->note};
}

const struct strategy_ops tpe_ops = {.create = create,
                                     .destroy = destroy,
                                     .ask = ask,
                                     .tell = tell,
                                     .report = report,
                                     .restore = restore,
                                     .note = note};
