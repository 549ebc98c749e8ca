// trawl export: trials or metric points as CSV (RFC 4180) or JSON lines.

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/fronts.h"
#include "cli/report.h"

#include "base/json.h"
#include "base/num.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct export {
    struct store *store;
    const struct sweep_row *sweep;
    const struct spec *spec;
    FILE *out;
    bool json;
    const struct pareto_front *front; // only these trials; NULL: all
    struct str row;
    struct err *err;
};

static void csv_cell(struct str *row, const char *text)
{
    if (row->len)
        str_addch(row, ',');
    if (!strpbrk(text, ",\"\r\n")) {
        str_add(row, text);
        return;
    }
    str_addch(row, '"');
    for (; *text; text++) {
        if (*text == '"')
            str_addch(row, '"');
        str_addch(row, *text);
    }
    str_addch(row, '"');
}

static void csv_u64(struct str *row, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    csv_cell(row, text);
}

static void csv_double(struct str *row, double value)
{
    char text[NUM_TEXT_MAX];
    num_format_double(value, text);
    csv_cell(row, text);
}

static int write_row(struct export *export)
{
    str_addch(&export->row, '\n');
    bool ok = fwrite(export->row.s, 1, export->row.len, export->out) == export->row.len;
    str_clear(&export->row);
    return ok ? 0 : err_set_errno(export->err, "cannot write the export");
}

static void trial_header(struct export *export)
{
    static const char *const first[] = {"trial", "state", "value"}, *const then[] = {"attempts", "created_ms", "started_ms", "ended_ms"};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        csv_cell(&export->row, first[i]);
    for (size_t i = 1; i < export->spec->objective_count; i++)
        csv_cell(&export->row, export->spec->objectives[i].name);
    for (size_t i = 0; i < sizeof then / sizeof then[0]; i++)
        csv_cell(&export->row, then[i]);
    for (size_t i = 0; i < space_count(export->spec->space); i++)
        csv_cell(&export->row, space_param(export->spec->space, i)->name);
}

static bool is_wanted(const struct export *export, const struct trial_row *trial)
{
    for (size_t i = 0; export->front && i < export->front->count; i++)
        if (export->front->ids[i] == trial->number)
            return true;
    return !export->front;
}

static int trial_csv(void *context, const struct trial_row *trial)
{
    struct export *export = context;
    struct str *row = &export->row;
    struct json_object *json = NULL;
    struct config config = {0};
    if (!is_wanted(export, trial))
        return 0;
    csv_u64(row, trial->number);
    csv_cell(row, trial_state_word(trial->state));
    for (size_t i = 0; i == 0 || i < export->spec->objective_count; i++) {
        if (trial->values.has[i])
            csv_double(row, trial->values.at[i]);
        else
            str_addch(row, ',');
    }
    csv_u64(row, trial->attempt_count);
    csv_u64(row, (uint64_t)trial->created_ms);
    csv_u64(row, (uint64_t)trial->started_ms);
    csv_u64(row, (uint64_t)trial->ended_ms);
    bool known = json_parse(trial->config, strlen(trial->config), &json, NULL) == 0 &&
                 config_from_json(export->spec->space, json, &config, NULL) == 0;
    for (size_t i = 0; i < space_count(export->spec->space); i++) {
        struct str cell = STR_INIT;
        if (known && config.active[i] && config.values[i].kind == VALUE_STRING)
            str_add(&cell, config.values[i].text);
        else if (known && config.active[i])
            value_write_json(&cell, &config.values[i]);
        csv_cell(row, str_get(&cell));
        str_release(&cell);
    }
    config_release(&config);
    json_object_put(json);
    return write_row(export);
}

static int trial_json(void *context, const struct trial_row *trial)
{
    struct export *export = context;
    if (!is_wanted(export, trial))
        return 0;
    int rc = report_trial_json(&export->row, export->store, export->sweep, export->spec, trial, export->err);
    return rc == 0 ? write_row(export) : rc;
}

static int point_csv(void *context, const struct point_row *point)
{
    struct export *export = context;
    csv_u64(&export->row, point->trial_number);
    csv_cell(&export->row, point->name);
    char step[32];
    snprintf(step, sizeof step, "%lld", (long long)point->step);
    csv_cell(&export->row, step);
    if (point->time > 0)
        csv_double(&export->row, point->time);
    else
        str_addch(&export->row, ',');
    csv_double(&export->row, point->value);
    return write_row(export);
}

static int point_json(void *context, const struct point_row *point)
{
    struct export *export = context;
    str_addf(&export->row, "{\"trial\":%llu,\"metric\":", (unsigned long long)point->trial_number);
    json_write_string(&export->row, point->name, strlen(point->name));
    str_addf(&export->row, ",\"step\":%lld,\"time\":", (long long)point->step);
    if (point->time > 0)
        json_write_double(&export->row, point->time);
    else
        str_add(&export->row, "null");
    str_add(&export->row, ",\"value\":");
    json_write_double(&export->row, point->value);
    str_addch(&export->row, '}');
    return write_row(export);
}

static int export_points(struct export *export)
{
    int rc = 0;
    if (!export->json) {
        str_add(&export->row, "trial,metric,step,time,value");
        rc = write_row(export);
    }
    return rc == 0 ? store_each_point(export->store, export->sweep->id, 0, NULL, export->json ? point_json : point_csv,
                                      export, export->err)
                   : rc;
}

static int export_trials(struct export *export, bool front_only)
{
    struct pareto_front front = {0};
    struct trial_query query = {.sweep = export->sweep->id, .state = -1};
    int rc = 0;
    if (front_only) {
        if (export->spec->objective_count == 0)
            return err_set(export->err, ERR_NOT_FOUND, "sweep %s names no objective, so it has no front", export->sweep->key);
        rc = front_load(export->store, export->sweep, export->spec, &front, export->err);
        export->front = &front;
        query.state = TRIAL_DONE;
    }
    if (rc == 0 && !export->json) {
        trial_header(export);
        rc = write_row(export);
    }
    if (rc == 0)
        rc = store_each_trial(export->store, &query, export->json ? trial_json : trial_csv, export, export->err);
    if (front_only)
        pareto_front_release(&front);
    export->front = NULL;
    return rc;
}

int command_export(const struct command_line *line)
{
    struct err err = {0};
    struct store *store = NULL;
    struct sweep_row sweep = {0};
    struct spec *spec = NULL;
    const char *format = line_text(line, "format"), *path = line_text(line, "output");
    struct export export = {.out = stdout, .err = &err};
    export.json = format ? strcmp(format, "jsonl") == 0 : line_has(line, "json");
    int rc = context_reader(line, &store, &err);
    if (rc == 0)
        rc = store_find_sweep(store, line_positional(line, 0), &sweep, &err);
    if (rc == 0 && !(spec = report_spec(&sweep)))
        rc = err_set(&err, ERR_INVALID, "the spec of sweep %s cannot be read by this version", sweep.key);
    if (rc == 0 && path && !(export.out = fopen(path, "we")))
        rc = err_set_errno(&err, "cannot write %s", path);
    export.store = store;
    export.sweep = &sweep;
    export.spec = spec;
    if (rc == 0)
        rc = line_has(line, "metrics") ? export_points(&export) : export_trials(&export, line_has(line, "front"));
    if (export.out && fflush(export.out) != 0 && rc == 0)
        rc = err_set_errno(&err, "cannot write the export");
    if (export.out && export.out != stdout)
        fclose(export.out);
    str_release(&export.row);
    spec_free(spec);
    sweep_row_release(&sweep);
    store_close(store);
    return rc == 0 ? 0 : context_fail(line, &err);
}
