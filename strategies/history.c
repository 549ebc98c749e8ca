// The points that a learning strategy has seen, found by their number and by their configuration.

#include "strategies/history.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void history_init(struct history *history, const struct strategy_setup *setup)
{
    *history = (struct history){.objective_count = setup->objective_count ? setup->objective_count : 1};
    memcpy(history->goals, setup->goals, sizeof history->goals);
    encoding_init(&history->encoding, setup->space);
}

static void observation_free(struct observation *observation)
{
    config_release(&observation->config);
    free(observation->coordinates);
    free(observation);
}

void history_release(struct history *history)
{
    HASH_CLEAR(hh, history->by_point);
    HASH_CLEAR(hh_config, history->by_config);
    for (size_t i = 0; i < history->count; i++)
        observation_free(history->observations[i]);
    free(history->observations);
    encoding_release(&history->encoding);
    *history = (struct history){0};
}

struct observation *history_find(const struct history *history, uint64_t point)
{
    struct observation *observation = NULL;
    HASH_FIND(hh, history->by_point, &point, sizeof point, observation);
    return observation;
}

static struct observation *first_of_hash(const struct history *history, uint64_t hash)
{
    struct observation *observation = NULL;
    HASH_FIND(hh_config, history->by_config, &hash, sizeof hash, observation);
    return observation;
}

bool history_has(const struct history *history, const struct config *config)
{
    for (struct observation *same = first_of_hash(history, config_hash(config)); same; same = same->same)
        if (config_equal(&same->config, config))
            return true;
    return false;
}

struct observation *history_add(struct history *history, uint64_t point, const struct config *config)
{
    if (history_find(history, point))
        return NULL;
    struct observation *observation = xcalloc(1, sizeof *observation);
    observation->point = point;
    config_copy(config, &observation->config);
    observation->coordinates = xcalloc(history->encoding.count, sizeof *observation->coordinates);
    encoding_encode(&history->encoding, config, observation->coordinates);
    observation->hash = config_hash(config);
    struct observation *first = first_of_hash(history, observation->hash);
    if (first) { // behind the first, which stays the one in the table
        observation->same = first->same;
        first->same = observation;
    } else {
        HASH_ADD(hh_config, history->by_config, hash, sizeof observation->hash, observation);
    }
    HASH_ADD(hh, history->by_point, point, sizeof observation->point, observation);
    ARRAY_GROW(history->observations, history->count, history->capacity);
    history->observations[history->count++] = observation;
    history->pending++;
    history->version++;
    return observation;
}

static void forget(struct history *history, struct observation *observation)
{
    struct observation *first = first_of_hash(history, observation->hash), *next = observation->same;
    if (first == observation) {
        HASH_DELETE(hh_config, history->by_config, observation);
        if (next)
            HASH_ADD(hh_config, history->by_config, hash, sizeof next->hash, next);
    } else {
        while (first->same != observation)
            first = first->same;
        first->same = next;
    }
    HASH_DEL(history->by_point, observation);
    size_t at = 0;
    while (history->observations[at] != observation)
        at++;
    history->count--;
    memmove(&history->observations[at], &history->observations[at + 1],
            (history->count - at) * sizeof(struct observation *));
    observation_free(observation);
}

static double cost_of(const struct history *history, size_t objective, double value)
{
    return history->goals[objective] == GOAL_MAXIMIZE ? -value : value;
}

struct observation *history_tell(struct history *history, uint64_t point, const struct outcome *outcome)
{
    struct observation *observation = history_find(history, point);
    if (!observation || observation->told)
        return NULL;
    history->pending--;
    history->version++;
    if (outcome->state == POINT_CANCELLED) {
        forget(history, observation);
        return NULL;
    }
    observation->told = true;
    observation->outcome = *outcome;
    for (size_t i = 0; i < history->objective_count; i++)
        observation->outcome.values[i] = cost_of(history, i, outcome->values[i]);
    history->done += outcome->state == POINT_DONE;
    history->failed += outcome->state == POINT_FAILED;
    history->stopped += outcome->state == POINT_STOPPED;
    return observation;
}

void history_report(struct history *history, uint64_t point, int64_t step, double value)
{
    struct observation *observation = history_find(history, point);
    if (!observation || observation->told)
        return;
    observation->reported = true;
    observation->last_step = step;
    observation->last_cost = cost_of(history, 0, value);
}

double observation_cost(const struct observation *observation)
{
    const struct outcome *outcome = &observation->outcome;
    bool counts = observation->told && outcome->value_count > 0 &&
                  (outcome->state == POINT_DONE || outcome->state == POINT_STOPPED);
    return counts ? outcome->values[0] : (double)NAN;
}
