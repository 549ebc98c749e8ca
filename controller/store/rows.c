// Rows of sweep, trial, attempt and agent to columns and back. The order here is that of
// statements.h.

#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "controller/store/store_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put_sweep_columns(struct query *query, const struct sweep_row *row)
{
    put_text(query, sweep_state_word(row->state));
    put_text(query, row->reason);
    put_u64(query, row->cursor);
    put_u64(query, row->exhausted);
    put_u64(query, row->point_count);
    put_u64(query, row->trial_count);
    put_u64(query, row->tell_count);
    for (size_t state = 0; state < TRIAL_STATE_COUNT; state++)
        put_u64(query, row->trials[state]);
    put_u64(query, row->active_ms);
    put_time(query, row->ended_ms);
}

int row_put_sweep(struct store *store, const struct sweep_row *row, bool is_new, struct err *err)
{
    struct query query;
    int rc = query_open(store, is_new ? STATEMENT_SWEEP_NEW : STATEMENT_SWEEP, &query, err);
    if (rc != 0)
        return rc;
    put_sweep_columns(&query, row);
    if (is_new) {
        put_u64(&query, row->id);
        put_text(&query, row->key);
        put_text(&query, row->name);
    }
    put_u64(&query, row->fingerprint);
    put_i64(&query, row->created_ms);
    if (!is_new)
        put_u64(&query, row->id);
    return query_run(&query, err);
}

void row_get_sweep(struct query *query, struct sweep_row *ret)
{
    *ret = (struct sweep_row){.id = get_u64(query)};
    const char *key = get_text(query);
    memcpy(ret->key, key, strnlen(key, SWEEP_KEY_MAX - 1));
    ret->name = get_text(query);
    if (!sweep_state_parse(get_text(query), &ret->state))
        ret->state = SWEEP_PAUSED; // a word of someone's own hand: nothing is started
    ret->reason = get_text(query);
    ret->fingerprint = get_u64(query);
    ret->cursor = get_u64(query);
    ret->exhausted = get_i64(query) != 0;
    ret->point_count = get_u64(query);
    ret->trial_count = get_u64(query);
    ret->tell_count = get_u64(query);
    for (size_t state = 0; state < TRIAL_STATE_COUNT; state++)
        ret->trials[state] = get_u64(query);
    ret->active_ms = get_u64(query);
    ret->created_ms = get_i64(query);
    ret->ended_ms = get_i64(query);
    ret->spec_text = get_text(query);
}

void row_own_sweep(struct sweep_row *row)
{
    row->name = xstrdup(row->name);
    row->reason = xstrdup(row->reason);
    row->spec_text = xstrdup(row->spec_text);
}

// {"lost":1,"killed":2}; NULL when none was used, which is nearly always.
static const char *retries_write(const struct trial_row *row, struct str *out)
{
    str_clear(out);
    for (size_t i = 0; i < EXIT_CLASS_COUNT; i++)
        if (row->retries[i])
            str_addf(out, "%s\"%s\":%u", out->len ? "," : "{", exit_class_word((enum exit_class)i),
                     row->retries[i]);
    if (out->len == 0)
        return NULL;
    str_addch(out, '}');
    return str_get(out);
}

static void retries_read(const char *text, struct trial_row *row)
{
    struct json_object *json = NULL;
    if (!*text || json_parse(text, strlen(text), &json, NULL) != 0)
        return;
    for (size_t i = 0; i < EXIT_CLASS_COUNT; i++) {
        int64_t used;
        if (json_get_i64(json, exit_class_word((enum exit_class)i), &used) && used > 0)
            row->retries[i] = (uint32_t)used;
    }
    json_object_put(json);
}

