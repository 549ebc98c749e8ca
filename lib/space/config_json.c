// Configurations as JSON: nested as the space nests, names sorted, inactive parameters absent.

#include "base/json.h"
#include "base/mem.h"
#include "space/dist.h"
#include "space/draft.h"
#include "space/space_impl.h"

#include <stdlib.h>
#include <string.h>

static size_t common_groups(const struct param *a, const struct param *b)
{
    size_t same = 0;
    while (same + 1 < a->path_count && same + 1 < b->path_count &&
           strcmp(a->path[same], b->path[same]) == 0)
        same++;
    return same;
}

static void write_key(struct str *out, const char *key)
{
    char last = out->s[out->len - 1];
    if (last != '{')
        str_addch(out, ',');
    json_write_string(out, key, strlen(key));
    str_addch(out, ':');
}

void config_write_json(struct str *out, const struct space *space, const struct config *config)
{
    const struct param *previous = NULL;
    size_t open = 0; // groups that are open
    str_addch(out, '{');
    for (size_t i = 0; i < config->count; i++) {
        if (!config->active[i])
            continue;
        const struct param *param = space_param(space, i);
        size_t same = previous ? common_groups(previous, param) : 0;
        for (; open > same; open--)
            str_addch(out, '}');
        for (; open + 1 < param->path_count; open++) {
            write_key(out, param->path[open]);
            str_addch(out, '{');
        }
        write_key(out, param->path[open]);
        value_write_json(out, &config->values[i]);
        previous = param;
    }
    for (; open > 0; open--)
        str_addch(out, '}');
    str_addch(out, '}');
}

// Reading: the parameters from `low` to `high` share the first `depth` parts of their paths.
struct reader {
    struct config_draft *draft;
    struct str path;     // of the group being read, for messages
    struct str *unknown; // NULL: refuse
    struct err *err;
};

static size_t first_not_below(const struct space *space, size_t low, size_t high, size_t depth,
                              const char *key, bool after)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(space_param(space, middle)->path[depth], key);
        if (order < 0 || (after && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int refuse_key(struct reader *reader, size_t low, size_t high, size_t depth, const char *key)
{
    if (reader->unknown) {
        str_addf(reader->unknown, "%s%s%s", reader->unknown->len ? ", " : "", str_get(&reader->path), key);
        return 0;
    }
    const char **words = xmalloc((high - low + 1) * sizeof *words);
    for (size_t i = low; i < high; i++)
        words[i - low] = space_param(reader->draft->space, i)->path[depth];
    words[high - low] = NULL;
    const char *near = str_nearest(key, words);
    int rc = err_set(reader->err, ERR_INVALID, "'%s%s' is not a parameter of this sweep%s%s%s",
                     str_get(&reader->path), key, near ? "; did you mean '" : "", near ? near : "",
                     near ? "'?" : "");
    free(words);
    return rc;
}

// What a parameter takes, for a message.
static void describe(struct str *out, const struct param *param)
{
    double low, high;
    if (param->dist == DIST_CONSTANT || dist_is_categorical(param->dist)) {
        str_add(out, "one of ");
        for (size_t i = 0; i < param->value_count && i < 8; i++) {
            str_add(out, i ? ", " : "");
            value_write_json(out, &param->values[i]);
        }
        str_add(out, param->value_count > 8 ? ", ..." : "");
        return;
    }
    if (param->dist == DIST_INT_UNIFORM) {
        str_addf(out, "an integer from %lld to %lld", (long long)param->int_min,
                 (long long)param->int_max);
        return;
    }
    dist_bounds(param, &low, &high);
    if (dist_is_quantised(param->dist))
        str_addf(out, "a multiple of %g from %g to %g", param->q, low, high);
    else
        str_addf(out, "a number from %g to %g", low, high);
}

static int refuse_value(const struct param *param, const struct value *value, struct err *err)
{
    struct str got = STR_INIT, want = STR_INIT;
    value_write_json(&got, value);
    describe(&want, param);
    int rc = err_set(err, ERR_INVALID, "'%s' is %.200s, which is not %.400s", param->name, str_get(&got), str_get(&want));
    str_release(&got);
    str_release(&want);
    return rc;
}

int config_draft_put(struct config_draft *draft, size_t index, const struct value *value, struct err *err)
{
    const struct param *param = space_param(draft->space, index);
    if (!param_normalise(param, value, &draft->view.values[index]))
        return refuse_value(param, value, err);
    draft->given[index] = true;
    return 0;
}

int config_draft_put_text(struct config_draft *draft, size_t index, const char *text, struct err *err)
{
    struct json_object *json = NULL;
    struct value value = {.kind = VALUE_STRING, .text = (char *)text};
    int rc = ERR_INVALID;
    if (json_parse(text, strlen(text), &json, NULL) == 0) {
        struct value parsed = value_from_json(json);
        rc = config_draft_put(draft, index, &parsed, err);
        value_release(&parsed);
        json_object_put(json);
        if (rc != 0 && !param_contains(space_param(draft->space, index), &value))
            return rc;
    }
    return rc == 0 ? 0 : config_draft_put(draft, index, &value, err);
}

static int read_leaf(struct reader *reader, size_t index, const struct json_object *json)
{
    struct value value = value_from_json(json);
    int rc = config_draft_put(reader->draft, index, &value, reader->err);
    value_release(&value);
    return rc;
}

static int read_group(struct reader *reader, const struct json_object *json, size_t low,
                      size_t high, size_t depth)
{
    if (!json_object_is_type(json, json_type_object))
        return err_set(reader->err, ERR_INVALID, "'%s' should be a mapping of parameters",
                       str_get(&reader->path));
    json_object_object_foreach((struct json_object *)json, key, member)
    {
        size_t first = first_not_below(reader->draft->space, low, high, depth, key, false);
        size_t last = first_not_below(reader->draft->space, first, high, depth, key, true);
        int rc;
        if (first == last) {
            rc = refuse_key(reader, low, high, depth, key);
        } else if (space_param(reader->draft->space, first)->path_count == depth + 1) {
            rc = read_leaf(reader, first, member);
        } else {
            char *outer = xstrdup(str_get(&reader->path));
            str_addf(&reader->path, "%s.", key);
            rc = read_group(reader, member, first, last, depth + 1);
            str_clear(&reader->path);
            str_add(&reader->path, outer);
            free(outer);
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

int config_draft_read(struct config_draft *draft, const struct json_object *json, struct str *ret_unknown, struct err *err)
{
    if (!json_object_is_type(json, json_type_object))
        return err_set(err, ERR_INVALID, "a configuration is a JSON object, like {\"lr\": 0.1}");
    struct reader reader = {.draft = draft, .unknown = ret_unknown, .err = err};
    int rc = read_group(&reader, json, 0, draft->view.count, 0);
    str_release(&reader.path);
    return rc;
}

int config_from_json(const struct space *space, const struct json_object *json, struct config *ret,
                     struct err *err)
{
    struct config_draft draft;
    config_draft_init(&draft, space);
    int rc = config_draft_read(&draft, json, NULL, err);
    if (rc == 0)
        rc = config_draft_finish(&draft, &(struct config_rules){0}, ret, err);
    config_draft_release(&draft);
    return rc;
}
