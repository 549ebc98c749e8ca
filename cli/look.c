// trawl status, ls, show, best, why, agents: reading the store, beside a live controller or without one.

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/fronts.h"
#include "cli/report.h"
#include "cli/table.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LS_DEFAULT 50
#define STATUS_BEST 5

// The store and the sweep that the first positional names (default: the latest).
static int open_sweep(const struct command_line *line, struct store **store, struct sweep_row *row, struct err *err)
{
    int rc = context_reader(line, store, err);
    if (rc == 0)
        rc = store_find_sweep(*store, line_positional(line, 0), row, err);
    return rc;
}

static int finish(const struct command_line *line, struct store *store, struct sweep_row *row, int rc,
                  const struct err *err)
{
    if (row)
        sweep_row_release(row);
    store_close(store);
    return rc == 0 ? 0 : context_fail(line, err);
}

// ---- status

// What only the live controller knows: agents, and why nothing is placed.
static void print_live(const char *dir, const char *key)
{
    struct str reply = STR_INIT;
    struct json_object *json = NULL, *sweeps = NULL;
    if (context_request(dir, "status", "{}", true, &reply, NULL) != 0 ||
        json_parse(str_get(&reply), reply.len, &json, NULL) != 0) {
        printf("  no controller is running; `trawl run SPEC` or `trawl controller` starts one\n");
        str_release(&reply);
        return;
    }
    int64_t agents = 0;
    const char *text;
    json_get_i64(json, "agents", &agents);
    printf("  %lld agent%s connected\n", (long long)agents, agents == 1 ? "" : "s");
    if (json_get_string(json, "stalled", &text))
        printf("  waiting: %s\n", text);
    json_object_object_get_ex(json, "sweeps", &sweeps);
    for (size_t i = 0; sweeps && i < json_object_array_length(sweeps); i++) {
        struct json_object *sweep = json_object_array_get_idx(sweeps, i);
        const char *name;
        if (json_get_string(sweep, "sweep", &name) && strcmp(name, key) == 0 && json_get_string(sweep, "blocked", &text))
            printf("  waiting: %s\n", text);
    }
    json_object_put(json);
    str_release(&reply);
}

static int print_warm(struct store *store, const struct sweep_row *row, struct err *err)
{
    struct warm warm;
    int rc = report_warm(store, row, &warm, err);
    if (rc == 0 && warm.priors)
        printf("  %llu prior trials\n", (unsigned long long)warm.priors);
    if (rc == 0 && warm.waiting)
        printf("  %llu enqueued by a person wait\n", (unsigned long long)warm.waiting);
    return rc;
}

int command_status(const struct command_line *line)
{
    struct store *store = NULL;
    struct sweep_row row = {0};
    struct err err = {0};
    struct spec *spec = NULL;
    int rc = open_sweep(line, &store, &row, &err);
    if (rc == 0) {
        spec = report_spec(&row);
        if (line_has(line, "json")) {
            struct str out = STR_INIT;
            rc = report_json(&out, store, &row, spec, &err);
            if (rc == 0)
                puts(str_get(&out));
            str_release(&out);
        } else {
            report_line(stdout, &row);
            rc = print_warm(store, &row, &err);
            if (!sweep_state_terminal(row.state))
                print_live(store_dir(store), row.key);
            if (rc == 0 && spec)
                rc = report_front_line(stdout, store, &row, spec, &err);
            if (rc == 0 && spec)
                rc = report_best_table(stdout, store, &row, spec, STATUS_BEST, &err);
            if (rc == 0)
                rc = report_failure(stdout, store, &row, &err);
        }
    }
    spec_free(spec);
    return finish(line, store, &row, rc, &err);
}

// ---- ls

struct list {
    struct store *store;
    struct sweep_row *sweep;
    const struct spec *spec;
    struct table *table;
    bool json;
    struct err *err;
    uint64_t count;
};

