// What commands print of a sweep and its trials.

#include "cli/report.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/fronts.h"
#include "cli/table.h"
#include "space/command.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 12 // parameters shown beside number and value

char *report_sweep_name(const char *given, const struct spec *spec, const char *path)
{
    if (given || (spec->name && *spec->name))
        return xstrdup(given ? given : spec->name);
    const char *base = strrchr(path, '/');
    char *name = xstrdup(base ? base + 1 : path);
    char *dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = '\0';
    return name;
}

struct spec *report_spec(const struct sweep_row *row)
{
    struct problems problems = {0};
    struct spec *spec = NULL;
    spec_parse(row->spec_text, strlen(row->spec_text), &spec, &problems);
    problems_release(&problems);
    return spec;
}

struct best_walk {
    struct table *table;
    const struct spec *spec;
    const size_t *columns;
    size_t column_count;
    struct trial_row *first; // copied there when not NULL
    uint64_t count;
};

static void copy_trial(struct trial_row *to, const struct trial_row *from)
{
    *to = *from;
    to->config = xstrdup(from->config);
}

static int parse_config(const struct spec *spec, const char *text, struct config *ret, struct err *err)
{
    struct json_object *json = NULL;
    int rc = json_parse(text, strlen(text), &json, err);
    if (rc == 0)
        rc = config_from_json(spec->space, json, ret, err);
    json_object_put(json);
    return rc;
}

static int each_best(void *context, const struct trial_row *row)
{
    struct best_walk *walk = context;
    size_t objective_count = walk->spec->objective_count;
    if (!values_complete(&row->values, objective_count))
        return 0;
    if (walk->count++ == 0 && walk->first)
        copy_trial(walk->first, row);
    if (!walk->table)
        return 0;
    char value[NUM_TEXT_MAX];
    table_cellf(walk->table, "%llu", (unsigned long long)row->number);
    for (size_t i = 0; i < objective_count; i++) {
        format_value(row->values.at[i], value, sizeof value);
        table_cell(walk->table, value);
    }
    struct config config = {0};
    bool known = parse_config(walk->spec, row->config, &config, NULL) == 0;
    for (size_t i = 0; i < walk->column_count; i++) {
        struct str cell = STR_INIT;
        if (known && config.active[walk->columns[i]])
            value_write_plain(&cell, &config.values[walk->columns[i]]);
        table_cell(walk->table, str_get(&cell));
        str_release(&cell);
    }
    config_release(&config);
    return 0;
}

// Parameters that can have more than one value, at most COLUMNS_MAX of them.
static size_t varying(const struct space *space, size_t columns[static COLUMNS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < space_count(space) && count < COLUMNS_MAX; i++)
        if (param_cardinality(space_param(space, i)) != 1)
            columns[count++] = i;
    return count;
}

static struct trial_query best_query(const struct sweep_row *row, const struct spec *spec, uint64_t top)
{
    return (struct trial_query){.sweep = row->id,
                                .state = TRIAL_DONE,
                                .by_value = true,
                                .maximize = spec->objectives[0].goal == GOAL_MAXIMIZE,
                                .limit = top};
}

// With several objectives the trials of the front, `top` of them.
static int walk_front(struct store *store, const struct sweep_row *row, const struct spec *spec, uint64_t top,
                      struct best_walk *walk, uint64_t *ret_left, struct err *err)
{
    struct pareto_front front;
    int rc = front_load(store, row, spec, &front, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < front.count && i < top && rc == 0; i++) {
        struct trial_row trial;
        rc = store_find_trial(store, row->id, front.ids[i], &trial, err);
        if (rc == 0)
            rc = each_best(walk, &trial);
        if (rc == 0)
            trial_row_release(&trial);
    }
    *ret_left = front.count > top ? front.count - top : 0;
    pareto_front_release(&front);
    return rc;
}

int report_best_table(FILE *out, struct store *store, const struct sweep_row *row, const struct spec *spec,
                      uint64_t top, struct err *err)
{
    size_t objective_count = spec->objective_count;
    if (objective_count == 0)
        return 0;
    size_t columns[COLUMNS_MAX];
    struct best_walk walk = {.spec = spec, .columns = columns};
    walk.column_count = varying(spec->space, columns);
    const char *titles[COLUMNS_MAX + OBJECTIVES_MAX + 2] = {">trial"};
    char *names[OBJECTIVES_MAX];
    uint64_t left = 0;
    for (size_t i = 0; i < objective_count; i++)
        titles[1 + i] = names[i] = xasprintf(">%s", spec->objectives[i].name);
    for (size_t i = 0; i < walk.column_count; i++)
        titles[1 + objective_count + i] = space_param(spec->space, columns[i])->name;
    walk.table = table_new(titles);
    struct trial_query query = best_query(row, spec, top);
    int rc = objective_count > 1 ? walk_front(store, row, spec, top, &walk, &left, err)
                                 : store_each_trial(store, &query, each_best, &walk, err);
    if (rc == 0 && walk.count > 0)
        table_print(walk.table, out, terminal_width(out));
    if (rc == 0 && left > 0)
        fprintf(out, "and %llu more on the front: trawl best %s\n", (unsigned long long)left, row->key);
    table_free(walk.table);
    for (size_t i = 0; i < objective_count; i++)
        free(names[i]);
    return rc;
}

