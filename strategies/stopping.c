// The stopping rules at work. See stopping.h for what each of them does.
//
// A place that runs are compared at is a check: a set of costs with ranks. Each run holds a chain of its nodes in those sets, so that
// a run which begins anew can be taken out of all of them.

#include "strategies/stopping.h"

#include "base/mem.h"
#include "base/num.h"
#include "strategies/rank.h"

#include <math.h>
#include <stdlib.h>

#include <uthash.h>

struct check {
    int64_t at;
    uint32_t root; // costs of the runs that reached it
    UT_hash_handle hh;
};

struct run {
    uint64_t id;
    uint32_t nodes;      // chain of its values in checks
    bool begun;
    int64_t reports;     // that count
    int64_t place;       // on the rule's axis
    double best;         // lowest cost so far
    double sum;          // of finite costs
    int64_t finite;      // how many
    bool checked;        // it reached a check
    int64_t checked_at;  // the last one
    double at_check;     // its cost there
    size_t bands;        // how many it reached
    int64_t improved_at; // patience
    double reference;    // the cost to improve on
    UT_hash_handle hh;
};

struct stopping {
    struct stop_rule rule;
    enum goal goal;
    int64_t bands[STOP_BANDS_MAX];
    size_t band_count;
    struct rank_pool pool;
    struct check *checks;
    struct run *runs;
};

struct stopping *stopping_new(const struct stop_rule *rule, enum goal goal)
{
    struct stopping *stopping = xcalloc(1, sizeof *stopping);
    stopping->rule = *rule;
    stopping->goal = goal;
    stopping->band_count = stop_bands(rule, stopping->bands);
    if (rule->kind == STOP_MEDIAN)
        stopping->rule.percentile = 50;
    return stopping;
}

void stopping_free(struct stopping *stopping)
{
    struct check *check, *next_check;
    struct run *run, *next_run;
    if (!stopping)
        return;
    HASH_ITER (hh, stopping->checks, check, next_check) {
        HASH_DEL(stopping->checks, check);
        free(check);
    }
    HASH_ITER (hh, stopping->runs, run, next_run) {
        HASH_DEL(stopping->runs, run);
        free(run);
    }
    rank_pool_release(&stopping->pool);
    free(stopping);
}

// ---- Runs and checks

static struct run *run_of(struct stopping *stopping, uint64_t id)
{
    struct run *run = NULL;
    HASH_FIND(hh, stopping->runs, &id, sizeof id, run);
    if (run)
        return run;
    run = xcalloc(1, sizeof *run);
    run->id = id;
    run->best = run->reference = INFINITY;
    HASH_ADD(hh, stopping->runs, id, sizeof run->id, run);
    return run;
}

// The costs at a check, 0 when no run has reached it.
static uint32_t root_at(const struct stopping *stopping, int64_t at)
{
    struct check *check = NULL;
    HASH_FIND(hh, stopping->checks, &at, sizeof at, check);
    return check ? check->root : 0;
}

// The run reaches a check with this cost. A full pool leaves it out.
static void enter(struct stopping *stopping, struct run *run, int64_t at, double cost)
{
    struct check *check = NULL;
    uint32_t root = root_at(stopping, at), node = rank_insert(&stopping->pool, &root, cost);
    run->checked = true;
    run->checked_at = at;
    run->at_check = cost;
    if (!node)
        return;
    HASH_FIND(hh, stopping->checks, &at, sizeof at, check);
    if (!check) {
        check = xcalloc(1, sizeof *check);
        check->at = at;
        HASH_ADD(hh, stopping->checks, at, sizeof check->at, check);
    }
    check->root = root;
    stopping->pool.nodes[node].set = check;
    stopping->pool.nodes[node].next = run->nodes;
    run->nodes = node;
}

static void run_free(struct stopping *stopping, struct run *run)
{
    HASH_DEL(stopping->runs, run);
    free(run);
}

