// A configuration as arguments, in the forms of W&B's agent.

#include "base/json.h"
#include "base/mem.h"
#include "space/command_impl.h"
#include "space/python.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static struct json_object *integral(struct json_object *value)
{
    if (json_object_is_type(value, json_type_double)) {
        double x = json_object_get_double(value);
        if (fabs(x) < 0x1p63 && x == floor(x))
            return json_object_new_int64((int64_t)x);
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            struct json_object *element = json_object_array_get_idx(value, i);
            struct json_object *other = integral(element);
            if (other != element)
                json_object_array_put_idx(value, i, other);
        }
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
        {
            struct json_object *other = integral(member);
            if (other != member)
                json_object_object_add(value, key, other);
        }
    }
    return value;
}

struct json_object *command_args_new(const struct space *space, const struct config *config)
{
    struct str text = STR_INIT;
    struct json_object *args = NULL;
    config_write_json(&text, space, config);
    int rc = json_parse(str_get(&text), text.len, &args, NULL);
    assert(rc == 0); // what we wrote ourselves
    (void)rc;
    str_release(&text);
    return integral(args);
}

static const struct style {
    const char *macro;
    const char *prefix;
    bool two_items;
    bool flags; // True gives the name alone, False gives nothing
} styles[] = {
    {"args", "--", false, false},
    {"args_no_equals", "--", true, false},
    {"args_no_hyphens", "", false, false},
    {"args_append_hydra", "+", false, false},
    {"args_override_hydra", "++", false, false},
    {"args_no_boolean_flags", "--", false, true},
};

static void append_one(const struct style *style, const char *key, const struct json_object *value,
                       void (*append)(void *context, char *text), void *context)
{
    struct str item = STR_INIT;
    bool flag = style->flags && json_object_is_type(value, json_type_boolean);
    if (flag && !json_object_get_boolean(value))
        return;
    str_addf(&item, "%s%s", style->prefix, key);
    if (!flag && style->two_items) {
        append(context, str_detach(&item));
        str_add(&item, "");
        python_write_str(&item, value);
    } else if (!flag) {
        str_addch(&item, '=');
        python_write_str(&item, value);
    }
    append(context, str_detach(&item));
}

void command_args_list(const struct json_object *args, const char *macro,
                       void (*append)(void *context, char *text), void *context)
{
    const struct style *style = NULL;
    for (size_t i = 0; i < ARRAY_LEN(styles); i++)
        if (strcmp(styles[i].macro, macro) == 0)
            style = &styles[i];
    assert(style);
    json_object_object_foreach((struct json_object *)args, key, value)
    {
        append_one(style, key, value, append, context);
    }
}

bool command_args_value(const struct json_object *args, const struct space *space, const char *name,
                        struct str *out)
{
    struct json_object *value = (struct json_object *)args;
    int index = space_find(space, name);
    if (index < 0) { // a group
        if (!json_object_object_get_ex(args, name, &value))
            return false;
    } else {
        const struct param *param = space_param(space, (size_t)index);
        for (size_t i = 0; i < param->path_count; i++)
            if (!json_object_object_get_ex(value, param->path[i], &value))
                return false;
    }
    python_write_str(out, value);
    return true;
}
