// Hyperband's places: which trial is in which rung of which bracket, and which one is promoted next.
//
// A rung's trials are ranked by cost. Synchronous promotion waits until the rung is complete (L. Li et al., "Hyperband",
// 2018); asynchronous promotion also takes a trial among the best floor(ended / eta) of those that have ended so far (L. Li
// et al., "A System for Massively Parallel Hyperparameter Tuning" (ASHA), 2020). In both, no rung gets more living trials
// than the plan has places; and asynchronously no more than floor(ended / eta) of the rung below, so that the early ones,
// which had few to compete with, do not take the places of those to come. A trial that failed or was cancelled above the first rung gives its place to the next best; in
// the first rung it keeps its place, as the worst result, so that the number of configurations of a bracket is fixed.

#include "strategies/hyperband_impl.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- Trials

struct hb_trial *hb_find(const struct hyperband *hb, uint64_t point)
{
    struct hb_trial *trial = NULL;
    HASH_FIND(hh, hb->by_point, &point, sizeof point, trial);
    return trial;
}

static struct hb_trial *first_of_hash(const struct hyperband *hb, uint64_t hash)
{
    struct hb_trial *trial = NULL;
    HASH_FIND(hh_config, hb->by_config, &hash, sizeof hash, trial);
    return trial;
}

bool hb_knows(const struct hyperband *hb, const struct config *config)
{
    for (const struct hb_trial *same = first_of_hash(hb, config_hash(config)); same; same = same->same)
        if (config_equal(&same->config, config))
            return true;
    return false;
}

struct hb_trial *hb_add(struct hyperband *hb, uint64_t point, struct config *config, int level)
{
    struct hb_trial *trial = xcalloc(1, sizeof *trial);
    trial->point = point;
    trial->config = *config;
    *config = (struct config){0};
    trial->level = level;
    trial->cost = (double)NAN;
    trial->hash = config_hash(&trial->config);
    struct hb_trial *first = first_of_hash(hb, trial->hash);
    if (first) { // behind the first, which stays the one in the table
        trial->same = first->same;
        first->same = trial;
    } else {
        HASH_ADD(hh_config, hb->by_config, hash, sizeof trial->hash, trial);
    }
    HASH_ADD(hh, hb->by_point, point, sizeof trial->point, trial);
    ARRAY_GROW(hb->trials, hb->count, hb->capacity);
    hb->trials[hb->count++] = trial;
    return trial;
}

// ---- Brackets

static void bracket_free(struct bracket *bracket)
{
    for (size_t i = 0; i <= bracket->s; i++)
        free(bracket->rungs[i].ranked);
    free(bracket);
}

static void drop_brackets(struct hyperband *hb)
{
    for (size_t i = 0; i < hb->bracket_count; i++)
        bracket_free(hb->brackets[i]);
    hb->bracket_count = hb->first_open = hb->first_unfilled = 0;
    memset(hb->begun, 0, sizeof hb->begun);
    hb->pending = 0;
}

void hb_release(struct hyperband *hb)
{
    drop_brackets(hb);
    free(hb->brackets);
    HASH_CLEAR(hh, hb->by_point);
    HASH_CLEAR(hh_config, hb->by_config);
    for (size_t i = 0; i < hb->count; i++) {
        config_release(&hb->trials[i]->config);
        free(hb->trials[i]);
    }
    free(hb->trials);
    for (size_t i = 0; i < BUDGET_LEVELS_MAX; i++)
        free(hb->results[i].trials);
}

static struct bracket *bracket_at(struct hyperband *hb, size_t index)
{
    while (hb->bracket_count <= index) {
        struct bracket *bracket = xcalloc(1, sizeof *bracket);
        bracket->round = hb->bracket_count / hb->bracket_kinds;
        bracket->s = hb->plan.level_count - 1 - hb->bracket_count % hb->bracket_kinds;
        for (size_t i = 0; i <= bracket->s; i++)
            bracket->rungs[i].places = budget_plan_places(&hb->plan, bracket->s, i);
        ARRAY_GROW(hb->brackets, hb->bracket_count, hb->bracket_capacity);
        hb->brackets[hb->bracket_count++] = bracket;
    }
    return hb->brackets[index];
}

// The place of a trial that begins at its level.
static bool begin(struct hyperband *hb, struct hb_trial *trial)
{
    size_t level = (size_t)trial->level;
    if (trial->level < 0 || level >= hb->bracket_kinds)
        return false; // no bracket begins with such a budget
    uint64_t round = hb->begun[level] / budget_plan_places(&hb->plan, hb->plan.level_count - 1 - level, 0);
    if (round >= hb->iterations)
        return false;
    hb->begun[level]++;
    trial->bracket = (size_t)round * hb->bracket_kinds + level;
    trial->rung = 0;
    return true;
}

bool hb_place(struct hyperband *hb, struct hb_trial *trial, struct hb_trial *parent)
{
    if (parent) {
        trial->bracket = parent->bracket;
        trial->rung = parent->rung + 1;
        parent->promoted = true;
    } else if (!begin(hb, trial)) {
        return false;
    }
    trial->placed = true;
    trial->parent = parent;
    struct rung *rung = &bracket_at(hb, trial->bracket)->rungs[trial->rung];
    rung->started++;
    rung->live++;
    hb->pending++;
    return true;
}

// ---- Ends

static bool goes_before(const struct hb_trial *a, const struct hb_trial *b)
{
    return a->cost < b->cost || (a->cost == b->cost && a->point < b->point);
}

