// Results from elsewhere (`--prior`), and the trials that others go on from.

#include "base/json.h"
#include "base/mem.h"
#include "controller/store/store_impl.h"

#include <math.h>
#include <string.h>

// [0.5,"NaN"]: what JSON has no number for is a text, so that SQLite can read the list. NULL: no values.
static const char *values_write(const struct prior_row *row, struct str *out)
{
    if (row->value_count == 0)
        return NULL;
    for (size_t i = 0; i < row->value_count; i++) {
        str_add(out, i ? "," : "[");
        if (!isfinite(row->values[i]))
            str_addch(out, '"');
        json_write_double(out, row->values[i]);
        if (!isfinite(row->values[i]))
            str_addch(out, '"');
    }
    str_addch(out, ']');
    return str_get(out);
}

static void values_read(const char *text, struct prior_row *row)
{
    struct json_object *json = NULL;
    if (!*text || json_parse(text, strlen(text), &json, NULL) != 0)
        return;
    size_t count = json_object_is_type(json, json_type_array) ? json_object_array_length(json) : 0;
    for (size_t i = 0; i < count && i < OBJECTIVES_MAX; i++)
        row->values[row->value_count++] = json_object_get_double(json_object_array_get_idx(json, i));
    json_object_put(json);
}

int row_put_prior(struct store *store, const struct prior_row *row, struct err *err)
{
    struct query query;
    struct str values = STR_INIT;
    int rc = query_open(store, STATEMENT_PRIOR_NEW, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, row->sweep);
    put_u64(&query, row->number);
    put_text(&query, trial_state_word(row->state));
    put_pointer_text(&query, values_write(row, &values));
    put_text(&query, row->source);
    put_text(&query, row->config);
    rc = query_run(&query, err);
    str_release(&values);
    return rc;
}

int store_each_prior(struct store *store, uint64_t sweep, int (*each)(void *, const struct prior_row *), void *context,
                     struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_PRIOR_EACH, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, sweep);
    while ((rc = query_step(&query, err)) > 0) {
        struct prior_row row = {.sweep = get_u64(&query)};
        row.number = get_u64(&query);
        if (!trial_state_parse(get_text(&query), &row.state))
            row.state = TRIAL_FAILED;
        values_read(get_text(&query), &row);
        row.source = get_text(&query);
        row.config = get_text(&query);
        rc = each(context, &row);
        if (rc < 0)
            break;
    }
    query_close(&query);
    return rc;
}

static int walk_runs(struct store *store, uint64_t sweep, uint64_t point, uint64_t first, uint64_t last, size_t *ret_count,
                     int (*each)(void *, uint64_t number, uint32_t repeat, uint64_t attempt), void *context, struct err *err)
{
    struct query query;
    *ret_count = 0;
    int rc = query_open(store, STATEMENT_POINT_RUNS, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, sweep);
    put_u64(&query, first);
    put_u64(&query, last);
    put_u64(&query, point);
    while ((rc = query_step(&query, err)) > 0) {
        uint64_t number = get_u64(&query);
        uint32_t repeat = get_u32(&query);
        ++*ret_count;
        rc = each(context, number, repeat, get_u64(&query));
        if (rc < 0)
            break;
    }
    query_close(&query);
    return rc;
}

// Trials are numbered as their points are, `repeats` to a point, unless a point's number went unused: then all of them are looked
// through.
int store_each_run_of_point(struct store *store, uint64_t sweep, uint64_t point, uint32_t repeats,
                            int (*each)(void *, uint64_t number, uint32_t repeat, uint64_t attempt), void *context, struct err *err)
{
    size_t count;
    uint64_t first = (point - 1) * repeats + 1;
    int rc = walk_runs(store, sweep, point, first, first + repeats - 1, &count, each, context, err);
    if (rc == 0 && count == 0)
        rc = walk_runs(store, sweep, point, 1, INT64_MAX, &count, each, context, err);
    return rc;
}