static int list_sweep(void *context, const struct sweep_row *row)
{
    struct list *list = context;
    list->count++;
    if (list->json) {
        struct str out = STR_INIT;
        struct spec *spec = report_spec(row);
        int rc = report_json(&out, list->store, row, spec, list->err);
        puts(str_get(&out));
        spec_free(spec);
        str_release(&out);
        return rc;
    }
    char created[32];
    format_time(row->created_ms, created, sizeof created);
    table_cell(list->table, row->key);
    table_cell(list->table, row->name);
    table_cell(list->table, sweep_state_word(row->state));
    for (int i = 0; i < TRIAL_CANCELLED; i++)
        table_cellf(list->table, "%llu", (unsigned long long)row->trials[i]);
    table_cell(list->table, created);
    return 0;
}

static int list_sweeps(const struct command_line *line, struct store *store, struct err *err)
{
    static const char *const titles[] = {"sweep", "name", "state", ">pending", ">running", ">done",
                                         ">failed", ">stopped", "created", NULL};
    struct list list = {.store = store, .json = line_has(line, "json"), .err = err};
    list.table = table_new(titles);
    int rc = store_each_sweep(store, false, list_sweep, &list, err);
    if (rc == 0 && !list.json && list.count > 0)
        table_print(list.table, stdout, terminal_width(stdout));
    else if (rc == 0 && list.count == 0)
        fprintf(stderr, "trawl: no sweeps yet; `trawl run SPEC` starts one\n");
    table_free(list.table);
    return rc;
}

static int list_trial(void *context, const struct trial_row *row)
{
    struct list *list = context;
    list->count++;
    if (list->json) {
        struct str out = STR_INIT;
        int rc = report_trial_json(&out, list->store, list->sweep, list->spec, row, list->err);
        puts(str_get(&out));
        str_release(&out);
        return rc;
    }
    char value[NUM_TEXT_MAX] = "", took[NUM_TEXT_MAX] = "";
    if (row->values.has[0])
        format_value(row->values.at[0], value, sizeof value);
    if (row->started_ms && row->ended_ms >= row->started_ms)
        num_format_duration((uint64_t)(row->ended_ms - row->started_ms), took);
    table_cellf(list->table, "%llu", (unsigned long long)row->number);
    table_cell(list->table, trial_state_word(row->state));
    table_cell(list->table, value);
    table_cell(list->table, took);
    table_cellf(list->table, "%u", row->attempt_count);
    table_cell(list->table, row->config);
    return 0;
}

static int list_trials(const struct command_line *line, struct store *store, struct sweep_row *sweep, struct err *err)
{
    static const char *const titles[] = {">trial", "state", ">value", ">took", ">attempts", "configuration", NULL};
    struct list list = {.store = store, .sweep = sweep, .json = line_has(line, "json"), .err = err};
    struct trial_query query = {.sweep = sweep->id, .state = -1, .by_value = line_has(line, "best")};
    const char *word = line_text(line, "state");
    enum trial_state state;
    if (word && !trial_state_parse(word, &state))
        return err_set(err, ERR_USAGE, "a trial is pending, running, done, failed, stopped or cancelled, not '%s'", word);
    if (word)
        query.state = (int)state;
    struct spec *spec = report_spec(sweep);
    list.spec = spec;
    query.maximize = spec && spec->objectives[0].goal == GOAL_MAXIMIZE;
    query.limit = line_u64(line, "limit", terminal_width(stdout) && !list.json ? LS_DEFAULT : 0);
    list.table = table_new(titles);
    int rc = store_each_trial(store, &query, list_trial, &list, err);
    if (rc == 0 && !list.json)
        table_print(list.table, stdout, terminal_width(stdout));
    if (rc == 0 && query.limit && list.count == query.limit && !line_has(line, "limit"))
        fprintf(stderr, "trawl: the first %llu; --limit 0 shows all\n", (unsigned long long)query.limit);
    spec_free(spec);
    table_free(list.table);
    return rc;
}

int command_ls(const struct command_line *line)
{
    struct store *store = NULL;
    struct sweep_row row = {0};
    struct err err = {0};
    int rc = context_reader(line, &store, &err);
    bool trials = line_positional(line, 0) || line_has(line, "state") || line_has(line, "best");
    if (rc == 0 && !trials)
        rc = list_sweeps(line, store, &err);
    else if (rc == 0)
        rc = store_find_sweep(store, line_positional(line, 0), &row, &err);
    if (rc == 0 && trials)
        rc = list_trials(line, store, &row, &err);
    return finish(line, store, &row, rc, &err);
}

