// trawl suggest: ask and tell a strategy over JSON lines on stdin and stdout, for any program that wants the strategies alone.
//
// Ids are 1, 2, 3, ... in the order of asks. A bad line is answered with {"error": ...} and the stream goes on; so is a tell of an
// unknown id, or of one that was told before. A trial that goes on from another (hyperband) has that one's id as "parent". Prior results have no id and are never the best.

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/prior.h"
#include "cli/rows.h"

#include "base/json.h"
#include "base/mem.h"
#include "spec/spec.h"
#include "strategies/pareto.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MAX 100000        // configurations in one ask
#define LINE_MAX_BYTES (1 << 20)

struct point {
    struct config config;
    bool told;
};

struct session {
    struct spec *spec;
    struct strategy *strategy;
    struct point *points; // point i has id i + 1
    size_t count, capacity;
    struct config *queue; // configurations to be given next, from queue[queue_first] on
    size_t queue_first, queue_count, queue_capacity;
    struct priors priors; // those given so far
    size_t priors_told;
    struct pareto_front front; // of the done ones; with one objective its best
};

// The next configuration into *point: of a person's, else of the strategy's. *ret_note is its reason, borrowed.
static int next_point(struct session *session, struct point *point, const char **ret_note, struct err *err)
{
    uint64_t id = session->count + 1;
    int rc;
    if (session->queue_first < session->queue_count) {
        point->config = session->queue[session->queue_first++];
        strategy_restore(session->strategy, id, &point->config);
        *ret_note = "enqueued by a person";
        return 0;
    }
    do
        rc = strategy_ask(session->strategy, id, &point->config, err);
    while (rc == ERR_AGAIN && strcmp(session->spec->strategy, "grid") == 0);
    *ret_note = rc == 0 ? strategy_note(session->strategy).text : NULL;
    return rc;
}

static int op_ask(struct session *session, const struct json_object *request, struct str *out, struct err *err)
{
    int64_t n = 1;
    bool why = false;
    struct json_object *given = NULL;
    json_get_bool(request, "why", &why);
    if (json_object_object_get_ex(request, "n", &given) && !json_get_i64(request, "n", &n))
        return err_set(err, ERR_INVALID, "n is a whole number");
    if (n < 1 || n > ASK_MAX)
        return err_set(err, ERR_LIMIT, "n is from 1 to %d, not %lld", ASK_MAX, (long long)n);
    str_add(out, "{\"trials\":[");
    int rc = 0;
    for (int64_t i = 0; i < n && rc == 0; i++) {
        ARRAY_GROW(session->points, session->count, session->capacity);
        struct point *point = &session->points[session->count];
        *point = (struct point){0};
        const char *note = NULL;
        rc = next_point(session, point, &note, err);
        if (rc != 0)
            break;
        session->count++;
        str_addf(out, "%s{\"id\":%zu,\"config\":", i ? "," : "", session->count);
        config_write_json(out, session->spec->space, &point->config);
        uint64_t parent = strategy_note(session->strategy).parent;
        if (parent > 0)
            str_addf(out, ",\"parent\":%llu", (unsigned long long)parent);
        if (why && note) {
            str_add(out, ",\"why\":");
            json_write_string(out, note, strlen(note));
        } else if (why) {
            str_add(out, ",\"why\":null");
        }
        str_addch(out, '}');
    }
    if (rc != 0 && rc != ERR_EXHAUSTED && rc != ERR_AGAIN)
        return rc;
    str_addf(out, "],\"exhausted\":%s}", rc == ERR_EXHAUSTED ? "true" : "false");
    return 0;
}

static int values_by_name(const struct spec *spec, const struct json_object *given, double *values, bool *has, struct err *err)
{
    json_object_object_foreach((struct json_object *)given, name, value)
    {
        size_t i = 0;
        while (i < spec->objective_count && strcmp(spec->objectives[i].name, name) != 0)
            i++;
        if (i == spec->objective_count)
            return err_set(err, ERR_INVALID, "'%s' is no objective of the spec", name);
        if (!rows_number(value, &values[i]))
            return err_set(err, ERR_INVALID, "the value of '%s' is a number, NaN, Infinity or -Infinity", name);
        has[i] = true;
    }
    return 0;
}

