// Reading for people: the command line, HTTP, exports. On any connection.

#include "base/json.h"
#include "base/mem.h"
#include "controller/store/store_impl.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 2000 // names and keys among which a mistyped word is looked for

// The first row of a statement whose only parameter is `text`, or `number` when that is NULL. 1:
// found.
static int find_sweep(struct store *store, enum statement statement, const char *text,
                      const uint64_t *number, struct sweep_row *ret, bool *ret_more,
                      struct err *err)
{
    struct query query;
    int rc = query_open(store, statement, &query, err);
    if (rc != 0)
        return rc;
    if (text)
        put_text(&query, text);
    else if (number)
        put_u64(&query, *number);
    rc = query_step(&query, err);
    if (rc > 0) {
        struct sweep_row row;
        row_get_sweep(&query, &row);
        row_own_sweep(&row);
        int more = ret_more ? query_step(&query, err) : 0;
        if (more < 0) {
            sweep_row_release(&row);
            rc = more;
        } else {
            *ret = row;
            if (ret_more)
                *ret_more = more > 0;
        }
    }
    query_close(&query);
    return rc;
}

static int no_such_sweep(struct store *store, const char *word, struct err *err)
{
    struct query query;
    const char *words[WORDS_MAX + 1];
    size_t count = 0;
    int rc = query_open(store, STATEMENT_SWEEP_WORDS, &query, err);
    if (rc != 0)
        return rc;
    while (count + 2 <= WORDS_MAX && (rc = query_step(&query, err)) > 0) {
        words[count++] = xstrdup(get_text(&query));
        words[count++] = xstrdup(get_text(&query));
    }
    query_close(&query);
    words[count] = NULL;
    const char *near = str_nearest(word, words);
    if (rc >= 0 && near)
        rc =
            err_set(err, ERR_NOT_FOUND,
                    "there is no sweep '%s'; did you mean '%s'? `trawl ls` lists them", word, near);
    else if (rc >= 0)
        rc = err_set(err, ERR_NOT_FOUND, "there is no sweep '%s'; `trawl ls` lists them", word);
    for (size_t i = 0; i < count; i++)
        free((char *)words[i]);
    return rc;
}

int store_find_sweep(struct store *store, const char *word, struct sweep_row *ret, struct err *err)
{
    bool more = false;
    int rc;
    if (!word || !*word) {
        rc = find_sweep(store, STATEMENT_SWEEP_LATEST, NULL, NULL, ret, NULL, err);
        if (rc == 0)
            rc = err_set(err, ERR_NOT_FOUND,
                         "there is no sweep yet; start one with `trawl run SPEC`");
        return rc < 0 ? rc : 0;
    }
    rc = find_sweep(store, STATEMENT_SWEEP_BY_KEY, word, NULL, ret, NULL, err);
    if (rc == 0)
        rc = find_sweep(store, STATEMENT_SWEEP_BY_NAME, word, NULL, ret, NULL, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    struct sweep_row row;
    rc = find_sweep(store, STATEMENT_SWEEP_BY_PREFIX, word, NULL, &row, &more, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return no_such_sweep(store, word, err);
    if (more) {
        sweep_row_release(&row);
        return err_set(
            err, ERR_NOT_FOUND,
            "several sweeps begin with '%s'; type more of its key (`trawl ls` lists them)", word);
    }
    *ret = row;
    return 0;
}

int store_find_sweep_by_fingerprint(struct store *store, uint64_t fingerprint,
                                    struct sweep_row *ret, struct err *err)
{
    int rc = find_sweep(store, STATEMENT_SWEEP_BY_FINGERPRINT, NULL, &fingerprint, ret, NULL, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no sweep of this spec yet");
    return rc < 0 ? rc : 0;
}

int store_find_trial(struct store *store, uint64_t sweep, uint64_t number, struct trial_row *ret,
                     struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_TRIAL_BY_NUMBER, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, sweep);
    put_u64(&query, number);
    rc = query_step(&query, err);
    if (rc > 0) {
        row_get_trial(&query, ret);
        row_own_trial(ret);
        rc = 0;
    } else if (rc == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "the sweep has no trial %llu; `trawl ls` lists its trials",
                     (unsigned long long)number);
    }
    query_close(&query);
    return rc;
}

static int walk_trials(struct query *query, int (*each)(void *, const struct trial_row *),
                       void *context, struct err *err)
{
    int rc;
    while ((rc = query_step(query, err)) > 0) {
        struct trial_row row;
        row_get_trial(query, &row);
        rc = each(context, &row);
        if (rc < 0)
            break;
    }
    query_close(query);
    return rc;
}

// The best alone is known without a look at the others.
static int each_extreme(struct store *store, const struct trial_query *trials,
                        int (*each)(void *, const struct trial_row *), void *context,
                        bool *ret_found, struct err *err)
{
    struct query query;
    int rc = query_open(store, trials->maximize ? STATEMENT_TRIAL_HIGHEST : STATEMENT_TRIAL_LOWEST,
                        &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, trials->sweep);
    rc = query_step(&query, err);
    if (rc > 0) {
        struct trial_row row;
        row_get_trial(&query, &row);
        *ret_found = true;
        rc = each(context, &row);
    }
    query_close(&query);
    return rc < 0 ? rc : 0;
}

int store_each_trial(struct store *store, const struct trial_query *trials,
                     int (*each)(void *, const struct trial_row *), void *context, struct err *err)
{
    struct query query;
    bool live = trials->state == TRIAL_PENDING || trials->state == TRIAL_RUNNING;
    enum statement statement = live ? STATEMENT_TRIALS_LIVE : STATEMENT_TRIALS;
    if (trials->by_value) {
        bool found = false;
        int rc = trials->state == TRIAL_DONE && trials->limit == 1 && trials->offset == 0
                     ? each_extreme(store, trials, each, context, &found, err)
                     : 0;
        if (rc != 0 || found)
            return rc;
        statement = trials->maximize ? STATEMENT_TRIALS_HIGH_FIRST : STATEMENT_TRIALS_LOW_FIRST;
    }
    int rc = query_open(store, statement, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, trials->sweep);
    put_pointer_text(&query,
                     trials->state < 0 ? NULL : trial_state_word((enum trial_state)trials->state));
    put_i64(&query, trials->limit && trials->limit < INT64_MAX ? (int64_t)trials->limit : -1);
    put_u64(&query, trials->offset);
    return walk_trials(&query, each, context, err);
}

int store_each_attempt(struct store *store, uint64_t trial,
                       int (*each)(void *, const struct attempt_row *), void *context,
                       struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_ATTEMPTS, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, trial);
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

int store_each_event(struct store *store, uint64_t sweep, uint64_t trial,
                     int (*each)(void *, const struct event_row *), void *context, struct err *err)
{
    struct query query;
    int rc = query_open(store, trial ? STATEMENT_EVENTS_OF_TRIAL : STATEMENT_EVENTS, &query, err);
    if (rc != 0)
        return rc;
    put_some(&query, sweep);
    if (trial)
        put_u64(&query, trial);
    while ((rc = query_step(&query, err)) > 0) {
        struct event_row row = {.id = get_u64(&query)};
        row.sweep = get_u64(&query);
        row.trial = get_u64(&query);
        row.attempt = get_u64(&query);
        row.agent = get_u64(&query);
        row.at_ms = get_i64(&query);
        row.kind = get_text(&query);
        row.text = get_text(&query);
        rc = each(context, &row);
        if (rc < 0)
            break;
    }
    query_close(&query);
    return rc;
}

// 1: there is such a name.
static int metric_id(struct store *store, const char *name, uint32_t *ret, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_METRIC_NAME_ID, &query, err);
    if (rc != 0)
        return rc;
    put_text(&query, name);
    rc = query_step(&query, err);
    if (rc > 0)
        *ret = get_u32(&query);
    query_close(&query);
    return rc;
}

