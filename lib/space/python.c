// Python's str(), repr() and json.dumps() for JSON-like values.

#include "space/python.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"

#include <math.h>
#include <string.h>

// Code points that str.isprintable() refuses: the categories Cc, Cf, Cs, Co, Zl, Zp, Zs of the
// Unicode Character Database. Unassigned ones, which differ between Python's versions, count as
// printable.
static const struct {
    uint32_t first, last;
} unprintable[] = {{0x0000, 0x001F},   {0x007F, 0x00A0},   {0x00AD, 0x00AD},   {0x0600, 0x0605},
                   {0x061C, 0x061C},   {0x06DD, 0x06DD},   {0x070F, 0x070F},   {0x0890, 0x0891},
                   {0x08E2, 0x08E2},   {0x1680, 0x1680},   {0x180E, 0x180E},   {0x2000, 0x200F},
                   {0x2028, 0x202F},   {0x205F, 0x206F},   {0x3000, 0x3000},   {0xD800, 0xF8FF},
                   {0xFEFF, 0xFEFF},   {0xFFF9, 0xFFFB},   {0x110BD, 0x110BD}, {0x110CD, 0x110CD},
                   {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0001, 0xE0001},
                   {0xE0020, 0xE007F}, {0xF0000, 0x10FFFF}};

static bool printable(uint32_t point)
{
    for (size_t i = 0; i < ARRAY_LEN(unprintable); i++)
        if (point >= unprintable[i].first && point <= unprintable[i].last)
            return false;
    return true;
}

// The code point at s and its length in bytes; a byte that is not UTF-8 counts as itself.
static size_t decode(const char *s, size_t len, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t size = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (size == 1 || size > len || !utf8_valid(s, size)) {
        *ret = p[0];
        return 1;
    }
    uint32_t point = size == 2 ? p[0] & 0x1Fu : size == 3 ? p[0] & 0x0Fu : p[0] & 0x07u;
    for (size_t i = 1; i < size; i++)
        point = point << 6 | (p[i] & 0x3Fu);
    *ret = point;
    return size;
}

static void write_escape(struct str *out, uint32_t point)
{
    if (point == '\n')
        str_add(out, "\\n");
    else if (point == '\r')
        str_add(out, "\\r");
    else if (point == '\t')
        str_add(out, "\\t");
    else if (point <= 0xFF)
        str_addf(out, "\\x%02x", (unsigned)point);
    else if (point <= 0xFFFF)
        str_addf(out, "\\u%04x", (unsigned)point);
    else
        str_addf(out, "\\U%08x", (unsigned)point);
}

void python_write_repr(struct str *out, const char *text, size_t len)
{
    char quote = memchr(text, '\'', len) && !memchr(text, '"', len) ? '"' : '\'';
    str_addch(out, quote);
    for (size_t i = 0; i < len;) {
        uint32_t point;
        size_t size = decode(text + i, len - i, &point);
        if (point == (uint32_t)quote || point == '\\') {
            str_addch(out, '\\');
            str_addch(out, text[i]);
        } else if (!printable(point)) {
            write_escape(out, point);
        } else {
            str_addn(out, text + i, size);
        }
        i += size;
    }
    str_addch(out, quote);
}

static void write_double(struct str *out, double value)
{
    char text[NUM_TEXT_MAX];
    str_addn(out, text, num_format_double(value, text));
}

static void write_repr(struct str *out, const struct json_object *value);

static void write_container(struct str *out, const struct json_object *value)
{
    bool first = true;
    if (json_object_is_type(value, json_type_array)) {
        str_addch(out, '[');
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            str_add(out, i ? ", " : "");
            write_repr(out, json_object_array_get_idx(value, i));
        }
        str_addch(out, ']');
        return;
    }
    str_addch(out, '{');
    json_object_object_foreach((struct json_object *)value, key, member)
    {
        str_add(out, first ? "" : ", ");
        first = false;
        python_write_repr(out, key, strlen(key));
        str_add(out, ": ");
        write_repr(out, member);
    }
    str_addch(out, '}');
}

// Everything but strings has the same str() and repr().
static void write_repr(struct str *out, const struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        str_add(out, "None");
        return;
    case json_type_boolean:
        str_add(out, json_object_get_boolean(value) ? "True" : "False");
        return;
    case json_type_int:
        str_addf(out, "%lld", (long long)json_object_get_int64(value));
        return;
    case json_type_double:
        write_double(out, json_object_get_double(value));
        return;
    case json_type_string:
        python_write_repr(out, json_object_get_string((struct json_object *)value),
                          (size_t)json_object_get_string_len(value));
        return;
    case json_type_array:
    case json_type_object:
        write_container(out, value);
        return;
    }
}

void python_write_str(struct str *out, const struct json_object *value)
{
    if (json_object_is_type(value, json_type_string))
        str_addn(out, json_object_get_string((struct json_object *)value),
                 (size_t)json_object_get_string_len(value));
    else
        write_repr(out, value);
}

static void write_json_string(struct str *out, const char *text, size_t len)
{
    str_addch(out, '"');
    for (size_t i = 0; i < len;) {
        uint32_t point;
        size_t size = decode(text + i, len - i, &point);
        if (point == '"' || point == '\\')
            str_addf(out, "\\%c", (char)point);
        else if (point == '\n' || point == '\r' || point == '\t')
            str_addf(out, "\\%c", point == '\n' ? 'n' : point == '\r' ? 'r' : 't');
        else if (point == '\b' || point == '\f')
            str_addf(out, "\\%c", point == '\b' ? 'b' : 'f');
        else if (point >= 0x20 && point < 0x7F)
            str_addch(out, (char)point);
        else if (point <= 0xFFFF)
            str_addf(out, "\\u%04x", (unsigned)point);
        else
            str_addf(out, "\\u%04x\\u%04x", (unsigned)(0xD800 + ((point - 0x10000) >> 10)),
                     (unsigned)(0xDC00 + ((point - 0x10000) & 0x3FF)));
        i += size;
    }
    str_addch(out, '"');
}

static void write_json_container(struct str *out, const struct json_object *value)
{
    bool first = true;
    if (json_object_is_type(value, json_type_array)) {
        str_addch(out, '[');
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            str_add(out, i ? ", " : "");
            python_write_json(out, json_object_array_get_idx(value, i));
        }
        str_addch(out, ']');
        return;
    }
    str_addch(out, '{');
    json_object_object_foreach((struct json_object *)value, key, member)
    {
        str_add(out, first ? "" : ", ");
        first = false;
        write_json_string(out, key, strlen(key));
        str_add(out, ": ");
        python_write_json(out, member);
    }
    str_addch(out, '}');
}

void python_write_json(struct str *out, const struct json_object *value)
{
    double number;
    switch (json_object_get_type(value)) {
    case json_type_null:
    case json_type_boolean:
    case json_type_int:
        json_write(out, value);
        return;
    case json_type_double:
        number = json_object_get_double(value);
        if (isfinite(number))
            write_double(out, number);
        else
            json_write_double(out, number);
        return;
    case json_type_string:
        write_json_string(out, json_object_get_string((struct json_object *)value),
                          (size_t)json_object_get_string_len(value));
        return;
    case json_type_array:
    case json_type_object:
        write_json_container(out, value);
        return;
    }
}