// The member "value" of one objective, or "values" of all: by name, or a list in the spec's order. An intermediate tell needs that of the
// first objective only. *ret_given: there is one.
static int get_values(const struct session *session, const struct json_object *request, bool first_only,
                      double values[static OBJECTIVES_MAX], bool *ret_given, struct err *err)
{
    const struct spec *spec = session->spec;
    size_t count = spec->objective_count > 1 ? spec->objective_count : 1;
    bool has[OBJECTIVES_MAX] = {0};
    struct json_object *given = NULL, *one = NULL;
    int rc = 0;
    json_object_object_get_ex(request, "value", &one);
    *ret_given = json_object_object_get_ex(request, "values", &given) || (one && rows_number(one, &values[0]));
    if (!*ret_given)
        return 0;
    if (one && given)
        return err_set(err, ERR_INVALID, "there is \"value\" for one objective or \"values\" for several, not both");
    if (one && count > 1 && !first_only)
        return err_set(err, ERR_INVALID, "the spec has %zu objectives: \"values\" is needed", count);
    has[0] = one != NULL;
    if (given && json_object_is_type(given, json_type_object)) {
        rc = values_by_name(spec, given, values, has, err);
    } else if (given && json_object_is_type(given, json_type_array) && json_object_array_length(given) == count) {
        for (size_t i = 0; i < count; i++)
            has[i] = rows_number(json_object_array_get_idx(given, i), &values[i]);
    } else if (given) {
        return err_set(err, ERR_INVALID, "values is an object by name, or a list of %zu numbers", count);
    }
    for (size_t i = 0; rc == 0 && i < (first_only ? 1 : count); i++)
        if (!has[i])
            return err_set(err, ERR_INVALID, "values lacks a number for %s",
                           spec->objective_count ? spec->objectives[i].name : "the objective");
    return rc;
}

static int parse_state(const struct json_object *request, enum point_state *ret, struct err *err)
{
    const char *word = "done";
    struct json_object *given = NULL;
    if (json_object_object_get_ex(request, "state", &given) && !json_get_string(request, "state", &word))
        return err_set(err, ERR_INVALID, "state is a string");
    if (strcmp(word, "done") == 0)
        *ret = POINT_DONE;
    else if (strcmp(word, "failed") == 0)
        *ret = POINT_FAILED;
    else if (strcmp(word, "stopped") == 0)
        *ret = POINT_STOPPED;
    else if (strcmp(word, "cancelled") == 0)
        *ret = POINT_CANCELLED;
    else
        return err_set(err, ERR_INVALID, "state is done, failed, stopped or cancelled, not '%s'", word);
    return 0;
}

static void tell(struct session *session, uint64_t id, enum point_state state, bool has_value,
                 const double values[static OBJECTIVES_MAX])
{
    const struct spec *spec = session->spec;
    size_t count = session->front.objective_count;
    struct outcome outcome = outcome_of(state, values[0]);
    double costs[OBJECTIVES_MAX];
    outcome.value_count = outcome.value_count && has_value;
    for (size_t i = 0; i < count; i++) {
        outcome.values[i] = values[i];
        costs[i] = spec->objectives[i].goal == GOAL_MAXIMIZE ? -values[i] : values[i];
    }
    session->points[id - 1].told = true;
    strategy_tell(session->strategy, id, &outcome);
    if (state == POINT_DONE)
        pareto_front_add(&session->front, id, costs);
}

static int op_tell(struct session *session, const struct json_object *request, struct str *out, struct err *err)
{
    int64_t id = 0, step = 0;
    double values[OBJECTIVES_MAX] = {0};
    bool has_value = false;
    enum point_state state = POINT_DONE;
    if (!json_get_i64(request, "id", &id) || id < 1 || (uint64_t)id > session->count)
        return err_set(err, ERR_NOT_FOUND, "tell needs the id of a trial that was asked for (1 to %zu)", session->count);
    if (session->points[id - 1].told)
        return err_set(err, ERR_STATE, "trial %lld was told before", (long long)id);
    int rc = parse_state(request, &state, err);
    if (rc != 0)
        return rc;
    bool is_report = json_get_i64(request, "step", &step);
    rc = get_values(session, request, is_report, values, &has_value, err);
    if (rc != 0)
        return rc;
    if (is_report) {
        if (!has_value)
            return err_set(err, ERR_INVALID, "an intermediate tell needs a value");
        strategy_report(session->strategy, (uint64_t)id, step, values[0]);
    } else {
        if (!has_value && (state == POINT_DONE || state == POINT_STOPPED))
            return err_set(err, ERR_INVALID, "tell needs a value (a number, NaN, Infinity or -Infinity), or \"state\":\"failed\"");
        tell(session, (uint64_t)id, state, has_value, values);
    }
    str_add(out, "{\"ok\":true,\"stop\":false}");
    return 0;
}

