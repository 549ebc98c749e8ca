// Values: copies, equality, texts.
//
// Lists and mappings stay JSON text, which is compact and compared as text first; they are parsed
// only where the text differs or where Python's form is wanted.

#include "space/value.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "space/python.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void value_release(struct value *value)
{
    free(value->text);
    *value = (struct value){0};
}

struct value value_copy(const struct value *value)
{
    struct value copy = *value;
    copy.text = xstrdup(value->text);
    return copy;
}

// The integer that a number equals, where there is one.
static bool integral(const struct value *value, int64_t *ret)
{
    if (value->kind == VALUE_INT) {
        *ret = value->integer;
        return true;
    }
    if (value->kind != VALUE_FLOAT || !(fabs(value->number) < 0x1p63) ||
        value->number != floor(value->number))
        return false;
    *ret = (int64_t)value->number;
    return true;
}

static struct json_object *parse_text(const char *text)
{
    struct json_object *json = NULL;
    int rc = json_parse(text, strlen(text), &json, NULL);
    assert(rc == 0); // a VALUE_JSON is made from JSON only
    (void)rc;
    return json;
}

static struct value shallow(const struct json_object *json);

static bool json_equal(const struct json_object *a, const struct json_object *b)
{
    enum json_type type = json_object_get_type(a);
    if (type == json_type_array) {
        size_t count = json_object_array_length(a);
        if (!json_object_is_type(b, json_type_array) || json_object_array_length(b) != count)
            return false;
        for (size_t i = 0; i < count; i++)
            if (!json_equal(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i)))
                return false;
        return true;
    }
    if (type == json_type_object) {
        if (!json_object_is_type(b, json_type_object) ||
            json_object_object_length(a) != json_object_object_length(b))
            return false;
        json_object_object_foreach((struct json_object *)a, key, member)
        {
            struct json_object *other;
            if (!json_object_object_get_ex(b, key, &other) || !json_equal(member, other))
                return false;
        }
        return true;
    }
    if (json_object_is_type(b, json_type_array) || json_object_is_type(b, json_type_object))
        return false;
    struct value x = shallow(a), y = shallow(b);
    return value_equal(&x, &y);
}

static bool text_json_equal(const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return true;
    struct json_object *x = parse_text(a), *y = parse_text(b);
    bool equal = json_equal(x, y);
    json_object_put(x);
    json_object_put(y);
    return equal;
}

bool value_equal(const struct value *a, const struct value *b)
{
    int64_t x = 0, y = 0;
    bool a_integral = integral(a, &x), b_integral = integral(b, &y);
    if (a_integral || b_integral)
        return a_integral && b_integral && x == y;
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case VALUE_NULL:
    case VALUE_INT:
        return true;
    case VALUE_BOOL:
        return a->boolean == b->boolean;
    case VALUE_FLOAT:
        return a->number == b->number || (isnan(a->number) && isnan(b->number));
    case VALUE_STRING:
        return strcmp(a->text, b->text) == 0;
    case VALUE_JSON:
        return text_json_equal(a->text, b->text);
    }
    return false;
}

static uint64_t json_hash(const struct json_object *json)
{
    uint64_t hash = (uint64_t)json_object_get_type(json);
    if (json_object_is_type(json, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(json); i++) {
            uint64_t element = json_hash(json_object_array_get_idx(json, i));
            hash = hash64(&element, sizeof element, hash);
        }
        return hash;
    }
    if (json_object_is_type(json, json_type_object)) {
        json_object_object_foreach((struct json_object *)json, key, member)
        {
            uint64_t element = json_hash(member);
            hash += hash64(key, strlen(key), element); // a sum: the order of keys does not matter
        }
        return hash;
    }
    struct value value = shallow(json);
    return value_hash(&value);
}

