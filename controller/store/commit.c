// One turn: every change in order, in one transaction.

#include "base/json.h"
#include "base/mem.h"
#include "controller/store/store_impl.h"

#include <stdlib.h>
#include <string.h>

static int put_spec(struct store *store, const struct sweep_row *row, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_SPEC, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, row->id);
    put_text(&query, row->spec_text);
    return query_run(&query, err);
}

static int put_trial(struct store *store, const struct trial_row *row, bool is_new, struct err *err)
{
    int rc = row_put_trial(store, row, is_new, err);
    if (rc == 0 && is_new)
        rc = wide_note_config(store, row->sweep, row->config, err);
    return rc == 0 ? extremes_note(store, row, err) : rc;
}

static int put_metric_name(struct store *store, const struct change *change, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_METRIC_NAME, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, change->metric_name.id);
    put_text(&query, change->metric_name.name);
    return query_run(&query, err);
}

static int put_point(struct store *store, const struct change *change, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_POINT, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, change->point.attempt);
    put_u64(&query, change->point.name);
    put_u64(&query, change->point.sequence);
    put_i64(&query, change->point.step);
    if (change->point.time != 0)
        put_double(&query, change->point.time);
    else
        put_null(&query);
    put_value(&query, true, change->point.value);
    rc = query_run(&query, err);
    if (rc == 0 && change->point.sequence == 0)
        rc = wide_note_metric(store, change->point.attempt, change->point.name, err);
    return rc;
}

static int compare_points(const void *a, const void *b)
{
    const struct change *x = *(const struct change *const *)a;
    const struct change *y = *(const struct change *const *)b;
    if (x->point.attempt != y->point.attempt)
        return x->point.attempt < y->point.attempt ? -1 : 1;
    if (x->point.name != y->point.name)
        return x->point.name < y->point.name ? -1 : 1;
    if (x->point.sequence != y->point.sequence)
        return x->point.sequence < y->point.sequence ? -1 : 1;
    return 0;
}

// Points that follow one another are written in the order of their table: lines come as "loss,
// accuracy, loss, accuracy", and a tree is written fastest from left to right. What is stored is
// the same.
static int put_points(struct store *store, const struct change *changes, size_t count,
                      struct err *err)
{
    if (store->point_capacity < count) {
        store->point_capacity = count;
        store->points = xreallocarray(store->points, count, sizeof(struct change *));
    }
    for (size_t i = 0; i < count; i++)
        store->points[i] = &changes[i];
    qsort(store->points, count, sizeof(struct change *), compare_points);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = put_point(store, store->points[i], err);
    return rc;
}

static void put_json_value(struct query *query, const struct json_object *json, const char *text)
{
    switch (json_object_get_type(json)) {
    case json_type_null:
        put_null(query);
        break;
    case json_type_boolean:
        put_u64(query, (uint64_t)json_object_get_boolean(json));
        break;
    case json_type_int:
        put_i64(query, json_object_get_int64(json));
        break;
    case json_type_double:
        put_value(query, true, json_object_get_double(json));
        break;
    case json_type_string:
        put_text(query, json_object_get_string((struct json_object *)json));
        break;
    case json_type_object:
    case json_type_array:
    default:
        put_text(query, text);
        break;
    }
}

static int put_summary(struct store *store, const struct change *change, struct err *err)
{
    struct query query;
    struct json_object *json = NULL;
    const char *text = change->summary.json ? change->summary.json : "null";
    int rc = query_open(store, STATEMENT_SUMMARY, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, change->summary.attempt);
    put_u64(&query, change->summary.name);
    if (json_parse(text, strlen(text), &json, NULL) == 0)
        put_json_value(&query, json, text);
    else
        put_text(&query, text);
    put_text(&query, text);
    rc = query_run(&query, err);
    json_object_put(json);
    return rc == 0 ? wide_note_metric(store, change->summary.attempt, change->summary.name, err)
                   : rc;
}