int report_front_line(FILE *out, struct store *store, const struct sweep_row *row, const struct spec *spec, struct err *err)
{
    struct pareto_front front;
    struct str line = STR_INIT;
    if (spec->objective_count < 2)
        return 0;
    int rc = front_load(store, row, spec, &front, err);
    if (rc != 0)
        return rc;
    front_write_line(&line, spec, &front);
    fprintf(out, "  %s\n", str_get(&line));
    str_release(&line);
    pareto_front_release(&front);
    return 0;
}

int report_best_trial(struct store *store, const struct sweep_row *row, const struct spec *spec,
                      struct trial_row *ret, struct err *err)
{
    if (spec->objective_count == 0)
        return err_set(err, ERR_NOT_FOUND,
                       "sweep %s names no objective; add `metric: {name: ..., goal: minimize}` to its spec", row->key);
    struct best_walk walk = {.spec = spec, .first = ret};
    struct trial_query query = best_query(row, spec, 1);
    int rc = store_each_trial(store, &query, each_best, &walk, err);
    if (rc == 0 && walk.count == 0)
        rc = err_set(err, ERR_NOT_FOUND, "no trial of sweep %s has a value of %s yet; `trawl status %s` tells more",
                     row->key, spec->objectives[0].name, row->key);
    return rc;
}

int report_command(struct str *out, const struct spec *spec, const struct trial_row *trial, struct err *err)
{
    struct config config = {0};
    int rc = parse_config(spec, trial->config, &config, err);
    if (rc != 0)
        return rc;
    struct command_context context = {.program = spec->program,
                                      .space = spec->space,
                                      .config = &config,
                                      .trial = trial->number,
                                      .seed = spec->seed};
    struct command command = {0};
    command_expand((const char *const *)spec->command, spec->command_count, &context, &command);
    command_write_shell(out, &command);
    command_release(&command);
    config_release(&config);
    return 0;
}

void report_line(FILE *out, const struct sweep_row *row)
{
    fprintf(out, "%s %s: %s", row->key, row->name ? row->name : "", sweep_state_word(row->state));
    for (int i = 0; i < TRIAL_STATE_COUNT; i++)
        if (row->trials[i])
            fprintf(out, ", %llu %s", (unsigned long long)row->trials[i], trial_state_word((enum trial_state)i));
    fputc('\n', out);
    if (row->reason && *row->reason)
        fprintf(out, "  %s\n", row->reason);
}

static int each_failure(void *context, const struct attempt_row *row)
{
    struct str *text = context;
    str_clear(text);
    str_addf(text, "%s", row->has_class ? exit_class_word(row->exit_class) : attempt_state_word(row->state));
    if (row->has_class && row->exit_class == EXIT_FAILED)
        str_addf(text, ", exit code %lld", (long long)row->code);
    if (row->message && *row->message)
        str_addf(text, ": %s", row->message);
    return 0;
}

struct failure {
    FILE *out;
    struct store *store;
    struct err *err;
};

static int each_failed_trial(void *context, const struct trial_row *row)
{
    struct failure *failure = context;
    struct str text = STR_INIT;
    int rc = store_each_attempt(failure->store, row->id, each_failure, &text, failure->err);
    if (rc == 0)
        fprintf(failure->out, "trial %llu: %s\n", (unsigned long long)row->number, str_get(&text));
    str_release(&text);
    return rc;
}

int report_failure(FILE *out, struct store *store, const struct sweep_row *row, struct err *err)
{
    struct trial_query query = {.sweep = row->id, .state = TRIAL_FAILED, .limit = 1};
    struct failure failure = {.out = out, .store = store, .err = err};
    return row->trials[TRIAL_FAILED] ? store_each_trial(store, &query, each_failed_trial, &failure, err) : 0;
}

static int each_prior(void *context, const struct prior_row *row)
{
    struct warm *warm = context;
    (void)row;
    warm->priors++;
    return 0;
}

static int each_waiting(void *context, const struct trial_row *row)
{
    struct warm *warm = context;
    warm->waiting += row->enqueued;
    return 0;
}

int report_warm(struct store *store, const struct sweep_row *row, struct warm *ret, struct err *err)
{
    struct trial_query pending = {.sweep = row->id, .state = TRIAL_PENDING};
    *ret = (struct warm){0};
    int rc = store_each_prior(store, row->id, each_prior, ret, err);
    return rc == 0 && row->trials[TRIAL_PENDING] ? store_each_trial(store, &pending, each_waiting, ret, err) : rc;
}