static void rank_trial(struct rung *rung, struct hb_trial *trial)
{
    size_t low = 0, high = rung->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (goes_before(rung->ranked[middle], trial))
            low = middle + 1;
        else
            high = middle;
    }
    ARRAY_GROW(rung->ranked, rung->count, rung->capacity);
    memmove(&rung->ranked[low + 1], &rung->ranked[low], (rung->count - low) * sizeof(struct hb_trial *));
    rung->ranked[low] = trial;
    rung->count++;
}

void hb_end(struct hyperband *hb, struct hb_trial *trial)
{
    if (!trial->placed)
        return;
    struct bracket *bracket = hb->brackets[trial->bracket];
    struct rung *rung = &bracket->rungs[trial->rung];
    hb->pending--;
    rung->ended++;
    bracket->quiet = false;
    if (trial->outcome.state == POINT_FAILED || trial->outcome.state == POINT_CANCELLED)
        rung->live--;
    if (trial->outcome.state == POINT_DONE && !isnan(trial->cost)) // one that was stopped has no state to go on from
        rank_trial(rung, trial);
}

// ---- Finding the places again

static int by_point(const void *a, const void *b)
{
    const struct hb_trial *x = *(struct hb_trial *const *)a, *y = *(struct hb_trial *const *)b;
    return x->point < y->point ? -1 : x->point > y->point;
}

// Of those with the same configuration one level below, the first that was not promoted.
static struct hb_trial *parent_of(const struct hyperband *hb, const struct hb_trial *trial)
{
    struct hb_trial *parent = NULL;
    for (struct hb_trial *same = first_of_hash(hb, trial->hash); same; same = same->same) {
        if (!same->placed || same->promoted || same->level != trial->level - 1 || !config_equal(&same->config, &trial->config))
            continue;
        if (!parent || same->point < parent->point)
            parent = same;
    }
    return parent;
}

void hb_assign(struct hyperband *hb)
{
    if (hb->assigned)
        return;
    qsort(hb->trials, hb->count, sizeof(struct hb_trial *), by_point);
    drop_brackets(hb);
    for (size_t i = 0; i < hb->count; i++) {
        hb->trials[i]->placed = hb->trials[i]->promoted = false;
        hb->trials[i]->parent = NULL;
    }
    for (size_t i = 0; i < hb->count && hb->trials[i]->point < STRATEGY_PRIOR_POINTS; i++)
        hb_place(hb, hb->trials[i], parent_of(hb, hb->trials[i]));
    for (size_t i = 0; i < hb->count; i++)
        if (hb->trials[i]->told)
            hb_end(hb, hb->trials[i]);
    hb->assigned = true;
}

// ---- What comes next

static bool is_full(const struct hyperband *hb, const struct bracket *bracket)
{
    return hb->exhausted || bracket->rungs[0].started >= bracket->rungs[0].places;
}

const struct bracket *hb_next_bracket(struct hyperband *hb)
{
    if (hb->exhausted)
        return NULL;
    for (;; hb->first_unfilled++) {
        if (hb->first_unfilled / hb->bracket_kinds >= hb->iterations)
            return NULL;
        const struct bracket *bracket = bracket_at(hb, hb->first_unfilled);
        if (!is_full(hb, bracket))
            return bracket;
    }
}

void hb_exhaust(struct hyperband *hb)
{
    hb->exhausted = true;
    for (size_t i = hb->first_open; i < hb->bracket_count; i++)
        hb->brackets[i]->quiet = false;
}

// The best of the rung that may be promoted now.
static struct hb_trial *rung_candidate(const struct hyperband *hb, const struct bracket *bracket, size_t i, bool complete,
                                       size_t *ret_rank)
{
    const struct rung *rung = &bracket->rungs[i], *next = rung + 1;
    if (i == bracket->s || next->live >= next->places || next->started >= 2 * next->places)
        return NULL;
    size_t best = complete ? rung->count : hb->sync ? 0 : (size_t)floor((double)rung->ended / hb->plan.eta);
    if (!complete && next->live >= best)
        return NULL; // early places are not all for the early ones
    for (size_t k = 0; k < best && k < rung->count; k++)
        if (!rung->ranked[k]->promoted) {
            *ret_rank = k + 1;
            return rung->ranked[k];
        }
    return NULL;
}

// That of the highest rung. A rung is complete when nothing more will come to it and all in it have ended.
static struct hb_trial *bracket_candidate(const struct hyperband *hb, struct bracket *bracket, size_t *ret_rank)
{
    struct hb_trial *candidate = NULL;
    bool complete = is_full(hb, bracket);
    for (size_t i = 0; i <= bracket->s; i++) {
        size_t rank = 0;
        complete = complete && bracket->rungs[i].ended == bracket->rungs[i].started;
        struct hb_trial *found = rung_candidate(hb, bracket, i, complete, &rank);
        if (found) {
            candidate = found;
            *ret_rank = rank;
            complete = false; // the next rung is still to get it
        }
    }
    bracket->quiet = !candidate;
    bracket->closed = complete;
    return candidate;
}

struct hb_trial *hb_candidate(struct hyperband *hb, size_t *ret_rank)
{
    struct hb_trial *candidate = NULL;
    for (size_t i = hb->first_open; i < hb->bracket_count && !candidate; i++)
        if (!hb->brackets[i]->quiet && !hb->brackets[i]->closed)
            candidate = bracket_candidate(hb, hb->brackets[i], ret_rank);
    while (hb->first_open < hb->bracket_count && hb->brackets[hb->first_open]->closed)
        hb->first_open++;
    return candidate;
}