static int put_event(struct store *store, const struct change *change, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_EVENT, &query, err);
    if (rc != 0)
        return rc;
    put_i64(&query, change->event.at_ms);
    put_text(&query, change->event.kind);
    put_some(&query, change->event.sweep);
    put_some(&query, change->event.trial);
    put_some(&query, change->event.attempt);
    put_some(&query, change->event.agent);
    put_text(&query, change->event.text);
    return query_run(&query, err);
}

static int put_attempt_new(struct store *store, const struct attempt_row *row, struct err *err)
{
    int rc = row_put_attempt(store, row, true, err);
    if (rc == 0)
        wide_note_attempt(store, row->id, row->sweep);
    return rc;
}

static int apply(struct store *store, const struct change *change, struct err *err)
{
    int rc;
    switch (change->kind) {
    case CHANGE_SWEEP_NEW:
        rc = row_put_sweep(store, &change->sweep, true, err);
        return rc == 0 ? put_spec(store, &change->sweep, err) : rc;
    case CHANGE_SWEEP_SPEC:
        return put_spec(store, &change->sweep, err);
    case CHANGE_SWEEP:
        return row_put_sweep(store, &change->sweep, false, err);
    case CHANGE_TRIAL_NEW:
        return put_trial(store, &change->trial, true, err);
    case CHANGE_TRIAL:
        return put_trial(store, &change->trial, false, err);
    case CHANGE_PRIOR:
        return row_put_prior(store, &change->prior, err);
    case CHANGE_ATTEMPT_NEW:
        return put_attempt_new(store, &change->attempt, err);
    case CHANGE_ATTEMPT:
        return row_put_attempt(store, &change->attempt, false, err);
    case CHANGE_AGENT:
        return row_put_agent(store, &change->agent, err);
    case CHANGE_METRIC_NAME:
        return put_metric_name(store, change, err);
    case CHANGE_POINT:
        return put_point(store, change, err);
    case CHANGE_SUMMARY:
        return put_summary(store, change, err);
    case CHANGE_LOG:
        return logs_append(store, change, err);
    case CHANGE_EVENT:
        return put_event(store, change, err);
    }
    return err_set(err, ERR_INVALID, "a change of unknown kind %d", (int)change->kind);
}

static int apply_all(struct store *store, const struct batch *batch, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < batch->change_count;) {
        size_t end = i;
        while (end < batch->change_count && batch->changes[end].kind == CHANGE_POINT)
            end++;
        if (end > i) {
            rc = put_points(store, &batch->changes[i], end - i, err);
            i = end;
        } else {
            rc = apply(store, &batch->changes[i++], err);
        }
    }
    return rc;
}

static int put_replies(struct store *store, struct err *err)
{
    struct query query;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < store->reply_count; i++) {
        rc = query_open(store, STATEMENT_REPLY_PUT, &query, err);
        if (rc != 0)
            break;
        put_text(&query, store->replies[i].id);
        put_i64(&query, store->replies[i].code);
        put_text(&query, store->replies[i].body);
        rc = query_run(&query, err);
    }
    if (rc == 0 && store->reply_count > 0) {
        rc = query_open(store, STATEMENT_REPLY_PRUNE, &query, err);
        if (rc == 0) {
            put_u64(&query, REPLIES_MAX);
            rc = query_run(&query, err);
        }
    }
    return rc;
}

int store_commit(struct store *store, const struct batch *batch, struct err *err)
{
    if (batch->change_count == 0 && store->reply_count == 0)
        return 0;
    int rc = store_begin(store, err);
    if (rc != 0)
        return rc;
    rc = apply_all(store, batch, err);
    if (rc == 0)
        rc = extremes_flush(store, err);
    if (rc == 0)
        rc = wide_flush(store, err);
    if (rc == 0)
        rc = put_replies(store, err);
    if (rc != 0) {
        store_rollback(store);
        return rc;
    }
    rc = store_end(store, err);
    if (rc == 0)
        store_drop_replies(store);
    return rc;
}
