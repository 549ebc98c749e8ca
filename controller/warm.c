// A warm start at the controller: requests to JSON rows and back, and the strategies that hear of them.

#include "base/json.h"
#include "base/mem.h"
#include "controller/controller_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ENQUEUE_MAX 1000 // configurations of one request: each is drawn, stored and told in one turn

// ---- Priors

static int read_values(const struct json_object *json, struct prior_row *row, struct err *err)
{
    struct json_object *values = NULL;
    if (!json_object_object_get_ex(json, "values", &values) || !values)
        return 0;
    size_t count = json_object_is_type(values, json_type_array) ? json_object_array_length(values) : OBJECTIVES_MAX + 1;
    if (count > OBJECTIVES_MAX)
        return err_set(err, ERR_INVALID, "%s: values is a list of at most %d numbers", row->source, OBJECTIVES_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct json_object *item = json_object_array_get_idx(values, i);
        if (!json_object_is_type(item, json_type_double) && !json_object_is_type(item, json_type_int))
            return err_set(err, ERR_INVALID, "%s: value %zu is not a number", row->source, i + 1);
        row->values[row->value_count++] = json_object_get_double((struct json_object *)item);
    }
    return 0;
}

// One row; its configuration must be one of the space, exactly. Strings are borrowed, but for *row->config.
static int read_prior(const struct spec *spec, const struct json_object *json, struct prior_row *row, struct err *err)
{
    const char *source = "", *state = "done";
    struct json_object *given = NULL;
    struct config config = {0};
    struct err why = {0};
    if (!json_object_is_type(json, json_type_object))
        return err_set(err, ERR_INVALID, "a prior trial is an object {config, state, values, source}");
    json_get_string(json, "source", &source);
    json_get_string(json, "state", &state);
    row->source = (char *)source;
    if (!trial_state_parse(state, &row->state))
        return err_set(err, ERR_INVALID, "%s: there is no state '%s'", source, state);
    int rc = read_values(json, row, err);
    if (rc != 0)
        return rc;
    json_object_object_get_ex(json, "config", &given);
    rc = config_from_json(spec->space, given, &config, &why);
    if (rc != 0)
        return err_set(err, rc, "%s: %s", source, why.text);
    struct str text = STR_INIT;
    config_write_json(&text, spec->space, &config);
    row->config = str_detach(&text);
    config_release(&config);
    return 0;
}

static void write_state(const struct controller *controller, uint64_t sweep, struct str *reply)
{
    const struct sweep_row *row = core_sweep(controller->core, sweep);
    str_addf(reply, "{\"sweep\":\"%s\",\"state\":\"%s\"", row->key, sweep_state_word(row->state));
}

static int tell_all(struct controller *controller, struct prior_row *rows, size_t count, uint64_t sweep, uint64_t first, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rows[i].sweep = sweep;
        rows[i].number = first + i;
        rc = controller_tell_prior(controller, &rows[i], err);
    }
    return rc;
}

int controller_op_prior(struct controller *controller, uint64_t sweep, const struct json_object *body, struct str *reply, struct err *err)
{
    struct json_object *list = NULL;
    const struct spec *spec = core_sweep_spec(controller->core, sweep);
    int64_t offset = 0;
    json_get_i64(body, "offset", &offset);
    if (!spec)
        return err_set(err, ERR_NOT_FOUND, "the sweep's spec cannot be read by this version");
    if (!suggester_learns(controller->suggester, sweep))
        return err_set(err, ERR_INVALID, "method %s does not learn from results: prior trials would change nothing", spec->method);
    if (!json_object_object_get_ex(body, "trials", &list) || !json_object_is_type(list, json_type_array) || offset < 0)
        return err_set(err, ERR_INVALID, "prior needs a list of trials, and an offset that is not negative");
    size_t count = json_object_array_length(list), added = 0;
    struct prior_row *rows = xcalloc(count, sizeof *rows);
    uint64_t first = 0;
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = read_prior(spec, json_object_array_get_idx(list, i), &rows[i], err);
    if (rc == 0)
        rc = core_prior(controller->core, controller_now(), sweep, (uint64_t)offset, rows, count, &first, &added, err);
    if (rc == 0)
        rc = tell_all(controller, rows + (count - added), added, sweep, first, err);
    for (size_t i = 0; i < count; i++)
        free(rows[i].config);
    free(rows);
    if (rc != 0)
        return rc;
    write_state(controller, sweep, reply);
    str_addf(reply, ",\"priors\":%llu,\"added\":%zu}", (unsigned long long)core_priors(controller->core, sweep), added);
    return 0;
}

// ---- Configurations of people

static int read_drafts(const struct json_object *list, struct config_draft *drafts, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < json_object_array_length(list) && rc == 0; i++) {
        struct err why = {0};
        rc = config_draft_read(&drafts[i], json_object_array_get_idx(list, i), NULL, &why);
        if (rc != 0)
            err_set(err, rc, "configuration %zu: %s", i + 1, why.text);
    }
    return rc;
}

// The strategy hears of them as of its own, and later of their results.
static void restore_enqueued(struct controller *controller, uint64_t sweep, struct enqueued *items, size_t count, struct str *reply)
{
    write_state(controller, sweep, reply);
    str_add(reply, ",\"trials\":[");
    for (size_t i = 0; i < count; i++) {
        if (suggester_learns(controller->suggester, sweep))
            suggester_restore(controller->suggester, sweep, items[i].point, &items[i].config);
        str_addf(reply, "%s%llu", i ? "," : "", (unsigned long long)items[i].number);
        config_release(&items[i].config);
    }
    str_add(reply, "]}");
    free(items);
}

int controller_op_enqueue(struct controller *controller, uint64_t sweep, const struct json_object *body, struct str *reply,
                          struct err *err)
{
    struct json_object *list = NULL;
    const struct spec *spec = core_sweep_spec(controller->core, sweep);
    if (!spec)
        return err_set(err, ERR_NOT_FOUND, "the sweep's spec cannot be read by this version");
    if (!json_object_object_get_ex(body, "configs", &list) || !json_object_is_type(list, json_type_array))
        return err_set(err, ERR_INVALID, "enqueue needs a list of configurations");
    size_t count = json_object_array_length(list);
    if (count == 0 || count > ENQUEUE_MAX)
        return err_set(err, ERR_LIMIT, "1 to %d configurations are enqueued at once, not %zu", ENQUEUE_MAX, count);
    struct config_draft *drafts = xcalloc(count, sizeof *drafts);
    struct enqueued *items = NULL;
    for (size_t i = 0; i < count; i++)
        config_draft_init(&drafts[i], spec->space);
    int rc = read_drafts(list, drafts, err);
    if (rc == 0)
        rc = controller_restore_curves(controller, sweep, err); // it may have been over
    if (rc == 0)
        rc = core_enqueue(controller->core, controller_now(), sweep, drafts, count, &items, err);
    for (size_t i = 0; i < count; i++)
        config_draft_release(&drafts[i]);
    free(drafts);
    if (rc == 0)
        restore_enqueued(controller, sweep, items, count, reply);
    return rc;
}
