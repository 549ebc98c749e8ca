// Builds parameters and spaces for the tests of lib/space and strategies.
#pragma once

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "space/space.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline struct value json_value(const char *text)
{
    struct json_object *json = NULL;
    struct err err;
    if (json_parse(text, strlen(text), &json, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    struct value value = value_from_json(json);
    json_object_put(json);
    return value;
}

// A parameter whose path parts are separated by "/" in `path`.
static inline struct param named_param(const char *path, enum dist dist)
{
    struct param param = {.dist = dist, .sigma = 1, .a = 1, .b = 1, .q = 1};
    struct str name = STR_INIT;
    param.path = xcalloc(SPACE_DEPTH_MAX, sizeof *param.path);
    for (const char *s = path;; s++) {
        size_t len = strcspn(s, "/");
        str_addf(&name, "%s%.*s", param.path_count ? "." : "", (int)len, s);
        param.path[param.path_count++] = xstrndup(s, len);
        s += len;
        if (!*s)
            break;
    }
    param.name = str_detach(&name);
    return param;
}

// Values are a JSON list.
static inline struct param choice_param(const char *path, const char *list)
{
    struct param param = named_param(path, DIST_CATEGORICAL);
    struct json_object *json = NULL;
    assert_int_equal(json_parse(list, strlen(list), &json, NULL), 0);
    param.value_count = json_object_array_length(json);
    param.values = xcalloc(param.value_count, sizeof *param.values);
    for (size_t i = 0; i < param.value_count; i++)
        param.values[i] = value_from_json(json_object_array_get_idx(json, i));
    json_object_put(json);
    return param;
}

static inline struct param constant_param(const char *path, const char *json)
{
    struct param param = named_param(path, DIST_CONSTANT);
    param.values = xcalloc(1, sizeof *param.values);
    param.values[0] = json_value(json);
    param.value_count = 1;
    return param;
}

static inline struct param int_param(const char *path, int64_t min, int64_t max)
{
    struct param param = named_param(path, DIST_INT_UNIFORM);
    param.int_min = min;
    param.int_max = max;
    param.bounds_are_int = true;
    return param;
}

static inline struct param range_param(const char *path, enum dist dist, double min, double max)
{
    struct param param = named_param(path, dist);
    param.min = min;
    param.max = max;
    return param;
}

static inline struct param q_param(const char *path, enum dist dist, double min, double max,
                                   double q, bool ints)
{
    struct param param = range_param(path, dist, min, max);
    param.q = q;
    param.q_is_int = ints;
    param.bounds_are_int = ints;
    return param;
}

static inline struct expr *parsed(const char *text)
{
    struct expr *expr = NULL;
    struct err err;
    if (expr_parse(text, &expr, NULL, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return expr;
}

static inline struct param when(struct param param, const char *condition)
{
    param.when = parsed(condition);
    return param;
}

static inline void add(struct space *space, struct param param)
{
    struct err err;
    if (space_add(space, &param, &err) != 0)
        fail_msg("%s", err.text);
}

static inline void constrain(struct space *space, const char *text)
{
    struct expr *expr = parsed(text);
    assert_int_equal(space_add_constraint(space, &expr, NULL), 0);
    assert_null(expr);
}

static inline void seal(struct space *space)
{
    struct err err;
    if (space_seal(space, &err) != 0)
        fail_msg("%s", err.text);
}

static inline char *config_text(const struct space *space, const struct config *config)
{
    struct str text = STR_INIT;
    config_write_json(&text, space, config);
    return str_detach(&text);
}

static inline void assert_config(const struct space *space, const struct config *config,
                                 const char *expected)
{
    char *text = config_text(space, config);
    assert_string_equal(text, expected);
    free(text);
}