void stopping_restart(struct stopping *stopping, uint64_t id)
{
    struct run *run = NULL;
    HASH_FIND(hh, stopping->runs, &id, sizeof id, run);
    if (!run)
        return;
    while (run->nodes) {
        uint32_t node = run->nodes;
        struct check *check = stopping->pool.nodes[node].set;
        run->nodes = stopping->pool.nodes[node].next;
        rank_remove(&stopping->pool, &check->root, node);
        if (!check->root) {
            HASH_DEL(stopping->checks, check);
            free(check);
        }
    }
    run_free(stopping, run);
}

void stopping_end(struct stopping *stopping, uint64_t id)
{
    struct run *run = NULL;
    HASH_FIND(hh, stopping->runs, &id, sizeof id, run);
    if (run && (!run->nodes || HASH_COUNT(stopping->runs) > STOP_RECORDS_MAX))
        run_free(stopping, run);
}

// ---- Words

static const char *axis(const struct stopping *stopping)
{
    return stopping->rule.over_steps ? "step" : "report";
}

// A cost as the value that the user knows.
static const char *shown(const struct stopping *stopping, double cost, char text[static NUM_TEXT_MAX])
{
    num_format_double(stopping->goal == GOAL_MAXIMIZE ? 0 - cost : cost, text);
    return text;
}

static const char *worse_word(const struct stopping *stopping)
{
    return stopping->goal == GOAL_MAXIMIZE ? "below" : "above";
}

static const char *best_word(const struct stopping *stopping)
{
    return stopping->goal == GOAL_MAXIMIZE ? "highest" : "lowest";
}

// ---- The rules

// The count at which W&B looks: its arithmetic, so that roundings agree.
static uint32_t threshold_index(const struct stopping *stopping, uint32_t count)
{
    return (uint32_t)(1.0 / stopping->rule.eta * count);
}

static bool judge_hyperband(struct stopping *stopping, struct run *run, double cost, struct str *why)
{
    while (run->bands < stopping->band_count && stopping->bands[run->bands] <= run->reports)
        enter(stopping, run, stopping->bands[run->bands++], cost);
    uint32_t root = run->checked ? root_at(stopping, run->checked_at) : 0, count = rank_count(&stopping->pool, root);
    if (!count)
        return false;
    uint32_t index = threshold_index(stopping, count);
    double threshold = rank_at(&stopping->pool, root, index);
    double judged = stopping->rule.strict ? run->at_check : run->best;
    if (!(judged > threshold))
        return false;
    char a[NUM_TEXT_MAX], b[NUM_TEXT_MAX];
    str_addf(why, "hyperband, band %lld: its %s %s is %s %s, the value at place %u of the %u runs that reached the band (eta %g)",
             (long long)run->checked_at, stopping->rule.strict ? "value there" : "best value so far", shown(stopping, judged, a),
             worse_word(stopping), shown(stopping, threshold, b), index + 1, count, stopping->rule.eta);
    return true;
}

static bool judge_asha(struct stopping *stopping, struct run *run, double cost, struct str *why)
{
    size_t before = run->bands;
    while (run->bands < stopping->band_count && stopping->bands[run->bands] <= run->place)
        enter(stopping, run, stopping->bands[run->bands++], cost);
    if (run->bands == before)
        return false;
    uint32_t root = root_at(stopping, run->checked_at), count = rank_count(&stopping->pool, root);
    uint32_t better = rank_below(&stopping->pool, root, cost);
    uint32_t keep = (uint32_t)floor(count / stopping->rule.eta);
    keep = keep > 0 ? keep : 1;
    if (count < stopping->rule.min_trials || better < keep)
        return false;
    char a[NUM_TEXT_MAX], b[NUM_TEXT_MAX];
    str_addf(why, "asha, rung at %s %lld: its value %s is number %u of the %u runs that reached the rung; the best %u go on (1/%g), up to %s",
             axis(stopping), (long long)run->checked_at, shown(stopping, cost, a), better + 1, count, keep, stopping->rule.eta,
             shown(stopping, rank_at(&stopping->pool, root, keep - 1), b));
    return true;
}

