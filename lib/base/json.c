// JSON on json-c.

#include "base/json.h"

#include "base/num.h"

#include <limits.h>
#include <string.h>

int json_parse(const char *text, size_t len, struct json_object **ret, struct err *err)
{
    if (len > INT_MAX - 1)
        return err_set(err, ERR_LIMIT, "JSON of %zu bytes is too large", len);
    if (!utf8_valid(text, len))
        return err_set(err, ERR_INVALID, "JSON is not valid UTF-8");
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    struct json_object *value = json_tokener_parse_ex(tokener, text, (int)len);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    if (error == json_tokener_continue) { // a number at the very end waits for what follows
        value = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
        end = len;
    }
    int rc = 0;
    if (error != json_tokener_success)
        rc = err_set(err, ERR_INVALID, "not JSON at byte %zu: %s", end,
                     error == json_tokener_continue ? "it ends too early"
                                                    : json_tokener_error_desc(error));
    for (; rc == 0 && end < len; end++)
        if (!strchr(" \t\r\n", text[end]) || text[end] == '\0')
            rc = err_set(err, ERR_INVALID, "not JSON at byte %zu: more follows the value", end);
    json_tokener_free(tokener);
    if (rc == 0)
        *ret = value;
    else
        json_object_put(value);
    return rc;
}

static size_t utf8_step(const char *s, size_t len)
{
    for (size_t step = 1; step <= 4 && step <= len; step++)
        if (utf8_valid(s, step))
            return step;
    return 0;
}

void json_write_string(struct str *out, const char *s, size_t len)
{
    str_addch(out, '"');
    while (len > 0) {
        unsigned char c = (unsigned char)*s;
        size_t step = c < 0x80 ? 1 : utf8_step(s, len);
        if (step == 0) {
            str_add(out, "\xEF\xBF\xBD");
            step = 1;
        } else if (c == '"' || c == '\\') {
            str_addch(out, '\\');
            str_addch(out, (char)c);
        } else if (c == '\n') {
            str_add(out, "\\n");
        } else if (c == '\t') {
            str_add(out, "\\t");
        } else if (c < 0x20 || c == 0x7F) {
            str_addf(out, "\\u%04x", c);
        } else {
            str_addn(out, s, step);
        }
        s += step;
        len -= step;
    }
    str_addch(out, '"');
}

void json_write_double(struct str *out, double value)
{
    char text[NUM_TEXT_MAX];
    size_t len = num_format_double(value, text);
    if (value != value)
        str_add(out, "NaN");
    else if (value > 1.7976931348623157e308)
        str_add(out, "Infinity");
    else if (value < -1.7976931348623157e308)
        str_add(out, "-Infinity");
    else
        str_addn(out, text, len);
}

static void write_object(struct str *out, const struct json_object *value)
{
    bool first = true;
    str_addch(out, '{');
    json_object_object_foreach((struct json_object *)value, key, member)
    {
        if (!first)
            str_addch(out, ',');
        first = false;
        json_write_string(out, key, strlen(key));
        str_addch(out, ':');
        json_write(out, member);
    }
    str_addch(out, '}');
}

void json_write(struct str *out, const struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        str_add(out, "null");
        return;
    case json_type_boolean:
        str_add(out, json_object_get_boolean(value) ? "true" : "false");
        return;
    case json_type_int:
        str_addf(out, "%lld", (long long)json_object_get_int64(value));
        return;
    case json_type_double:
        json_write_double(out, json_object_get_double(value));
        return;
    case json_type_string:
        json_write_string(out, json_object_get_string((struct json_object *)value),
                          (size_t)json_object_get_string_len(value));
        return;
    case json_type_array:
        str_addch(out, '[');
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            if (i)
                str_addch(out, ',');
            json_write(out, json_object_array_get_idx(value, i));
        }
        str_addch(out, ']');
        return;
    case json_type_object:
        write_object(out, value);
        return;
    }
}

static struct json_object *member(const struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, key, &value);
    return value;
}

bool json_get_string(const struct json_object *object, const char *key, const char **ret)
{
    struct json_object *value = member(object, key);
    if (!json_object_is_type(value, json_type_string))
        return false;
    *ret = json_object_get_string(value);
    return true;
}

bool json_get_i64(const struct json_object *object, const char *key, int64_t *ret)
{
    struct json_object *value = member(object, key);
    if (!json_object_is_type(value, json_type_int))
        return false;
    *ret = json_object_get_int64(value);
    return true;
}

bool json_get_double(const struct json_object *object, const char *key, double *ret)
{
    struct json_object *value = member(object, key);
    if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
        return false;
    *ret = json_object_get_double(value);
    return true;
}

bool json_get_bool(const struct json_object *object, const char *key, bool *ret)
{
    struct json_object *value = member(object, key);
    if (!json_object_is_type(value, json_type_boolean))
        return false;
    *ret = json_object_get_boolean(value);
    return true;
}
