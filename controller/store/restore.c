// Walks for a controller that starts: what is alive, found through partial indices, whatever has
// gone before.

#include "base/mem.h"
#include "controller/store/store_impl.h"

#include <stdlib.h>

int store_each_agent(struct store *store, int (*each)(void *, const struct agent_row *),
                     void *context, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_AGENT_EACH, &query, err);
    if (rc != 0)
        return rc;
    while ((rc = query_step(&query, err)) > 0) {
        struct agent_row row;
        row_get_agent(&query, &row);
        rc = each(context, &row);
        if (rc < 0)
            break;
    }
    query_close(&query);
    return rc;
}

int store_each_metric_name(struct store *store, int (*each)(void *, uint32_t id, const char *name),
                           void *context, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_METRIC_NAME_EACH, &query, err);
    if (rc != 0)
        return rc;
    while ((rc = query_step(&query, err)) > 0) {
        uint32_t id = get_u32(&query);
        rc = each(context, id, get_text(&query));
        if (rc < 0)
            break;
    }
    query_close(&query);
    return rc;
}

int store_each_sweep(struct store *store, bool live_only,
                     int (*each)(void *, const struct sweep_row *), void *context, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_SWEEP_EACH, &query, err);
    if (rc != 0)
        return rc;
    while ((rc = query_step(&query, err)) > 0) {
        struct sweep_row row;
        row_get_sweep(&query, &row);
        if (live_only && sweep_state_terminal(row.state))
            continue;
        rc = each(context, &row);
        if (rc < 0)
            break;
    }
    query_close(&query);
    return rc;
}

static int walk_trials(struct store *store, enum statement statement,
                       int (*each)(void *, const struct trial_row *), void *context,
                       struct err *err)
{
    struct query query;
    int rc = query_open(store, statement, &query, err);
    if (rc != 0)
        return rc;
    while ((rc = query_step(&query, err)) > 0) {
        struct trial_row row;
        row_get_trial(&query, &row);
        rc = each(context, &row);
        if (rc < 0)
            break;
    }
    query_close(&query);
    return rc;
}

int store_each_live_trial(struct store *store, int (*each)(void *, const struct trial_row *),
                          void *context, struct err *err)
{
    return walk_trials(store, STATEMENT_TRIAL_LIVE, each, context, err);
}

int store_each_open_repeat(struct store *store, int (*each)(void *, const struct trial_row *),
                           void *context, struct err *err)
{
    return walk_trials(store, STATEMENT_OPEN_REPEAT, each, context, err);
}

int store_each_live_attempt(struct store *store, int (*each)(void *, const struct attempt_row *),
                            void *context, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_ATTEMPT_LIVE, &query, err);
    if (rc != 0)
        return rc;
    while ((rc = query_step(&query, err)) > 0) {
        struct attempt_row row;
        row_get_attempt(&query, &row);
        rc = each(context, &row);
        if (rc < 0)
            break;
    }
    query_close(&query);
    return rc;
}

int store_each_sequence(struct store *store,
                        int (*each)(void *, uint64_t attempt, uint32_t name, uint64_t count),
                        void *context, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_SEQUENCE, &query, err);
    if (rc != 0)
        return rc;
    while ((rc = query_step(&query, err)) > 0) {
        uint64_t attempt = get_u64(&query);
        uint32_t name = get_u32(&query);
        rc = each(context, attempt, name, get_u64(&query));
        if (rc < 0)
            break;
    }
    query_close(&query);
    return rc;
}

struct group { // the repeats of a point
    struct repeat *repeats;
    size_t count, capacity;
};

static void add_to_group(struct group *group, const struct trial_row *row)
{
    ARRAY_GROW(group->repeats, group->count, group->capacity);
    group->repeats[group->count++] = (struct repeat){.number = row->repeat, .state = row->state, .values = row->values};
}

// The repeats of a point, its first one given.
static int gather_repeats(struct store *store, const struct trial_row *first, struct group *group, struct err *err)
{
    struct query query;
    group->count = 0;
    add_to_group(group, first);
    int rc = query_open(store, STATEMENT_POINT_TRIALS, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, first->sweep);
    put_u64(&query, first->point);
    while ((rc = query_step(&query, err)) > 0) {
        struct trial_row row;
        row_get_trial(&query, &row);
        add_to_group(group, &row);
    }
    query_close(&query);
    return rc;
}

int store_each_told(struct store *store, uint64_t sweep, size_t objective_count,
                    int (*each)(void *, const struct trial_row *, const struct outcome *), void *context, struct err *err)
{
    struct query query;
    struct group group = {0};
    int rc = query_open(store, STATEMENT_TOLD, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, sweep);
    while ((rc = query_step(&query, err)) > 0) {
        struct trial_row row;
        row_get_trial(&query, &row);
        row.tell_number = get_u64(&query);
        rc = gather_repeats(store, &row, &group, err);
        if (rc == 0) {
            struct outcome outcome = repeats_outcome(group.repeats, group.count, objective_count);
            rc = each(context, &row, &outcome);
        }
        if (rc < 0)
            break;
    }
    query_close(&query);
    free(group.repeats);
    return rc;
}

int store_each_asked(struct store *store, uint64_t sweep, uint64_t number, int (*each)(void *, const struct trial_row *), void *context,
                     struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_ASKED, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, sweep);
    put_u64(&query, number);
    while ((rc = query_step(&query, err)) > 0) {
        struct trial_row row;
        row_get_trial(&query, &row);
        rc = each(context, &row);
        if (rc != 0)
            break;
    }
    query_close(&query);
    return rc < 0 ? rc : 0;
}