// ---- show

static int show_attempt(void *context, const struct attempt_row *row)
{
    (void)context;
    char started[32], took[NUM_TEXT_MAX] = "-";
    format_time(row->started_ms, started, sizeof started);
    if (row->started_ms && row->ended_ms >= row->started_ms)
        num_format_duration((uint64_t)(row->ended_ms - row->started_ms), took);
    printf("attempt %u   %s%s%s, started %s, took %s", row->number, attempt_state_word(row->state),
           row->has_class ? ", " : "", row->has_class ? exit_class_word(row->exit_class) : "", started, took);
    if (row->has_class && row->exit_class == EXIT_FAILED)
        printf(", exit code %lld", (long long)row->code);
    if (row->signal)
        printf(", signal %lld", (long long)row->signal);
    if (row->max_rss_bytes)
        printf(", %llu MiB, %.1f s CPU", (unsigned long long)(row->max_rss_bytes >> 20), (double)row->cpu_ms / 1000);
    printf("\n");
    if (row->message && *row->message)
        printf("            %s\n", row->message);
    return 0;
}

static int print_trial(struct store *store, const struct sweep_row *sweep, const struct trial_row *trial,
                       struct err *err)
{
    char value[NUM_TEXT_MAX];
    struct spec *spec = report_spec(sweep);
    printf("trial %llu of sweep %s: %s\n", (unsigned long long)trial->number, sweep->key, trial_state_word(trial->state));
    for (size_t i = 0; i < OBJECTIVES_MAX; i++) {
        if (!trial->values.has[i])
            continue;
        format_value(trial->values.at[i], value, sizeof value);
        printf("%-11s %s\n", spec && i < spec->objective_count ? spec->objectives[i].name : "value", value);
    }
    printf("config      %s\n", trial->config);
    if (trial->enqueued)
        printf("origin      enqueued by a person\n");
    if (trial->parent)
        printf("origin      goes on from trial %llu\n", (unsigned long long)trial->parent);
    struct str command = STR_INIT;
    if (spec && report_command(&command, spec, trial, NULL) == 0)
        printf("command     %s\n", str_get(&command));
    str_release(&command);
    spec_free(spec);
    int rc = store_each_attempt(store, trial->id, show_attempt, NULL, err);
    struct json_object *summary = NULL;
    if (rc == 0 && trial->attempt)
        rc = store_summary(store, trial->attempt, &summary, err);
    if (summary && json_object_object_length(summary) > 0) {
        struct str text = STR_INIT;
        json_write(&text, summary);
        printf("metrics     %s\n", str_get(&text));
        str_release(&text);
    }
    json_object_put(summary);
    return rc;
}

int command_show(const struct command_line *line)
{
    struct store *store = NULL;
    struct sweep_row sweep = {0};
    struct trial_row trial = {0};
    struct err err = {0};
    int rc = context_reader(line, &store, &err);
    if (rc == 0)
        rc = context_find_trial(store, line_positional(line, 0), &sweep, &trial, &err);
    if (rc == 0 && line_has(line, "json")) {
        struct str out = STR_INIT;
        struct spec *spec = report_spec(&sweep);
        rc = report_trial_json(&out, store, &sweep, spec, &trial, &err);
        puts(str_get(&out));
        spec_free(spec);
        str_release(&out);
    } else if (rc == 0) {
        rc = print_trial(store, &sweep, &trial, &err);
    }
    trial_row_release(&trial);
    return finish(line, store, &sweep, rc, &err);
}

// ---- best

static int write_trials(struct str *out, struct store *store, const struct sweep_row *sweep, const struct spec *spec,
                        const struct pareto_front *front, uint64_t top, struct err *err)
{
    int rc = 0;
    str_addch(out, '[');
    for (size_t i = 0; i < front->count && i < top && rc == 0; i++) {
        struct trial_row trial;
        rc = store_find_trial(store, sweep->id, front->ids[i], &trial, err);
        if (rc != 0)
            break;
        str_add(out, i ? "," : "");
        rc = report_trial_json(out, store, sweep, spec, &trial, err);
        trial_row_release(&trial);
    }
    str_addch(out, ']');
    return rc;
}