int store_each_point(struct store *store, uint64_t sweep, uint64_t trial_number, const char *name,
                     int (*each)(void *, const struct point_row *), void *context, struct err *err)
{
    struct query query;
    uint32_t first = 0, last = UINT32_MAX;
    int rc = 1;
    if (name) {
        rc = metric_id(store, name, &first, err);
        last = first;
    }
    if (rc > 0)
        rc = query_open(store, STATEMENT_POINTS, &query, err);
    else
        return rc; // a name that nobody reported has no points
    if (rc != 0)
        return rc;
    put_u64(&query, sweep);
    put_u64(&query, trial_number);
    put_i64(&query, trial_number ? (int64_t)trial_number : INT64_MAX);
    put_u64(&query, first);
    put_u64(&query, last);
    while ((rc = query_step(&query, err)) > 0) {
        struct point_row row = {.trial_number = get_u64(&query)};
        row.attempt = get_u64(&query);
        row.sequence = get_u64(&query);
        row.name = get_text(&query);
        row.step = get_i64(&query);
        row.time = get_double(&query);
        get_value(&query, &row.value);
        rc = each(context, &row);
        if (rc < 0)
            break;
    }
    query_close(&query);
    return rc;
}

static int add_last_points(struct store *store, uint64_t attempt, struct json_object *object,
                           struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_LAST_POINTS, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, attempt);
    while ((rc = query_step(&query, err)) > 0) {
        double value = NAN;
        const char *name = get_text(&query);
        get_value(&query, &value);
        json_object_object_add(object, name, json_object_new_double(value));
    }
    query_close(&query);
    return rc;
}

static int add_summaries(struct store *store, uint64_t attempt, struct json_object *object,
                         struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_SUMMARIES, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, attempt);
    while ((rc = query_step(&query, err)) > 0) {
        struct json_object *value = NULL;
        const char *name = get_text(&query);
        const char *text = get_text(&query);
        if (json_parse(text, strlen(text), &value, NULL) != 0)
            value = json_object_new_string(text);
        json_object_object_add(object, name, value);
    }
    query_close(&query);
    return rc;
}

int store_summary(struct store *store, uint64_t attempt, struct json_object **ret, struct err *err)
{
    struct json_object *object = json_object_new_object();
    int rc = add_last_points(store, attempt, object, err);
    if (rc == 0)
        rc = add_summaries(store, attempt, object, err);
    if (rc != 0)
        json_object_put(object);
    else
        *ret = object;
    return rc;
}
