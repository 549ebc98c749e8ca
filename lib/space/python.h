// Private to lib/space: the text forms that Python gives to JSON-like values, which W&B's agent
// puts on command lines.
#pragma once

#include "base/str.h"

struct json_object;

// str(value): True, None, 1e-05, text as it is, [1, 'a'], {'b': 1}.
void python_write_str(struct str *out, const struct json_object *value);

// repr(text) of a string: quotes and escapes as Python chooses them.
void python_write_repr(struct str *out, const char *text, size_t len);

// json.dumps(value): ", " and ": " between, everything beyond ASCII as \uXXXX.
void python_write_json(struct str *out, const struct json_object *value);