static int write_hypervolume(const struct command_line *line, struct str *out, const struct spec *spec,
                             const struct pareto_front *front, struct err *err)
{
    double reference[OBJECTIVES_MAX], volume = 0;
    const char *given = line_text(line, "reference");
    int rc = given ? front_parse_reference(spec, given, reference, err) : 0;
    if (rc != 0)
        return rc;
    if (line_has(line, "json")) {
        front_write_json(out, spec, front, given ? reference : NULL);
        return 0;
    }
    if (front->count > 0 && !front_hypervolume(front, given ? reference : NULL, &volume))
        return err_set(err, ERR_LIMIT, "the hypervolume of %zu trials in %zu objectives would take minutes", front->count,
                       front->objective_count);
    json_write_double(out, volume);
    return 0;
}

// The front, for a sweep of several objectives (and of one, with --hypervolume).
static int best_front(const struct command_line *line, struct store *store, const struct sweep_row *sweep,
                      const struct spec *spec, struct str *out, struct err *err)
{
    struct pareto_front front;
    uint64_t top = line_u64(line, "top", UINT64_MAX);
    if (spec->objective_count == 0)
        return err_set(err, ERR_NOT_FOUND, "sweep %s names no objective, so it has no hypervolume", sweep->key);
    if (line_has(line, "command"))
        return err_set(err, ERR_USAGE, "sweep %s has several objectives and no one best trial: choose one of `trawl best %s` and see "
                       "its command line with `trawl show`", sweep->key, sweep->key);
    int rc = front_load(store, sweep, spec, &front, err);
    if (rc != 0)
        return rc;
    if (line_has(line, "hypervolume"))
        rc = write_hypervolume(line, out, spec, &front, err);
    else if (front.count == 0)
        rc = err_set(err, ERR_NOT_FOUND, "no trial of sweep %s has a value of every objective yet; `trawl status %s` tells more",
                     sweep->key, sweep->key);
    else if (line_has(line, "json"))
        rc = write_trials(out, store, sweep, spec, &front, top, err);
    else
        rc = report_best_table(stdout, store, sweep, spec, top, err);
    pareto_front_release(&front);
    return rc;
}

static int best_one(const struct command_line *line, struct store *store, const struct sweep_row *sweep, const struct spec *spec,
                    struct str *out, struct err *err)
{
    struct trial_row trial = {0};
    int rc = report_best_trial(store, sweep, spec, &trial, err);
    if (rc == 0 && line_has(line, "command"))
        rc = report_command(out, spec, &trial, err);
    else if (rc == 0 && line_has(line, "json"))
        rc = report_trial_json(out, store, sweep, spec, &trial, err);
    else if (rc == 0 && line_u64(line, "top", 1) > 1)
        rc = report_best_table(stdout, store, sweep, spec, line_u64(line, "top", 1), err);
    else if (rc == 0)
        rc = print_trial(store, sweep, &trial, err);
    trial_row_release(&trial);
    return rc;
}

int command_best(const struct command_line *line)
{
    struct store *store = NULL;
    struct sweep_row sweep = {0};
    struct err err = {0};
    struct spec *spec = NULL;
    struct str out = STR_INIT;
    int rc = open_sweep(line, &store, &sweep, &err);
    if (rc == 0 && !(spec = report_spec(&sweep)))
        rc = err_set(&err, ERR_INVALID, "the spec of sweep %s cannot be read by this version", sweep.key);
    if (rc == 0 && line_has(line, "reference") && !line_has(line, "hypervolume"))
        rc = err_set(&err, ERR_USAGE, "--reference is for --hypervolume");
    if (rc == 0)
        rc = spec->objective_count > 1 || line_has(line, "hypervolume") ? best_front(line, store, &sweep, spec, &out, &err)
                                                                         : best_one(line, store, &sweep, spec, &out, &err);
    if (rc == 0 && out.len)
        puts(str_get(&out));
    str_release(&out);
    spec_free(spec);
    return finish(line, store, &sweep, rc, &err);
}

// ---- why

