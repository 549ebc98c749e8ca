// The view sweep_<key>: one row a trial, one column a parameter and one for the last value of each
// metric.
//
// It is made when the first trial of a sweep is stored and again when a configuration or a run
// brings a name that it lacks, in the transaction that brings it. Most configurations have the keys
// of the one before: a hash of their key set says so without parsing them.

#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "controller/store/store_impl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// ---- Configurations

// The keys and the nesting of a JSON text, without its values.
static uint64_t shape_hash(const char *json)
{
    uint64_t hash = 0xcbf29ce484222325u;
    unsigned arrays = 0;
    for (const char *p = json; *p; p++) {
        if (*p == '[' || *p == ']') {
            arrays += *p == '[' ? 1 : 0u - 1u;
        } else if (*p == '"') {
            const char *start = p++;
            while (*p && *p != '"')
                p += *p == '\\' && p[1] ? 2 : 1;
            if (!*p)
                break;
            if (p[1] == ':' && arrays == 0)
                hash = hash64(start, (size_t)(p - start), hash);
        } else if ((*p == '{' || *p == '}') && arrays == 0) {
            hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
        }
    }
    return hash;
}

static int put_parameter(struct store *store, struct sweep_info *info, struct json_object *path,
                         struct err *err)
{
    struct query query;
    struct str text = STR_INIT;
    int rc = query_open(store, STATEMENT_PARAMETER_PUT, &query, err);
    if (rc != 0)
        return rc;
    json_write(&text, path);
    put_u64(&query, info->id);
    put_text(&query, str_get(&text));
    rc = query_run(&query, err);
    if (rc == 0 && sqlite3_changes(store->db) > 0)
        info->wide_stale = true;
    str_release(&text);
    return rc;
}

// Every leaf below `value`; `path` is how it is reached. An empty object is a leaf.
static int put_leaves(struct store *store, struct sweep_info *info, struct json_object *value,
                      struct json_object *path, struct err *err)
{
    if (!json_object_is_type(value, json_type_object) || json_object_object_length(value) == 0)
        return put_parameter(store, info, path, err);
    size_t depth = json_object_array_length(path);
    int rc = 0;
    json_object_object_foreach(value, key, member)
    {
        json_object_array_add(path, json_object_new_string(key));
        rc = put_leaves(store, info, member, path, err);
        json_object_array_del_idx(path, depth, 1);
        if (rc != 0)
            break;
    }
    return rc;
}

int wide_note_config(struct store *store, uint64_t sweep, const char *config, struct err *err)
{
    struct sweep_info *info;
    int rc = store_sweep_info(store, sweep, &info, err);
    if (rc != 0 || !config)
        return rc;
    uint64_t shape = shape_hash(config);
    for (size_t i = info->shape_count; i-- > 0;)
        if (info->shapes[i] == shape)
            return 0;
    struct json_object *json = NULL;
    struct json_object *path = NULL;
    if (info->shape_count == 0)
        info->wide_stale = true;
    if (json_parse(config, strlen(config), &json, NULL) == 0 &&
        json_object_is_type(json, json_type_object) && json_object_object_length(json) > 0) {
        path = json_object_new_array();
        rc = put_leaves(store, info, json, path, err);
    }
    json_object_put(path);
    json_object_put(json);
    if (rc != 0)
        return rc;
    if (info->shape_count == SHAPES_MAX)
        info->shape_count = 0;
    ARRAY_GROW(info->shapes, info->shape_count, info->shape_capacity);
    info->shapes[info->shape_count++] = shape;
    return 0;
}

// ---- Metrics

void wide_note_attempt(struct store *store, uint64_t attempt, uint64_t sweep)
{
    store->owners[attempt % OWNER_SLOTS] = (struct owner){.attempt = attempt, .sweep = sweep};
}

static int sweep_of(struct store *store, uint64_t attempt, uint64_t *ret, struct err *err)
{
    struct owner *owner = &store->owners[attempt % OWNER_SLOTS];
    if (owner->attempt != attempt) {
        struct query query;
        int rc = query_open(store, STATEMENT_ATTEMPT_SWEEP, &query, err);
        if (rc != 0)
            return rc;
        put_u64(&query, attempt);
        rc = query_step(&query, err);
        if (rc > 0)
            *owner = (struct owner){.attempt = attempt, .sweep = get_u64(&query)};
        query_close(&query);
        if (rc == 0)
            return err_set(err, ERR_STATE,
                           "a metric names attempt %llu, which the database does not have",
                           (unsigned long long)attempt);
        if (rc < 0)
            return rc;
    }
    *ret = owner->sweep;
    return 0;
}