// Of the second objective on: [0.5,null,"NaN"]. NULL when there is none, which is nearly always.
static const char *others_write(const struct values *values, struct str *out)
{
    size_t count = OBJECTIVES_MAX;
    while (count > 1 && !values->has[count - 1])
        count--;
    str_clear(out);
    for (size_t i = 1; i < count; i++) {
        char text[NUM_TEXT_MAX];
        double value = values->at[i];
        str_addch(out, i == 1 ? '[' : ',');
        if (values->has[i] && isfinite(value)) {
            num_format_double(value, text);
            str_add(out, text);
        } else { // what JSON has no number for is a text, so that SQLite can read the list
            str_add(out, !values->has[i] ? "null" : isnan(value) ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
        }
    }
    if (count > 1)
        str_addch(out, ']');
    return count > 1 ? str_get(out) : NULL;
}

static void others_read(const char *text, struct values *values)
{
    struct json_object *json = NULL;
    if (!*text || json_parse(text, strlen(text), &json, NULL) != 0)
        return;
    size_t count = json_object_is_type(json, json_type_array) ? json_object_array_length(json) : 0;
    for (size_t i = 1; i < OBJECTIVES_MAX && i <= count; i++) {
        struct json_object *item = json_object_array_get_idx(json, i - 1);
        if (!item)
            continue;
        values->has[i] = true;
        values->at[i] = json_object_get_double(item); // "NaN" and "Infinity" are read, too
    }
    json_object_put(json);
}

int row_put_trial(struct store *store, const struct trial_row *row, bool is_new, struct err *err)
{
    struct query query;
    struct str retries = STR_INIT, others = STR_INIT;
    int rc = query_open(store, is_new ? STATEMENT_TRIAL_NEW : STATEMENT_TRIAL, &query, err);
    if (rc != 0)
        return rc;
    put_text(&query, trial_state_word(row->state));
    put_value(&query, row->values.has[0], row->values.at[0]);
    put_pointer_text(&query, others_write(&row->values, &others));
    put_some(&query, row->attempt);
    put_u64(&query, row->attempt_count);
    put_some(&query, row->tell_number);
    put_u64(&query, row->asked_after);
    put_pointer_text(&query, retries_write(row, &retries));
    put_i64(&query, row->created_ms);
    put_time(&query, row->started_ms);
    put_time(&query, row->ended_ms);
    put_u64(&query, row->id);
    if (is_new) {
        put_u64(&query, row->sweep);
        put_u64(&query, row->number);
        put_u64(&query, row->point);
        put_u64(&query, row->repeat);
        put_text(&query, row->config);
        put_u64(&query, row->enqueued);
        put_some(&query, row->parent);
        put_some(&query, row->parent_attempt);
    }
    rc = query_run(&query, err);
    str_release(&retries);
    str_release(&others);
    return rc;
}

void row_get_trial(struct query *query, struct trial_row *ret)
{
    *ret = (struct trial_row){.id = get_u64(query)};
    ret->sweep = get_u64(query);
    ret->number = get_u64(query);
    ret->point = get_u64(query);
    ret->repeat = get_u32(query);
    ret->config = get_text(query);
    if (!trial_state_parse(get_text(query), &ret->state))
        ret->state = TRIAL_FAILED;
    ret->values.has[0] = get_value(query, &ret->values.at[0]);
    others_read(get_text(query), &ret->values);
    ret->attempt = get_u64(query);
    ret->attempt_count = get_u32(query);
    retries_read(get_text(query), ret);
    ret->created_ms = get_i64(query);
    ret->started_ms = get_i64(query);
    ret->ended_ms = get_i64(query);
    ret->tell_number = get_u64(query);
    ret->asked_after = get_u64(query);
    ret->enqueued = get_i64(query) != 0;
    ret->parent = get_u64(query);
    ret->parent_attempt = get_u64(query);
}

void row_own_trial(struct trial_row *row)
{
    row->config = xstrdup(row->config);
}

static const char *gpus_write(const struct attempt_row *row, struct str *out)
{
    if (row->gpu_count == 0)
        return NULL;
    for (uint32_t i = 0; i < row->gpu_count && i < ARRAY_LEN(row->gpus); i++)
        str_addf(out, "%s%u", i ? "," : "[", row->gpus[i]);
    str_addch(out, ']');
    return str_get(out);
}

static void gpus_read(const char *text, struct attempt_row *row)
{
    struct json_object *json = NULL;
    if (!*text || json_parse(text, strlen(text), &json, NULL) != 0)
        return;
    size_t count = json_object_is_type(json, json_type_array) ? json_object_array_length(json) : 0;
    for (size_t i = 0; i < count && i < ARRAY_LEN(row->gpus); i++)
        row->gpus[row->gpu_count++] =
            (uint32_t)json_object_get_int64(json_object_array_get_idx(json, i));
    json_object_put(json);
}

int row_put_attempt(struct store *store, const struct attempt_row *row, bool is_new,
                    struct err *err)
{
    struct query query;
    struct str gpus = STR_INIT, others = STR_INIT;
    int rc = query_open(store, is_new ? STATEMENT_ATTEMPT_NEW : STATEMENT_ATTEMPT, &query, err);
    if (rc != 0)
        return rc;
    put_some(&query, row->agent);
    put_some(&query, row->session);
    put_text(&query, attempt_state_word(row->state));
    put_pointer_text(&query, row->has_class ? exit_class_word(row->exit_class) : NULL);
    put_i64(&query, row->code);
    put_i64(&query, row->signal);
    put_i64(&query, row->pid);
    put_optional(&query, row->message);
    put_time(&query, row->assigned_ms);
    put_time(&query, row->started_ms);
    put_time(&query, row->ended_ms);
    for (size_t stream = 0; stream < STREAM_COUNT; stream++)
        put_u64(&query, row->cursors[stream]);
    for (size_t stream = 0; stream < STREAM_COUNT; stream++)
        put_u64(&query, row->lengths[stream]);
    put_u64(&query, row->dropped_bytes);
    put_u64(&query, row->cpu_ms);
    put_u64(&query, row->max_rss_bytes);
    put_value(&query, row->values.has[0], row->values.at[0]);
    put_pointer_text(&query, others_write(&row->values, &others));
    put_u64(&query, row->cpus);
    put_u64(&query, row->memory_bytes);
    put_u64(&query, row->gpu_millis);
    put_pointer_text(&query, gpus_write(row, &gpus));
    put_u64(&query, row->id);
    if (is_new) {
        put_u64(&query, row->trial);
        put_u64(&query, row->sweep);
        put_u64(&query, row->number);
    }
    rc = query_run(&query, err);
    str_release(&gpus);
    str_release(&others);
    return rc;
}

void row_get_attempt(struct query *query, struct attempt_row *ret)
{
    *ret = (struct attempt_row){.id = get_u64(query)};
    ret->trial = get_u64(query);
    ret->sweep = get_u64(query);
    ret->number = get_u32(query);
    ret->agent = get_u64(query);
    ret->session = get_u64(query);
    if (!attempt_state_parse(get_text(query), &ret->state))
        ret->state = ATTEMPT_LOST;
    ret->has_class = exit_class_parse(get_text(query), &ret->exit_class);
    ret->code = get_i64(query);
    ret->signal = get_i64(query);
    ret->pid = get_i64(query);
    ret->message = get_text(query);
    ret->assigned_ms = get_i64(query);
    ret->started_ms = get_i64(query);
    ret->ended_ms = get_i64(query);
    for (size_t stream = 0; stream < STREAM_COUNT; stream++)
        ret->cursors[stream] = get_u64(query);
    for (size_t stream = 0; stream < STREAM_COUNT; stream++)
        ret->lengths[stream] = get_u64(query);
    ret->dropped_bytes = get_u64(query);
    ret->cpu_ms = get_u64(query);
    ret->max_rss_bytes = get_u64(query);
    ret->values.has[0] = get_value(query, &ret->values.at[0]);
    others_read(get_text(query), &ret->values);
    ret->cpus = get_u32(query);
    ret->memory_bytes = get_u64(query);
    ret->gpu_millis = get_u32(query);
    gpus_read(get_text(query), ret);
}

int row_put_agent(struct store *store, const struct agent_row *row, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_AGENT, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, row->id);
    put_text(&query, row->uid);
    put_text(&query, row->name);
    put_text(&query, row->host);
    put_text(&query, row->version);
    put_text(&query, row->boot);
    put_text(&query, row->public_key);
    put_u64(&query, row->incarnation);
    put_u64(&query, row->hello);
    put_u64(&query, row->session);
    put_u64(&query, row->slots);
    put_u64(&query, row->cpus);
    put_u64(&query, row->memory_bytes);
    put_text(&query, row->gpus);
    put_text(&query, row->labels);
    put_u64(&query, row->draining);
    put_u64(&query, row->gone);
    put_i64(&query, row->first_seen_ms);
    put_i64(&query, row->last_seen_ms);
    return query_run(&query, err);
}

static void get_fixed(struct query *query, char *ret, size_t size)
{
    const char *text = get_text(query);
    memcpy(ret, text, strnlen(text, size - 1)); // the row was zeroed
}

void row_get_agent(struct query *query, struct agent_row *ret)
{
    *ret = (struct agent_row){.id = get_u64(query)};
    get_fixed(query, ret->uid, sizeof ret->uid);
    ret->name = get_text(query);
    ret->host = get_text(query);
    ret->version = get_text(query);
    ret->boot = get_text(query);
    get_fixed(query, ret->public_key, sizeof ret->public_key);
    ret->incarnation = get_u64(query);
    ret->hello = get_u64(query);
    ret->session = get_u64(query);
    ret->slots = get_u32(query);
    ret->cpus = get_u32(query);
    ret->memory_bytes = get_u64(query);
    ret->gpus = get_text(query);
    ret->labels = get_text(query);
    ret->draining = get_i64(query) != 0;
    ret->gone = get_i64(query) != 0;
    ret->first_seen_ms = get_i64(query);
    ret->last_seen_ms = get_i64(query);
}
