// JSON on json-c.

#include "base/json.h"

#include "base/num.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

// Whether the number of `len` bytes is an integer that neither an int64 nor a uint64 holds.
static bool too_wide(const char *number, size_t len)
{
    static const char most[] = "18446744073709551615", least[] = "9223372036854775808";
    const char *bound = *number == '-' ? least : most;
    size_t sign = *number == '-', digits = len - sign, bound_digits = strlen(bound);
    for (size_t i = sign; i < len; i++)
        if (number[i] < '0' || number[i] > '9')
            return false;
    return digits > bound_digits || (digits == bound_digits && memcmp(number + sign, bound, digits) > 0);
}

static size_t number_length(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && ((text[n] >= '0' && text[n] <= '9') || (text[n] && strchr("+-.eE", text[n]))))
        n++;
    return n;
}

// What json-c's strict mode lets through: single quotes, control characters in strings, a point without digits behind
// it, and integers beyond 64 bits, which it would change to the nearest that fits. Those are copied to `wide`, the
// whole text with "e0" behind each, which makes them doubles; `wide` stays empty where there are none.
static int check_text(const char *text, size_t len, struct str *wide, struct err *err)
{
    bool in_string = false;
    size_t copied = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (in_string && c < 0x20)
            return err_set(err, ERR_INVALID, "not JSON at byte %zu: control character in a string", i);
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && c == '\'')
            return err_set(err, ERR_INVALID, "not JSON at byte %zu: strings need double quotes", i);
        else if (!in_string && (c == '-' || (c >= '0' && c <= '9'))) {
            size_t n = number_length(text + i, len - i);
            const char *point = memchr(text + i, '.', n);
            if (point && (point + 1 == text + len || point[1] < '0' || point[1] > '9'))
                return err_set(err, ERR_INVALID, "not JSON at byte %zu: a digit must follow the point", i);
            if (too_wide(text + i, n)) {
                str_addn(wide, text + copied, i + n - copied);
                str_add(wide, "e0");
                copied = i + n;
            }
            i += n - 1;
        }
    }
    if (copied > 0)
        str_addn(wide, text + copied, len - copied);
    return 0;
}

static int parse(const char *text, size_t len, struct json_object **ret, struct err *err)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
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

int json_parse(const char *text, size_t len, struct json_object **ret, struct err *err)
{
    if (len > INT_MAX / 2) // room for the text that widening makes
        return err_set(err, ERR_LIMIT, "JSON of %zu bytes is too large", len);
    if (!utf8_valid(text, len))
        return err_set(err, ERR_INVALID, "JSON is not valid UTF-8");
    struct str wide = STR_INIT;
    int rc = check_text(text, len, &wide, err);
    if (rc == 0)
        rc = wide.len > 0 ? parse(wide.s, wide.len, ret, err) : parse(text, len, ret, err);
    str_release(&wide);
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

static bool over_int64(const struct json_object *value)
{
    return json_object_get_uint64(value) > INT64_MAX; // 0 for negative numbers
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
        if (over_int64(value))
            str_addf(out, "%llu", (unsigned long long)json_object_get_uint64(value));
        else
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
    if (!json_object_is_type(value, json_type_int) || over_int64(value))
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
