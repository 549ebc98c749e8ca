// Lines of metrics.jsonl to points.
//
// A line is a JSON object. Numbers (also NaN and infinities), true and false are points; nested objects are flattened with dots; `step`
// or `_step` and `time` or `_timestamp` place the line; `summary` gives values for the whole run; strings, nulls and lists are not
// metrics and are passed over.

#include "controller/core/metrics.h"

#include "base/json.h"
#include "base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8

struct metrics_parser {
    struct json_tokener *tokener;
    struct str name, json;
    bool has_step;
    int64_t step;
    double time;
};

struct metrics_parser *metrics_parser_new(void)
{
    struct metrics_parser *parser = xcalloc(1, sizeof *parser);
    parser->tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    return parser;
}

void metrics_parser_free(struct metrics_parser *parser)
{
    if (!parser)
        return;
    json_tokener_free(parser->tokener);
    str_release(&parser->name);
    str_release(&parser->json);
    free(parser);
}

static bool number_of(const struct json_object *value, double *ret)
{
    switch (json_object_get_type(value)) {
    case json_type_double:
    case json_type_int:
        *ret = json_object_get_double(value);
        return true;
    case json_type_boolean:
        *ret = json_object_get_boolean(value) ? 1 : 0;
        return true;
    case json_type_null:
    case json_type_string:
    case json_type_array:
    case json_type_object:
        break;
    }
    return false;
}

static bool is_place(const char *key)
{
    return strcmp(key, "step") == 0 || strcmp(key, "_step") == 0 || strcmp(key, "time") == 0 ||
           strcmp(key, "_timestamp") == 0;
}

static void find_place(struct metrics_parser *parser, const struct json_object *object)
{
    double step = 0;
    parser->time = 0;
    parser->has_step = json_get_double(object, "step", &step) || json_get_double(object, "_step", &step);
    if (parser->has_step && !(step > -9e15 && step < 9e15))
        parser->has_step = false;
    parser->step = parser->has_step ? (int64_t)step : 0;
    if (!json_get_double(object, "time", &parser->time))
        json_get_double(object, "_timestamp", &parser->time);
}

// Members of an object whose names begin with what parser->name holds.
static void walk(struct metrics_parser *parser, const struct json_object *object, int depth,
                 const struct metrics_sink *sink)
{
    size_t prefix = parser->name.len;
    json_object_object_foreach((struct json_object *)object, key, value)
    {
        double number;
        bool at_top = prefix == 0;
        if (at_top && (is_place(key) || (strcmp(key, "summary") == 0 && json_object_is_type(value, json_type_object))))
            continue;
        str_add(&parser->name, key);
        if (number_of(value, &number)) {
            sink->point(sink->context, str_get(&parser->name), parser->has_step, parser->step, parser->time, number);
        } else if (json_object_is_type(value, json_type_object) && depth < DEPTH_MAX) {
            str_addch(&parser->name, '.');
            walk(parser, value, depth + 1, sink);
        }
        parser->name.len = prefix;
        parser->name.s[prefix] = '\0';
    }
}

static void summarise(struct metrics_parser *parser, const struct json_object *object, const struct metrics_sink *sink)
{
    struct json_object *summary = NULL;
    if (!json_object_object_get_ex(object, "summary", &summary) || !json_object_is_type(summary, json_type_object))
        return;
    json_object_object_foreach(summary, key, value)
    {
        double number = 0;
        bool is_number = number_of(value, &number);
        str_clear(&parser->json);
        json_write(&parser->json, value);
        sink->summary(sink->context, key, str_get(&parser->json), is_number, number);
    }
}

bool metrics_parse_line(struct metrics_parser *parser, const char *line, size_t len, const struct metrics_sink *sink)
{
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
        len--;
    if (len == 0)
        return true;
    if (len > INT_MAX || !utf8_valid(line, len))
        return false;
    json_tokener_reset(parser->tokener);
    struct json_object *object = json_tokener_parse_ex(parser->tokener, line, (int)len);
    bool good = json_tokener_get_error(parser->tokener) == json_tokener_success &&
                json_object_is_type(object, json_type_object) && json_tokener_get_parse_end(parser->tokener) == len;
    if (good) {
        find_place(parser, object);
        str_clear(&parser->name);
        str_add(&parser->name, "");
        walk(parser, object, 0, sink);
        summarise(parser, object, sink);
    }
    json_object_put(object);
    return good;
}