static void write_point(struct session *session, size_t place, struct str *out)
{
    const struct spec *spec = session->spec;
    const double *costs = session->front.costs + place * session->front.objective_count;
    str_addf(out, "{\"id\":%llu,", (unsigned long long)session->front.ids[place]);
    str_add(out, spec->objective_count > 1 ? "\"values\":{" : "\"value\":");
    for (size_t i = 0; i < session->front.objective_count; i++) {
        if (spec->objective_count > 1) {
            str_add(out, i ? "," : "");
            json_write_string(out, spec->objectives[i].name, strlen(spec->objectives[i].name));
            str_addch(out, ':');
        }
        json_write_double(out, spec->objectives[i].goal == GOAL_MAXIMIZE ? -costs[i] : costs[i]);
    }
    str_add(out, spec->objective_count > 1 ? "},\"config\":" : ",\"config\":");
    config_write_json(out, spec->space, &session->points[session->front.ids[place] - 1].config);
    str_addch(out, '}');
}

// What `config` gives, which is the caller's to release on success.
static int read_draft(const struct session *session, const struct json_object *request, struct config_draft *ret, struct err *err)
{
    struct json_object *given = NULL;
    if (!json_object_object_get_ex(request, "config", &given))
        return err_set(err, ERR_INVALID, "it needs a \"config\", like {\"lr\": 0.1}");
    config_draft_init(ret, session->spec->space);
    int rc = config_draft_read(ret, given, NULL, err);
    if (rc != 0)
        config_draft_release(ret);
    return rc;
}

static int op_enqueue(struct session *session, const struct json_object *request, struct str *out, struct err *err)
{
    struct config_draft draft;
    struct config config = {0};
    uint64_t id = session->count + (session->queue_count - session->queue_first) + 1;
    if (session->queue_count - session->queue_first == ASK_MAX)
        return err_set(err, ERR_LIMIT, "%d configurations wait already; ask for some", ASK_MAX);
    int rc = read_draft(session, request, &draft, err);
    if (rc != 0)
        return rc;
    rc = config_draft_draw(&draft, session->spec->seed, "enqueue", id, &config, err);
    config_draft_release(&draft);
    if (rc != 0)
        return rc;
    ARRAY_GROW(session->queue, session->queue_count, session->queue_capacity);
    session->queue[session->queue_count++] = config;
    str_addf(out, "{\"ok\":true,\"id\":%llu}", (unsigned long long)id);
    return 0;
}

static void tell_priors(struct session *session)
{
    for (; session->priors_told < session->priors.count; session->priors_told++) {
        const struct prior_row *row = &session->priors.rows[session->priors_told];
        struct outcome outcome = {.state = row->state == TRIAL_DONE      ? POINT_DONE
                                           : row->state == TRIAL_STOPPED ? POINT_STOPPED
                                                                         : POINT_FAILED,
                                  .value_count = row->value_count > 0};
        memcpy(outcome.values, row->values, sizeof row->values);
        uint64_t point = PRIOR_POINT(session->priors_told + 1);
        strategy_restore(session->strategy, point, &session->priors.configs[session->priors_told]);
        strategy_tell(session->strategy, point, &outcome);
    }
}

static int op_prior(struct session *session, const struct json_object *request, struct str *out, struct err *err)
{
    struct config_draft draft;
    double values[OBJECTIVES_MAX] = {0};
    bool has_value = false;
    const char *state = NULL;
    if (!(strategy_find(session->spec->strategy)->caps & STRATEGY_LEARNS))
        return err_set(err, ERR_INVALID, "method %s does not learn from results, so a prior one would change nothing", session->spec->method);
    json_get_string(request, "state", &state);
    int rc = get_values(session, request, false, values, &has_value, err);
    if (rc == 0)
        rc = read_draft(session, request, &draft, err);
    if (rc != 0)
        return rc;
    size_t value_count = has_value ? session->front.objective_count : 0;
    rc = priors_add(&session->priors, session->spec, &draft, state, value_count, values, "stdin", err);
    config_draft_release(&draft);
    if (rc == 0) {
        tell_priors(session);
        str_add(out, "{\"ok\":true}");
    }
    return rc;
}

