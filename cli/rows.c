// JSON lines and CSV to drafts of configurations, with their results.

#include "cli/rows.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    const char *path;
    const struct spec *spec;
    struct str *unknown;
    int (*each)(void *, struct given_row *);
    void *context;
};

size_t rows_objective_count(const struct spec *spec)
{
    return spec->objective_count > 1 ? spec->objective_count : 1;
}

const char *rows_objective_name(const struct spec *spec, size_t index)
{
    return index < spec->objective_count ? spec->objectives[index].name : "value";
}

bool rows_number(const struct json_object *json, double *ret)
{
    if (json_object_is_type(json, json_type_double) || json_object_is_type(json, json_type_int)) {
        *ret = json_object_get_double(json);
        return true;
    }
    const char *text = json_object_is_type(json, json_type_string) ? json_object_get_string((struct json_object *)json) : "";
    bool named = strcmp(text, "NaN") == 0 || strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0;
    return named && num_parse_double(text, ret);
}

static void note_name(struct str *names, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = str_get(names); (at = strstr(at, name)); at += len) {
        bool starts = at == names->s || (at - names->s >= 2 && at[-1] == ' ' && at[-2] == ',');
        if (starts && (at[len] == '\0' || at[len] == ','))
            return;
    }
    str_addf(names, "%s%s", names->len ? ", " : "", name);
}

void rows_note_names(struct str *names, const char *list)
{
    while (*list) {
        size_t len = strcspn(list, ",");
        char *name = xstrndup(list, len);
        note_name(names, name);
        free(name);
        list += len;
        list += strspn(list, ", ");
    }
}

static int give(const struct walk *walk, struct given_row *row, int line)
{
    char *source = xasprintf("%s:%d", walk->path, line);
    row->source = source;
    int rc = walk->each(walk->context, row);
    free(source);
    return rc;
}

// ---- JSON lines

size_t rows_values(const struct spec *spec, const struct json_object *json, double ret[static OBJECTIVES_MAX])
{
    struct json_object *list = NULL, *item;
    size_t count = rows_objective_count(spec), found = 0;
    json_object_object_get_ex(json, "values", &list);
    for (; found < count; found++) {
        const char *name = rows_objective_name(spec, found);
        bool there = json_object_is_type(list, json_type_array)    ? (item = json_object_array_get_idx(list, found)) != NULL
                     : json_object_is_type(list, json_type_object) ? json_object_object_get_ex(list, name, &item)
                     : count == 1 && json_object_object_get_ex(json, "value", &item) ? true
                                                                                      : json_object_object_get_ex(json, name, &item);
        if (!there || !rows_number(item, &ret[found]))
            break;
    }
    return found == count ? count : 0;
}

static int json_row(const struct walk *walk, const char *text, size_t len, int line, struct err *err)
{
    struct json_object *json = NULL, *config = NULL;
    struct config_draft draft;
    struct str unknown = STR_INIT;
    struct given_row row = {.draft = &draft};
    struct err why = {0};
    int rc = json_parse(text, len, &json, &why);
    if (rc == 0 && !json_object_is_type(json, json_type_object))
        rc = err_set(&why, ERR_INVALID, "a line is a JSON object, like {\"config\":{\"lr\":0.1},\"value\":0.3}");
    if (rc != 0) {
        json_object_put(json);
        return err_set(err, rc, "%s:%d: %s", walk->path, line, why.text);
    }
    bool wrapped = json_object_object_get_ex(json, "config", &config) && json_object_is_type(config, json_type_object) &&
                   space_find(walk->spec->space, "config") < 0;
    config_draft_init(&draft, walk->spec->space);
    row.problem = config_draft_read(&draft, wrapped ? config : json, walk->unknown ? &unknown : NULL, &row.why);
    if (wrapped) {
        json_get_string(json, "state", &row.state);
        row.value_count = rows_values(walk->spec, json, row.values);
    }
    if (walk->unknown)
        rows_note_names(walk->unknown, str_get(&unknown));
    rc = give(walk, &row, line);
    config_draft_release(&draft);
    str_release(&unknown);
    json_object_put(json);
    return rc;
}

static int json_rows(const struct walk *walk, const struct str *text, struct err *err)
{
    int line = 0, rc = 0;
    for (size_t at = 0; at < text->len && rc == 0;) {
        size_t len = strcspn(text->s + at, "\n");
        line++;
        if (strspn(text->s + at, " \t\r") < len)
            rc = json_row(walk, text->s + at, len, line, err);
        at += len + 1;
    }
    return rc;
}

// ---- CSV

enum column_kind { COLUMN_NOTHING, COLUMN_STATE, COLUMN_VALUE, COLUMN_PARAMETER, COLUMN_UNKNOWN };

struct column {
    enum column_kind kind;
    size_t index; // of the objective or parameter
};

static bool is_seen(char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(names[i], name))
            return true;
    return false;
}

