// The done trials of least and of greatest value of each sweep, so that the best of a million
// trials costs nothing to find and no index has to be written with each result. The columns
// sweep.lowest and sweep.highest are always right: a trial that holds one and changes (`trawl
// retry`) makes the sweep's trials be read once.

#include "controller/store/store_impl.h"

#include <math.h>

static bool counts(const struct trial_row *row)
{
    return row->state == TRIAL_DONE && row->values.has[0] && !isnan(row->values.at[0]);
}

static void get_extreme(struct query *query, struct extreme *ret)
{
    ret->id = get_u64(query);
    ret->number = get_u64(query);
    ret->value = get_double(query);
}

static int load(struct store *store, struct sweep_info *info, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_EXTREMES_GET, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, info->id);
    rc = query_step(&query, err);
    if (rc > 0) {
        get_extreme(&query, &info->lowest);
        get_extreme(&query, &info->highest);
        info->extremes_known = true;
    }
    query_close(&query);
    return rc < 0 ? rc : 0;
}

static int scan(struct store *store, uint64_t sweep, enum statement statement, struct extreme *ret,
                struct err *err)
{
    struct query query;
    int rc = query_open(store, statement, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, sweep);
    *ret = (struct extreme){0};
    rc = query_step(&query, err);
    if (rc > 0)
        get_extreme(&query, ret);
    query_close(&query);
    return rc < 0 ? rc : 0;
}

// `sign` is 1 for the least value and -1 for the greatest.
static int note(struct store *store, struct sweep_info *info, const struct trial_row *row, int sign,
                struct err *err)
{
    struct extreme *held = sign > 0 ? &info->lowest : &info->highest;
    double value = sign * row->values.at[0];
    double best = sign * held->value;
    bool first = held->id == 0 || value < best || (value == best && row->number < held->number);
    if (counts(row) && first) {
        *held = (struct extreme){.id = row->id, .number = row->number, .value = row->values.at[0]};
        info->extremes_changed = true;
    } else if (held->id == row->id && !(counts(row) && value == best)) {
        info->extremes_changed = true;
        return scan(store, info->id,
                    sign > 0 ? STATEMENT_EXTREMES_SCAN_LOW : STATEMENT_EXTREMES_SCAN_HIGH, held,
                    err);
    }
    return 0;
}

int extremes_note(struct store *store, const struct trial_row *row, struct err *err)
{
    struct sweep_info *info;
    int rc = store_sweep_info(store, row->sweep, &info, err);
    if (rc == 0 && !info->extremes_known)
        rc = load(store, info, err);
    if (rc == 0)
        rc = note(store, info, row, 1, err);
    return rc == 0 ? note(store, info, row, -1, err) : rc;
}

int extremes_flush(struct store *store, struct err *err)
{
    for (struct sweep_info *info = store->sweeps; info; info = info->hh.next) {
        if (!info->extremes_changed)
            continue;
        struct query query;
        int rc = query_open(store, STATEMENT_EXTREMES_PUT, &query, err);
        if (rc != 0)
            return rc;
        put_some(&query, info->lowest.id);
        put_some(&query, info->highest.id);
        put_u64(&query, info->id);
        rc = query_run(&query, err);
        if (rc != 0)
            return rc;
        info->extremes_changed = false;
    }
    return 0;
}