static int print_event(void *context, const struct event_row *row)
{
    const struct command_line *line = context;
    char at[32];
    if (line_has(line, "json")) {
        struct str out = STR_INIT;
        str_addf(&out, "{\"id\":%llu,\"at_ms\":%lld,\"kind\":\"%s\",\"text\":", (unsigned long long)row->id,
                 (long long)row->at_ms, row->kind);
        json_write_string(&out, row->text, strlen(row->text));
        str_addf(&out, ",\"attempt\":%llu,\"agent\":%llu}", (unsigned long long)row->attempt,
                 (unsigned long long)row->agent);
        puts(str_get(&out));
        str_release(&out);
        return 0;
    }
    format_time(row->at_ms, at, sizeof at);
    printf("%s  %-10s %s\n", at, row->kind, row->text);
    return 0;
}

int command_why(const struct command_line *line)
{
    struct store *store = NULL;
    struct sweep_row sweep = {0};
    struct trial_row trial = {0};
    struct err err = {0};
    int rc = context_reader(line, &store, &err);
    if (rc == 0)
        rc = context_find_trial(store, line_positional(line, 0), &sweep, &trial, &err);
    if (rc == 0 && !line_has(line, "json"))
        printf("trial %llu of sweep %s is %s\n", (unsigned long long)trial.number, sweep.key,
               trial_state_word(trial.state));
    if (rc == 0)
        rc = store_each_event(store, sweep.id, trial.id, print_event, (void *)line, &err);
    trial_row_release(&trial);
    return finish(line, store, &sweep, rc, &err);
}

// ---- agents

static int list_agent(void *context, const struct agent_row *row)
{
    struct list *list = context;
    int64_t silent = clock_wall_ms() - row->last_seen_ms;
    list->count++;
    if (list->json) {
        struct str out = STR_INIT;
        str_addf(&out, "{\"agent\":\"%s\",\"name\":", row->uid);
        json_write_string(&out, row->name, strlen(row->name));
        str_addf(&out, ",\"slots\":%u,\"cpus\":%u,\"memory_bytes\":%llu,\"gpus\":%s,\"labels\":%s,\"gone\":%s,\"last_seen_ms\":%lld}",
                 row->slots, row->cpus, (unsigned long long)row->memory_bytes, row->gpus && *row->gpus ? row->gpus : "[]",
                 row->labels && *row->labels ? row->labels : "[]", row->gone ? "true" : "false",
                 (long long)row->last_seen_ms);
        puts(str_get(&out));
        str_release(&out);
        return 0;
    }
    char seen[32], host[NUM_TEXT_MAX];
    format_time(row->last_seen_ms, seen, sizeof seen);
    snprintf(host, sizeof host, "%s", row->host ? row->host : "");
    table_cell(list->table, row->name);
    table_cell(list->table, host);
    table_cell(list->table, row->gone ? "gone" : row->draining ? "draining" : silent > 60000 ? "silent" : "up");
    table_cellf(list->table, "%u", row->slots);
    table_cellf(list->table, "%u", row->cpus);
    table_cellf(list->table, "%.1f", (double)row->memory_bytes / (1 << 30));
    table_cell(list->table, row->gpus && strcmp(row->gpus, "[]") != 0 ? row->gpus : "");
    table_cell(list->table, row->labels && strcmp(row->labels, "[]") != 0 ? row->labels : "");
    table_cell(list->table, seen);
    return 0;
}

int command_agents(const struct command_line *line)
{
    static const char *const titles[] = {"agent", "host", "state", ">slots", ">cpus", ">GiB", "gpus", "labels", "last seen", NULL};
    struct store *store = NULL;
    struct err err = {0};
    struct list list = {.json = line_has(line, "json"), .err = &err};
    list.table = table_new(titles);
    int rc = context_reader(line, &store, &err);
    if (rc == 0)
        rc = store_each_agent(store, list_agent, &list, &err);
    if (rc == 0 && !list.json && list.count > 0)
        table_print(list.table, stdout, terminal_width(stdout));
    else if (rc == 0 && list.count == 0)
        fprintf(stderr, "trawl: no agents yet; `trawl run SPEC` has one of its own, `trawl agent` makes others\n");
    table_free(list.table);
    return finish(line, store, NULL, rc, &err);
}