static bool judge_percentile(struct stopping *stopping, struct run *run, struct str *why)
{
    const struct stop_rule *rule = &stopping->rule;
    if (run->place < rule->min_iter)
        return false;
    int64_t at = run->place - (run->place - rule->min_iter) % rule->interval;
    if (run->checked && run->checked_at >= at)
        return false;
    uint32_t root = root_at(stopping, at), others = rank_count(&stopping->pool, root);
    double limit = others ? rank_quantile(&stopping->pool, root, rule->percentile / 100) : (double)INFINITY;
    double mean = run->finite ? run->sum / (double)run->finite : (double)INFINITY;
    enter(stopping, run, at, isnan(mean) ? (double)INFINITY : mean);
    if (others < rule->min_trials || !(run->best > limit))
        return false;
    char a[NUM_TEXT_MAX], b[NUM_TEXT_MAX];
    str_addf(why, "%s at %s %lld: its %s value so far, %s, is %s %s, the ", stop_type(rule->kind)->name, axis(stopping), (long long)at,
             best_word(stopping), shown(stopping, run->best, a), worse_word(stopping), shown(stopping, limit, b));
    if (rule->kind == STOP_MEDIAN)
        str_add(why, "median");
    else
        str_addf(why, "limit of the best %g %%", rule->percentile);
    str_addf(why, " of the means of the %u other runs that came so far", others);
    return true;
}

static bool judge_threshold(struct stopping *stopping, const struct run *run, double value, struct str *why)
{
    const struct stop_rule *rule = &stopping->rule;
    bool above = value > rule->above, below = value < rule->below;
    if (run->place < rule->min_iter || (!above && !below && !isnan(value)))
        return false;
    char a[NUM_TEXT_MAX], b[NUM_TEXT_MAX];
    num_format_double(value, a);
    num_format_double(above ? rule->above : rule->below, b);
    str_addf(why, "threshold at %s %lld: its value is %s", axis(stopping), (long long)run->place, a);
    if (above || below)
        str_addf(why, ", %s the limit %s", above ? "above" : "below", b);
    return true;
}

static bool judge_patience(struct stopping *stopping, struct run *run, double cost, struct str *why)
{
    const struct stop_rule *rule = &stopping->rule;
    if (cost < run->reference - rule->min_delta) {
        run->reference = cost;
        run->improved_at = run->place;
        return false;
    }
    int64_t waited = run->place - run->improved_at;
    if (waited < rule->patience || run->place < rule->min_iter)
        return false;
    char a[NUM_TEXT_MAX], b[NUM_TEXT_MAX];
    num_format_double(rule->min_delta, b);
    str_addf(why, "patience at %s %lld: no value better than %s by more than %s for %lld %ss (patience %lld)", axis(stopping),
             (long long)run->place, shown(stopping, run->reference, a), b, (long long)waited, axis(stopping), (long long)rule->patience);
    return true;
}

// ---- Reports

static void count_report(const struct stopping *stopping, struct run *run, int64_t step, double cost)
{
    run->reports++;
    int64_t place = stopping->rule.over_steps ? step : run->reports;
    if (!run->begun) {
        run->begun = true;
        run->place = place;
        run->improved_at = stopping->rule.over_steps ? step : 0;
    }
    run->place = place > run->place ? place : run->place;
    run->best = cost < run->best ? cost : run->best;
    if (isfinite(cost)) {
        run->sum += cost;
        run->finite++;
    }
}

bool stopping_report(struct stopping *stopping, uint64_t id, int64_t step, double value, struct str *ret_why)
{
    if (stopping->rule.kind == STOP_HYPERBAND && !isfinite(value))
        return false; // W&B counts finite values only
    double cost = isnan(value) ? (double)INFINITY : stopping->goal == GOAL_MAXIMIZE ? -value : value;
    struct run *run = run_of(stopping, id);
    count_report(stopping, run, step, cost);
    switch (stopping->rule.kind) {
    case STOP_NONE:
        return false;
    case STOP_HYPERBAND:
        return judge_hyperband(stopping, run, cost, ret_why);
    case STOP_ASHA:
        return judge_asha(stopping, run, cost, ret_why);
    case STOP_MEDIAN:
    case STOP_PERCENTILE:
        return judge_percentile(stopping, run, ret_why);
    case STOP_THRESHOLD:
        return judge_threshold(stopping, run, value, ret_why);
    case STOP_PATIENCE:
        return judge_patience(stopping, run, cost, ret_why);
    }
    return false;
}
