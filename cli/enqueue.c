// trawl enqueue: configurations that a person wants tried first.

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/report.h"
#include "cli/rows.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gathering {
    const struct spec *spec;
    struct str *body;
    size_t count;
    struct err *err;
};

static int add_draft(struct gathering *gathering, const struct config_draft *draft)
{
    struct config given = {.values = draft->view.values, .active = draft->given, .count = draft->view.count};
    str_add(gathering->body, gathering->count++ ? "," : "");
    config_write_json(gathering->body, gathering->spec->space, &given);
    return 0;
}

static int each_row(void *context, struct given_row *row)
{
    struct gathering *gathering = context;
    if (row->problem != 0)
        return err_set(gathering->err, row->problem, "%s: %s", row->source, row->why.text);
    return add_draft(gathering, row->draft);
}

static int add_argument(struct gathering *gathering, const char *text)
{
    struct json_object *json = NULL;
    struct config_draft draft;
    struct err why = {0};
    config_draft_init(&draft, gathering->spec->space);
    int rc = json_parse(text, strlen(text), &json, &why);
    if (rc == 0)
        rc = config_draft_read(&draft, json, NULL, &why);
    if (rc == 0)
        rc = add_draft(gathering, &draft);
    else
        err_set(gathering->err, rc, "configuration %.80s: %s", text, why.text);
    config_draft_release(&draft);
    json_object_put(json);
    return rc;
}

static int gather(const struct command_line *line, struct gathering *gathering)
{
    int rc = 0;
    for (size_t i = 1; i < line->positional_count && rc == 0; i++)
        rc = strcmp(line->positionals[i], "-") == 0
                 ? rows_each("-", gathering->spec, NULL, each_row, gathering, gathering->err)
                 : add_argument(gathering, line->positionals[i]);
    for (size_t i = 0; i < line->option_count && rc == 0; i++)
        if (strcmp(line->options[i].option->name, "file") == 0)
            rc = rows_each(line->options[i].text, gathering->spec, NULL, each_row, gathering, gathering->err);
    if (rc == 0 && gathering->count == 0)
        rc = err_set(gathering->err, ERR_USAGE, "no configuration is given; like this: trawl enqueue SWEEP '{\"lr\": 0.1}'");
    return rc;
}

// The request: what is wrong with a configuration is found here, where its file and line are known.
static int make_body(const struct command_line *line, struct str *body, struct err *err)
{
    struct store *store = NULL;
    struct sweep_row sweep = {0};
    struct spec *spec = NULL;
    int rc = context_reader(line, &store, err);
    if (rc == 0)
        rc = store_find_sweep(store, line_positional(line, 0), &sweep, err);
    if (rc == 0 && !(spec = report_spec(&sweep)))
        rc = err_set(err, ERR_INVALID, "the spec of sweep %s cannot be read by this version", sweep.key);
    str_addf(body, "{\"sweep\":\"%s\",\"configs\":[", sweep.key);
    struct gathering gathering = {.spec = spec, .body = body, .err = err};
    if (rc == 0)
        rc = gather(line, &gathering);
    str_add(body, "]}");
    if (rc == 0 && body->len > MSG_BODY_MAX / 2)
        rc = err_set(err, ERR_LIMIT, "%zu configurations take %zu bytes; enqueue them in several parts of at most %d", gathering.count,
                     body->len, MSG_BODY_MAX / 2);
    spec_free(spec);
    sweep_row_release(&sweep);
    store_close(store);
    return rc;
}

static void say(const struct command_line *line, const char *dir, const struct json_object *reply)
{
    const char *sweep = "", *state = "";
    struct json_object *trials = NULL;
    json_get_string(reply, "sweep", &sweep);
    json_get_string(reply, "state", &state);
    json_object_object_get_ex(reply, "trials", &trials);
    size_t count = trials ? json_object_array_length(trials) : 0;
    for (size_t i = 0; i < count; i++)
        printf("trial %lld\n", (long long)json_object_get_int64(json_object_array_get_idx(trials, i)));
    if (line_has(line, "quiet"))
        return;
    fprintf(stderr, "trawl: %zu configuration%s of sweep %s %s tried first\n", count, count == 1 ? "" : "s", sweep,
            count == 1 ? "is" : "are");
    if (strcmp(state, "running") != 0)
        fprintf(stderr, "trawl: the sweep is %s; `trawl resume %s` lets it go on\n", state, sweep);
    else if (!context_controller_lives(dir))
        fprintf(stderr, "trawl: no controller serves %s; `trawl run SPEC` or `trawl controller` runs them\n", dir);
}

int command_enqueue(const struct command_line *line)
{
    struct err err = {0};
    struct str body = STR_INIT, reply = STR_INIT;
    struct json_object *json = NULL;
    char *dir = NULL;
    int rc = make_body(line, &body, &err);
    if (rc == 0)
        rc = context_data_dir(line, false, &dir, &err);
    if (rc == 0)
        rc = context_request(dir, "enqueue", str_get(&body), false, &reply, &err);
    if (rc == 0)
        rc = json_parse(str_get(&reply), reply.len, &json, &err);
    if (rc == 0 && line_has(line, "json"))
        puts(str_get(&reply));
    else if (rc == 0)
        say(line, dir, json);
    json_object_put(json);
    str_release(&body);
    str_release(&reply);
    free(dir);
    return rc == 0 ? 0 : context_fail(line, &err);
}
