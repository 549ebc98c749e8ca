// "${name}" in a text: the one small language of command lines.
#pragma once

#include "base/str.h"

// Append `text` with every ${name} replaced by lookup(context, name) and "$$" by "$". An undefined ${envvar:NAME} becomes its NAME, as
// in W&B's agent; any other name without a value stays as it is written.
void macro_finish(struct str *out, const char *text, const char *(*lookup)(void *context, const char *name), void *context);
