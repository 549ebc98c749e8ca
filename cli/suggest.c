// trawl suggest: ask and tell a strategy over JSON lines on stdin and stdout, for any program that wants the strategies alone.
//
// Ids are 1, 2, 3, ... in the order of asks. A bad line is answered with {"error": ...} and the stream goes on; so is a tell of an
// unknown id, or of one that was told before.

#include "cli/commands.h"
#include "cli/context.h"

#include "base/json.h"
#include "base/mem.h"
#include "spec/spec.h"

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
    uint64_t best;        // id, 0: none
    double best_value;
};

static bool is_better(const struct session *session, double value)
{
    if (isnan(value))
        return false;
    return session->best == 0 ||
           (session->spec->goal == GOAL_MAXIMIZE ? value > session->best_value : value < session->best_value);
}

static int op_ask(struct session *session, const struct json_object *request, struct str *out, struct err *err)
{
    int64_t n = 1;
    struct json_object *given = NULL;
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
        do
            rc = strategy_ask(session->strategy, session->count + 1, &point->config, err);
        while (rc == ERR_AGAIN && strcmp(session->spec->strategy, "grid") == 0);
        if (rc != 0)
            break;
        session->count++;
        str_addf(out, "%s{\"id\":%zu,\"config\":", i ? "," : "", session->count);
        config_write_json(out, session->spec->space, &point->config);
        str_addch(out, '}');
    }
    if (rc != 0 && rc != ERR_EXHAUSTED && rc != ERR_AGAIN)
        return rc;
    str_addf(out, "],\"exhausted\":%s}", rc == ERR_EXHAUSTED ? "true" : "false");
    return 0;
}

// A number, or the names that JSON has no number for.
static bool get_value(const struct json_object *request, double *ret)
{
    const char *text;
    if (json_get_double(request, "value", ret))
        return true;
    if (!json_get_string(request, "value", &text))
        return false;
    if (strcmp(text, "NaN") == 0)
        *ret = (double)NAN;
    else if (strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0)
        *ret = *text == '-' ? -(double)INFINITY : (double)INFINITY;
    else
        return false;
    return true;
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

static int op_tell(struct session *session, const struct json_object *request, struct str *out, struct err *err)
{
    int64_t id = 0, step = 0;
    double value = (double)NAN;
    enum point_state state = POINT_DONE;
    if (!json_get_i64(request, "id", &id) || id < 1 || (uint64_t)id > session->count)
        return err_set(err, ERR_NOT_FOUND, "tell needs the id of a trial that was asked for (1 to %zu)", session->count);
    struct point *point = &session->points[id - 1];
    if (point->told)
        return err_set(err, ERR_STATE, "trial %lld was told before", (long long)id);
    int rc = parse_state(request, &state, err);
    if (rc != 0)
        return rc;
    bool has_value = get_value(request, &value);
    if (json_get_i64(request, "step", &step)) {
        if (!has_value)
            return err_set(err, ERR_INVALID, "an intermediate tell needs a value");
        strategy_report(session->strategy, (uint64_t)id, step, value);
    } else {
        if (!has_value && (state == POINT_DONE || state == POINT_STOPPED))
            return err_set(err, ERR_INVALID, "tell needs a value (a number, NaN, Infinity or -Infinity), or \"state\":\"failed\"");
        point->told = true;
        struct outcome outcome = outcome_of(state, value);
        outcome.value_count = outcome.value_count && has_value;
        strategy_tell(session->strategy, (uint64_t)id, &outcome);
        if (state == POINT_DONE && is_better(session, value)) {
            session->best = (uint64_t)id;
            session->best_value = value;
        }
    }
    str_add(out, "{\"ok\":true,\"stop\":false}");
    return 0;
}

static int op_best(struct session *session, struct str *out)
{
    if (session->best == 0) {
        str_add(out, "{\"id\":null,\"value\":null,\"config\":null}");
        return 0;
    }
    str_addf(out, "{\"id\":%llu,\"value\":", (unsigned long long)session->best);
    json_write_double(out, session->best_value);
    str_add(out, ",\"config\":");
    config_write_json(out, session->spec->space, &session->points[session->best - 1].config);
    str_addch(out, '}');
    return 0;
}

static int answer_line(struct session *session, const char *line, size_t len, struct str *out, struct err *err)
{
    struct json_object *request = NULL;
    const char *op;
    int rc = json_parse(line, len, &request, err);
    if (rc == 0 && !json_get_string(request, "op", &op))
        rc = err_set(err, ERR_INVALID, "a request is an object with \"op\": ask, tell or best");
    else if (rc == 0 && strcmp(op, "ask") == 0)
        rc = op_ask(session, request, out, err);
    else if (rc == 0 && strcmp(op, "tell") == 0)
        rc = op_tell(session, request, out, err);
    else if (rc == 0 && strcmp(op, "best") == 0)
        rc = op_best(session, out);
    else if (rc == 0)
        rc = err_set(err, ERR_INVALID, "there is no op '%s'; it is ask, tell or best", op);
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
        const struct strategy_setup setup = {.space = session.spec->space,
                                             .goals = {session.spec->goal},
                                             .objective_count = 1,
                                             .seed = session.spec->seed,
                                             .shuffle = session.spec->shuffle,
                                             .settings = session.spec->settings,
                                             .setting_count = session.spec->setting_count};
        rc = strategy_new(session.spec->strategy, &setup, &session.strategy, &err);
    }
    if (rc == 0)
        converse(&session);
    for (size_t i = 0; i < session.count; i++)
        config_release(&session.points[i].config);
    free(session.points);
    strategy_free(session.strategy);
    spec_free(session.spec);
    problems_release(&problems);
    return rc == 0 ? 0 : context_fail(line, &err);
}