// An export has its own columns first, so a second one of such a name is a parameter.
static struct column column_of(const struct walk *walk, const struct csv *csv, size_t place)
{
    static const char *const silent[] = {"sweep", "trial", "attempts", "created_ms", "started_ms", "ended_ms"};
    const char *name = csv->cells[place];
    int param = space_find(walk->spec->space, name);
    bool again = is_seen(csv->cells, place, name), later = is_seen(csv->cells + place + 1, csv->count - place - 1, name);
    size_t objectives = rows_objective_count(walk->spec);
    if (param >= 0 && (again || (!later && !str_equal(name, "state") && !str_equal(name, "value"))))
        return (struct column){COLUMN_PARAMETER, (size_t)param};
    if (str_equal(name, "state"))
        return (struct column){COLUMN_STATE, 0};
    for (size_t i = 0; i < objectives; i++)
        if (str_equal(name, rows_objective_name(walk->spec, i)))
            return (struct column){COLUMN_VALUE, i};
    if (str_equal(name, "value"))
        return (struct column){COLUMN_VALUE, 0}; // of several, the first
    for (size_t i = 0; i < ARRAY_LEN(silent); i++)
        if (str_equal(name, silent[i]))
            return (struct column){COLUMN_NOTHING, 0};
    return (struct column){COLUMN_UNKNOWN, 0};
}

static struct column *read_header(const struct walk *walk, const struct csv *csv)
{
    struct column *columns = xcalloc(csv->count, sizeof *columns);
    for (size_t i = 0; i < csv->count; i++) {
        columns[i] = column_of(walk, csv, i);
        if (columns[i].kind == COLUMN_UNKNOWN && walk->unknown)
            note_name(walk->unknown, csv->cells[i]);
    }
    return columns;
}

// An empty cell gives nothing, unless the empty text is one of the parameter's values.
static bool is_given(const struct space *space, size_t param, const char *cell)
{
    return *cell || param_contains(space_param(space, param), &(struct value){.kind = VALUE_STRING, .text = (char *)cell});
}

static int csv_row(const struct walk *walk, const struct csv *csv, const struct column *columns, char *const *names)
{
    struct config_draft draft;
    struct given_row row = {.draft = &draft};
    bool has[OBJECTIVES_MAX] = {false};
    config_draft_init(&draft, walk->spec->space);
    for (size_t i = 0; i < csv->count; i++) {
        const char *cell = csv->cells[i];
        if (columns[i].kind == COLUMN_STATE && *cell)
            row.state = cell;
        else if (columns[i].kind == COLUMN_VALUE && *cell && !num_parse_double(cell, &row.values[columns[i].index]))
            row.problem = err_set(&row.why, ERR_INVALID, "the %s '%s' is not a number", names[i], cell);
        else if (columns[i].kind == COLUMN_VALUE && *cell)
            has[columns[i].index] = true;
        else if (columns[i].kind == COLUMN_PARAMETER && row.problem == 0 && is_given(walk->spec->space, columns[i].index, cell))
            row.problem = config_draft_put_text(&draft, columns[i].index, cell, &row.why);
        else if (columns[i].kind == COLUMN_UNKNOWN && !walk->unknown && *cell && row.problem == 0)
            row.problem = err_set(&row.why, ERR_INVALID, "'%s' is not a parameter of this sweep", names[i]);
    }
    row.value_count = rows_objective_count(walk->spec);
    for (size_t i = 0; i < row.value_count; i++)
        if (!has[i])
            row.value_count = 0;
    int rc = give(walk, &row, csv->line);
    config_draft_release(&draft);
    return rc;
}

static int csv_rows(const struct walk *walk, struct str *text, struct err *err)
{
    struct csv csv;
    struct err why = {0};
    struct column *columns = NULL;
    csv_init(&csv, text->s, text->len);
    int rc = csv_next(&csv, &why);
    size_t count = csv.count;
    char **names = xcalloc(count, sizeof *names);
    for (size_t i = 0; i < count && rc > 0; i++)
        names[i] = csv.cells[i];
    if (rc > 0)
        columns = read_header(walk, &csv);
    while (rc > 0 && (rc = csv_next(&csv, &why)) > 0) {
        if (csv.count != count)
            rc = err_set(&why, ERR_INVALID, "line %d: %zu cells, and the header has %zu", csv.line, csv.count, count);
        else if ((rc = csv_row(walk, &csv, columns, names)) == 0)
            rc = 1;
        else
            break;
    }
    if (why.text[0])
        err_set(err, rc, "%s: %s", walk->path, why.text);
    free(columns);
    free(names);
    csv_release(&csv);
    return rc;
}

static int read_text(const char *path, struct str *text, struct err *err)
{
    if (strcmp(path, "-") != 0)
        return file_read(path, ROWS_BYTES_MAX, text, err);
    char buffer[65536];
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, stdin)) > 0 && text->len <= ROWS_BYTES_MAX)
        str_addn(text, buffer, n);
    return text->len > ROWS_BYTES_MAX ? err_set(err, ERR_LIMIT, "standard input is larger than %u bytes", ROWS_BYTES_MAX) : 0;
}

int rows_each(const char *path, const struct spec *spec, struct str *ret_unknown, int (*each)(void *, struct given_row *), void *context,
              struct err *err)
{
    const struct walk walk = {strcmp(path, "-") == 0 ? "standard input" : path, spec, ret_unknown, each, context};
    struct str text = STR_INIT;
    int rc = read_text(path, &text, err);
    if (rc == 0 && text.len > 0) {
        bool json = str_get(&text)[strspn(str_get(&text), " \t\r\n")] == '{';
        rc = json ? json_rows(&walk, &text, err) : csv_rows(&walk, &text, err);
    }
    str_release(&text);
    return rc < 0 ? rc : 0;
}