static bool has_metric(const struct sweep_info *info, uint32_t name)
{
    return name / 8 < info->metrics_bytes && (info->metrics[name / 8] >> (name % 8) & 1);
}

static void add_metric(struct sweep_info *info, uint32_t name)
{
    if (name / 8 >= info->metrics_bytes) {
        size_t bytes = name / 8 + 64;
        info->metrics = xreallocarray(info->metrics, bytes, 1);
        memset(info->metrics + info->metrics_bytes, 0, bytes - info->metrics_bytes);
        info->metrics_bytes = bytes;
    }
    info->metrics[name / 8] = (uint8_t)(info->metrics[name / 8] | 1u << (name % 8));
}

static int load_metrics(struct store *store, struct sweep_info *info, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_SWEEP_METRIC_EACH, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, info->id);
    while ((rc = query_step(&query, err)) > 0)
        add_metric(info, get_u32(&query));
    query_close(&query);
    info->metrics_known = rc == 0;
    return rc;
}

int wide_note_metric(struct store *store, uint64_t attempt, uint32_t name, struct err *err)
{
    uint64_t sweep = 0;
    struct sweep_info *info = NULL;
    int rc = sweep_of(store, attempt, &sweep, err);
    if (rc == 0)
        rc = store_sweep_info(store, sweep, &info, err);
    if (rc == 0 && !info->metrics_known)
        rc = load_metrics(store, info, err);
    if (rc != 0 || has_metric(info, name))
        return rc;
    struct query query;
    rc = query_open(store, STATEMENT_SWEEP_METRIC_PUT, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, sweep);
    put_u64(&query, name);
    rc = query_run(&query, err);
    if (rc == 0) {
        add_metric(info, name);
        info->wide_stale = true;
    }
    return rc;
}

// ---- The view

struct column { // names taken; SQLite's columns differ in more than case
    char *name; // lower case
    UT_hash_handle hh;
};

struct view {
    struct store *store;
    struct sweep_info *info;
    struct str sql;
    struct column *columns;
};

static void add_quoted(struct str *out, const char *s, char quote)
{
    str_addch(out, quote);
    for (; *s; s++) {
        if (*s == quote)
            str_addch(out, quote);
        str_addch(out, *s);
    }
    str_addch(out, quote);
}

static bool take_name(struct view *view, const char *name)
{
    struct column *column = NULL;
    char *lower = xstrdup(name);
    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    HASH_FIND_STR(view->columns, lower, column);
    if (column) {
        free(lower);
        return false;
    }
    column = xcalloc(1, sizeof *column);
    column->name = lower;
    HASH_ADD_KEYPTR(hh, view->columns, column->name, strlen(column->name), column);
    return true;
}

// " AS <name>", made different from every other column: "lr", "config.lr", "config.lr 2".
static void add_name(struct view *view, const char *kind, const char *name)
{
    char *unique = xstrdup(name);
    for (unsigned n = 1; !take_name(view, unique); n++) {
        free(unique);
        unique = n == 1 ? xasprintf("%s.%s", kind, name) : xasprintf("%s.%s %u", kind, name, n);
    }
    str_add(&view->sql, " AS ");
    add_quoted(&view->sql, unique, '"');
    free(unique);
}

// Names that a JSON path of SQLite 3.37 says without escapes, which it does not have.
static bool is_plain(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_-. +", *p))
            return false;
    return *name != '\0';
}

static void add_path(struct view *view, struct json_object *path)
{
    size_t depth = json_object_array_length(path);
    bool plain = true;
    for (size_t i = 0; i < depth; i++)
        plain = plain && is_plain(json_object_get_string(json_object_array_get_idx(path, i)));
    str_add(&view->sql, ",\n CASE WHEN json_valid(t.config) THEN ");
    if (plain) {
        str_add(&view->sql, "json_extract(t.config, '$");
        for (size_t i = 0; i < depth; i++)
            str_addf(&view->sql, ".\"%s\"",
                     json_object_get_string(json_object_array_get_idx(path, i)));
        str_add(&view->sql, "')");
    } else {
        str_addf(&view->sql, "(SELECT j%zu.value FROM json_each(t.config) AS j0", depth - 1);
        for (size_t i = 1; i < depth; i++)
            str_addf(
                &view->sql,
                " CROSS JOIN json_each(CASE j%zu.type WHEN 'object' THEN j%zu.value ELSE '{}' END)"
                " AS j%zu",
                i - 1, i - 1, i);
        for (size_t i = 0; i < depth; i++) {
            str_addf(&view->sql, " %s j%zu.key = ", i ? "AND" : "WHERE", i);
            add_quoted(&view->sql, json_object_get_string(json_object_array_get_idx(path, i)),
                       '\'');
        }
        str_add(&view->sql, ")");
    }
    str_add(&view->sql, " END");
}