static void write_text(struct str *out, const char *key, const char *text)
{
    str_addf(out, ",\"%s\":", key);
    if (text)
        json_write_string(out, text, strlen(text));
    else
        str_add(out, "null");
}

// Of several objectives: their names and goals, and the front in place of a best.
static int write_objectives(struct str *out, struct store *store, const struct sweep_row *row, const struct spec *spec,
                            struct err *err)
{
    struct pareto_front front;
    if (!spec || spec->objective_count < 2)
        return 0;
    int rc = front_load(store, row, spec, &front, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < spec->objective_count; i++) {
        str_add(out, i ? ",{\"name\":" : ",\"objectives\":[{\"name\":");
        json_write_string(out, spec->objectives[i].name, strlen(spec->objectives[i].name));
        str_addf(out, ",\"goal\":\"%s\"}", spec->objectives[i].goal == GOAL_MAXIMIZE ? "maximize" : "minimize");
    }
    str_add(out, "],\"front\":");
    front_write_json(out, spec, &front, NULL);
    pareto_front_release(&front);
    return 0;
}

int report_json(struct str *out, struct store *store, const struct sweep_row *row, const struct spec *spec,
                struct err *err)
{
    str_addf(out, "{\"sweep\":\"%s\"", row->key);
    write_text(out, "name", row->name);
    str_addf(out, ",\"state\":\"%s\"", sweep_state_word(row->state));
    write_text(out, "reason", row->reason);
    write_text(out, "method", spec ? spec->method : NULL);
    write_text(out, "metric", spec ? spec->objectives[0].name : NULL);
    write_text(out, "goal", !spec ? NULL : spec->objectives[0].goal == GOAL_MAXIMIZE ? "maximize" : "minimize");
    str_addf(out, ",\"created_ms\":%lld,\"ended_ms\":%lld,\"trials\":{", (long long)row->created_ms,
             (long long)row->ended_ms);
    for (int i = 0; i < TRIAL_STATE_COUNT; i++)
        str_addf(out, "%s\"%s\":%llu", i ? "," : "", trial_state_word((enum trial_state)i),
                 (unsigned long long)row->trials[i]);
    struct warm warm;
    int rc = report_warm(store, row, &warm, err);
    if (rc != 0)
        return rc;
    str_addf(out, "},\"priors\":%llu,\"enqueued\":%llu", (unsigned long long)warm.priors, (unsigned long long)warm.waiting);
    rc = write_objectives(out, store, row, spec, err);
    if (rc != 0)
        return rc;
    str_add(out, ",\"best\":");
    struct trial_row best = {0};
    rc = spec && spec->objective_count < 2 ? report_best_trial(store, row, spec, &best, NULL) : ERR_NOT_FOUND;
    if (rc == 0)
        rc = report_trial_json(out, store, row, spec, &best, err);
    else {
        str_add(out, "null");
        rc = 0;
    }
    trial_row_release(&best);
    str_add(out, "}");
    return rc;
}

static void write_values(struct str *out, const struct spec *spec, const struct values *values)
{
    if (!spec || spec->objective_count < 2)
        return;
    for (size_t i = 0; i < spec->objective_count; i++) {
        str_add(out, i ? "," : ",\"values\":{");
        json_write_string(out, spec->objectives[i].name, strlen(spec->objectives[i].name));
        str_addch(out, ':');
        if (values->has[i])
            json_write_double(out, values->at[i]);
        else
            str_add(out, "null");
    }
    str_addch(out, '}');
}

int report_trial_json(struct str *out, struct store *store, const struct sweep_row *sweep,
                      const struct spec *spec, const struct trial_row *trial, struct err *err)
{
    str_addf(out, "{\"sweep\":\"%s\",\"trial\":%llu,\"state\":\"%s\",\"value\":", sweep->key,
             (unsigned long long)trial->number, trial_state_word(trial->state));
    if (trial->values.has[0])
        json_write_double(out, trial->values.at[0]);
    else
        str_add(out, "null");
    write_values(out, spec, &trial->values);
    str_addf(out, ",\"config\":%s,\"attempts\":%u,\"created_ms\":%lld,\"started_ms\":%lld,\"ended_ms\":%lld",
             trial->config, trial->attempt_count, (long long)trial->created_ms,
             (long long)trial->started_ms, (long long)trial->ended_ms);
    str_addf(out, ",\"enqueued\":%s,\"parent\":", trial->enqueued ? "true" : "false");
    if (trial->parent)
        str_addf(out, "%llu", (unsigned long long)trial->parent);
    else
        str_add(out, "null");
    struct json_object *summary = NULL;
    int rc = trial->attempt ? store_summary(store, trial->attempt, &summary, err) : 0;
    if (rc == 0) {
        str_add(out, ",\"summary\":");
        json_write(out, summary);
        str_add(out, "}");
    }
    json_object_put(summary);
    return rc;
}