uint64_t value_hash(const struct value *value)
{
    int64_t integer;
    if (integral(value, &integer))
        return hash64(&integer, sizeof integer, VALUE_INT);
    uint64_t hash = 0;
    switch (value->kind) {
    case VALUE_NULL:
    case VALUE_INT:
        return hash64("", 0, VALUE_NULL);
    case VALUE_BOOL:
        return hash64(value->boolean ? "1" : "0", 1, VALUE_BOOL);
    case VALUE_FLOAT:
        if (isnan(value->number))
            return hash64("nan", 3, VALUE_FLOAT);
        return hash64(&value->number, sizeof value->number, VALUE_FLOAT);
    case VALUE_STRING:
        return hash64(value->text, strlen(value->text), VALUE_STRING);
    case VALUE_JSON: {
        struct json_object *json = parse_text(value->text);
        hash = json_hash(json);
        json_object_put(json);
        return hash;
    }
    }
    return hash;
}

bool value_number(const struct value *value, double *ret)
{
    if (value->kind == VALUE_INT)
        *ret = (double)value->integer;
    else if (value->kind == VALUE_FLOAT)
        *ret = value->number;
    else if (value->kind == VALUE_BOOL)
        *ret = value->boolean ? 1 : 0;
    else
        return false;
    return true;
}

void value_write_json(struct str *out, const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        str_add(out, "null");
        return;
    case VALUE_BOOL:
        str_add(out, value->boolean ? "true" : "false");
        return;
    case VALUE_INT:
        str_addf(out, "%lld", (long long)value->integer);
        return;
    case VALUE_FLOAT:
        json_write_double(out, value->number);
        return;
    case VALUE_STRING:
        json_write_string(out, value->text, strlen(value->text));
        return;
    case VALUE_JSON:
        str_add(out, value->text);
        return;
    }
}

void value_write_python(struct str *out, const struct value *value)
{
    char text[NUM_TEXT_MAX];
    switch (value->kind) {
    case VALUE_NULL:
        str_add(out, "None");
        return;
    case VALUE_BOOL:
        str_add(out, value->boolean ? "True" : "False");
        return;
    case VALUE_INT:
        str_addf(out, "%lld", (long long)value->integer);
        return;
    case VALUE_FLOAT:
        str_addn(out, text, num_format_double(value->number, text));
        return;
    case VALUE_STRING:
        str_add(out, value->text);
        return;
    case VALUE_JSON: {
        struct json_object *json = parse_text(value->text);
        python_write_str(out, json);
        json_object_put(json);
        return;
    }
    }
}

// Six significant digits are what a column of a table needs.
static void write_short(struct str *out, double number)
{
    char text[NUM_TEXT_MAX];
    if (isfinite(number)) {
        snprintf(text, sizeof text, "%.5e", number);
        number = strtod(text, NULL);
    }
    size_t len = num_format_double(number, text);
    if (len > 2 && strcmp(text + len - 2, ".0") == 0)
        len -= 2;
    str_addn(out, text, len);
}

void value_write_plain(struct str *out, const struct value *value)
{
    if (value->kind == VALUE_FLOAT)
        write_short(out, value->number);
    else if (value->kind == VALUE_STRING)
        str_add(out, value->text);
    else
        value_write_json(out, value);
}

// A scalar whose text is borrowed from the JSON value.
static struct value shallow(const struct json_object *json)
{
    struct value value = {.kind = VALUE_NULL};
    switch (json_object_get_type(json)) {
    case json_type_boolean:
        value.kind = VALUE_BOOL;
        value.boolean = json_object_get_boolean(json);
        break;
    case json_type_int:
        value.kind = VALUE_INT;
        value.integer = json_object_get_int64(json);
        if (json_object_get_uint64(json) > INT64_MAX && value.integer > 0) {
            value.kind = VALUE_FLOAT;
            value.number = (double)json_object_get_uint64(json);
        }
        break;
    case json_type_double:
        value.kind = VALUE_FLOAT;
        value.number = json_object_get_double(json);
        break;
    case json_type_string:
        value.kind = VALUE_STRING;
        value.text = (char *)json_object_get_string((struct json_object *)json);
        break;
    case json_type_null:
    case json_type_array:
    case json_type_object:
        break;
    }
    return value;
}

struct value value_from_json(const struct json_object *json)
{
    if (json_object_is_type(json, json_type_array) || json_object_is_type(json, json_type_object)) {
        struct str text = STR_INIT;
        json_write(&text, json);
        return (struct value){.kind = VALUE_JSON, .text = str_detach(&text)};
    }
    struct value value = shallow(json);
    value.text = xstrdup(value.text);
    return value;
}
