// JSON on json-c, with the few rules all of Trawl shares: NaN, Infinity and -Infinity are read and
// written, doubles are written in the shortest form that reads back equal, depth and size are bounded.
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 32

// Parse exactly one JSON value (trailing white space allowed). The caller owns *ret (json_object_put).
// ERR_INVALID with the position on anything else, also on invalid UTF-8 and on depth over JSON_DEPTH_MAX; ERR_LIMIT over
// 1 GiB. Integers are int64 or uint64; larger ones become doubles. Of equal keys the last counts.
int json_parse(const char *text, size_t len, struct json_object **ret, struct err *err);

// Append `value` as compact JSON, keys in their order. NULL appends null.
void json_write(struct str *out, const struct json_object *value);

// Append `s` as a quoted JSON string; invalid UTF-8 bytes become U+FFFD.
void json_write_string(struct str *out, const char *s, size_t len);

// Append a double (shortest form; NaN, Infinity, -Infinity; integral values keep ".0").
void json_write_double(struct str *out, double value);

// Members with a type check: false when absent or of another type (a JSON int counts as double; one above INT64_MAX is
// no i64).
bool json_get_string(const struct json_object *object, const char *key, const char **ret);
bool json_get_i64(const struct json_object *object, const char *key, int64_t *ret);
bool json_get_double(const struct json_object *object, const char *key, double *ret);
bool json_get_bool(const struct json_object *object, const char *key, bool *ret);