static int add_parameters(struct view *view, struct err *err)
{
    struct query query;
    int rc = query_open(view->store, STATEMENT_PARAMETER_EACH, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, view->info->id);
    for (int i = 0; i < WIDE_PARAMETERS_MAX && (rc = query_step(&query, err)) > 0; i++) {
        const char *text = get_text(&query);
        struct json_object *path = NULL;
        struct str name = STR_INIT;
        if (json_parse(text, strlen(text), &path, NULL) == 0 &&
            json_object_is_type(path, json_type_array) && json_object_array_length(path) > 0) {
            add_path(view, path);
            for (size_t k = 0; k < json_object_array_length(path); k++)
                str_addf(&name, "%s%s", k ? "." : "",
                         json_object_get_string(json_object_array_get_idx(path, k)));
            add_name(view, "config", str_get(&name));
        }
        str_release(&name);
        json_object_put(path);
    }
    query_close(&query);
    return rc < 0 ? rc : 0;
}

static int add_metrics(struct view *view, struct err *err)
{
    struct query query;
    int rc = query_open(view->store, STATEMENT_SWEEP_METRIC_EACH, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, view->info->id);
    for (int i = 0; i < WIDE_METRICS_MAX && (rc = query_step(&query, err)) > 0; i++) {
        uint32_t id = get_u32(&query);
        str_addf(
            &view->sql,
            ",\n coalesce((SELECT s.value FROM summary AS s WHERE s.attempt = t.attempt AND "
            "s.name = %u), (SELECT p.value FROM metric_point AS p WHERE p.attempt = t.attempt AND "
            "p.name = %u ORDER BY p.sequence DESC LIMIT 1))",
            id, id);
        add_name(view, "metric", get_text(&query));
    }
    query_close(&query);
    return rc < 0 ? rc : 0;
}

static void add_head(struct view *view)
{
    static const struct {
        const char *expression, *name;
    } FIXED[] = {
        {"t.number", "number"},
        {"t.state", "state"},
        {"t.value", "value"},
        {"(t.ended_ms - t.started_ms) / 1000.0", "duration"},
        {"t.attempt_count", "attempts"},
    };
    str_addf(&view->sql, "DROP VIEW IF EXISTS \"sweep_%s\";\nCREATE VIEW \"sweep_%s\" AS SELECT",
             view->info->key, view->info->key);
    for (size_t i = 0; i < ARRAY_LEN(FIXED); i++) {
        str_addf(&view->sql, "%s %s", i ? "," : "", FIXED[i].expression);
        add_name(view, "trial", FIXED[i].name);
    }
}

static void view_release(struct view *view)
{
    struct column *column, *next;
    HASH_ITER(hh, view->columns, column, next)
    {
        HASH_DEL(view->columns, column);
        free(column->name);
        free(column);
    }
    str_release(&view->sql);
}

// Only the newest sweeps have one.
static int drop_oldest(struct store *store, struct err *err)
{
    struct query query;
    struct str sql = STR_INIT;
    int rc = query_open(store, STATEMENT_WIDE_OLDEST, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, WIDE_VIEWS_MAX);
    rc = query_step(&query, err);
    if (rc > 0) {
        str_add(&sql, "DROP VIEW ");
        add_quoted(&sql, get_text(&query), '"');
    }
    query_close(&query);
    if (rc > 0)
        rc = store_exec(store, str_get(&sql), err);
    str_release(&sql);
    return rc;
}

static int make_view(struct store *store, struct sweep_info *info, struct err *err)
{
    struct view view = {.store = store, .info = info};
    str_init(&view.sql);
    add_head(&view);
    int rc = add_parameters(&view, err);
    if (rc == 0)
        rc = add_metrics(&view, err);
    str_addf(&view.sql, "\nFROM trial AS t WHERE t.sweep = %llu", (unsigned long long)info->id);
    if (rc == 0)
        rc = store_exec(store, str_get(&view.sql), err);
    view_release(&view);
    return rc == 0 ? drop_oldest(store, err) : rc;
}

int wide_flush(struct store *store, struct err *err)
{
    for (struct sweep_info *info = store->sweeps; info; info = info->hh.next) {
        if (!info->wide_stale)
            continue;
        int rc = make_view(store, info, err);
        if (rc != 0)
            return rc;
        info->wide_stale = false;
    }
    return 0;
}
