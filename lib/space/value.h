// A hyperparameter's value: null, boolean, integer, float, string, or a list or mapping as JSON.
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct json_object;

enum value_kind { VALUE_NULL, VALUE_BOOL, VALUE_INT, VALUE_FLOAT, VALUE_STRING, VALUE_JSON };

// Plain data. `text` (VALUE_STRING; VALUE_JSON: compact JSON text, UTF-8) is owned by the value.
struct value {
    enum value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
    };
    char *text;
};

void value_release(struct value *value);
struct value value_copy(const struct value *value);

// Equality as W&B's grid has it: 3e6 equals 3000000 (a float of integral value equals the integer),
// true and 1 differ, NaN equals NaN, key order of mappings does not matter.
bool value_equal(const struct value *a, const struct value *b);

// A hash that agrees with value_equal.
uint64_t value_hash(const struct value *value);

// The number behind an integer, a float or a boolean (0 or 1); false for the rest.
bool value_number(const struct value *value, double *ret);

// Append as JSON; as the text that Python's str() gives (True, None, 1e-05, [1, 2], {'b': 1}), which is
// what W&B puts on command lines; as a person reads it in a table (short, unquoted).
void value_write_json(struct str *out, const struct value *value);
void value_write_python(struct str *out, const struct value *value);
void value_write_plain(struct str *out, const struct value *value);

// From JSON; the value is the caller's to release.
struct value value_from_json(const struct json_object *json);