static int op_best(struct session *session, struct str *out)
{
    bool several = session->spec->objective_count > 1;
    if (several)
        str_add(out, "{\"front\":[");
    else if (session->front.count == 0)
        str_add(out, "{\"id\":null,\"value\":null,\"config\":null}");
    for (size_t i = 0; i < session->front.count; i++) {
        str_add(out, i ? "," : "");
        write_point(session, i, out);
    }
    if (several)
        str_add(out, "]}");
    return 0;
}

static int answer_line(struct session *session, const char *line, size_t len, struct str *out, struct err *err)
{
    struct json_object *request = NULL;
    const char *op;
    int rc = json_parse(line, len, &request, err);
    if (rc == 0 && !json_get_string(request, "op", &op))
        rc = err_set(err, ERR_INVALID, "a request is an object with \"op\": ask, tell, enqueue, prior or best");
    else if (rc == 0 && strcmp(op, "ask") == 0)
        rc = op_ask(session, request, out, err);
    else if (rc == 0 && strcmp(op, "tell") == 0)
        rc = op_tell(session, request, out, err);
    else if (rc == 0 && strcmp(op, "enqueue") == 0)
        rc = op_enqueue(session, request, out, err);
    else if (rc == 0 && strcmp(op, "prior") == 0)
        rc = op_prior(session, request, out, err);
    else if (rc == 0 && strcmp(op, "best") == 0)
        rc = op_best(session, out);
    else if (rc == 0)
        rc = err_set(err, ERR_INVALID, "there is no op '%s'; it is ask, tell, enqueue, prior or best", op);
    json_object_put(request);
    return rc;
}

// One line of stdin without its newline; false at the end. A line over the bound is read to its end and flagged.
static bool read_line(struct str *line, bool *ret_too_long)
{
    int c = EOF;
    str_clear(line);
    *ret_too_long = false;
    while ((c = getc_unlocked(stdin)) != EOF && c != '\n') {
        if (line->len < LINE_MAX_BYTES)
            str_addch(line, (char)c);
        else
            *ret_too_long = true;
    }
    return c != EOF || line->len > 0;
}

static void converse(struct session *session)
{
    struct str line = STR_INIT, out = STR_INIT;
    bool too_long;
    while (read_line(&line, &too_long)) {
        struct err err = {0};
        if (line.len == 0)
            continue;
        str_clear(&out);
        int rc = too_long ? err_set(&err, ERR_LIMIT, "the line is longer than %d bytes", LINE_MAX_BYTES)
                          : answer_line(session, line.s, line.len, &out, &err);
        if (rc != 0) {
            str_clear(&out);
            str_add(&out, "{\"error\":");
            json_write_string(&out, err.text, strlen(err.text));
            str_addch(&out, '}');
        }
        str_addch(&out, '\n');
        if (fwrite(out.s, 1, out.len, stdout) != out.len || fflush(stdout) != 0)
            break; // nobody listens any more
    }
    str_release(&line);
    str_release(&out);
}

int command_suggest(const struct command_line *line)
{
    const char *path = line_positional(line, 0);
    struct session session = {0};
    struct problems problems = {0};
    struct err err = {0};
    int rc = spec_load(path, &session.spec, &problems, &err);
    if (rc != 0 && problems.error_count) {
        struct str text = STR_INIT;
        problems_write_text(&text, &problems, path);
        fputs(str_get(&text), stderr);
        str_release(&text);
        err_set(&err, rc, "%s is not usable as it is; mend the errors above", path);
    }
    if (rc == 0) {
        const struct strategy_setup setup = spec_strategy_setup(session.spec);
        rc = strategy_new(session.spec->strategy, &setup, &session.strategy, &err);
    }
    if (rc == 0)
        rc = priors_load(line, session.spec, &session.priors, &err);
    if (rc == 0) {
        pareto_front_init(&session.front, session.spec->objective_count > 1 ? session.spec->objective_count : 1);
        tell_priors(&session);
        converse(&session);
    }
    pareto_front_release(&session.front);
    for (size_t i = 0; i < session.count; i++)
        config_release(&session.points[i].config);
    free(session.points);
    for (size_t i = session.queue_first; i < session.queue_count; i++)
        config_release(&session.queue[i]);
    free(session.queue);
    priors_release(&session.priors);
    strategy_free(session.strategy);
    spec_free(session.spec);
    problems_release(&problems);
    return rc == 0 ? 0 : context_fail(line, &err);
}
