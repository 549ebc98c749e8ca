// "${name}" in a text.

#include "base/macro.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define ENVVAR "envvar:"

void macro_finish(struct str *out, const char *text, const char *(*lookup)(void *context, const char *name), void *context)
{
    while (*text) {
        const char *end = text[0] == '$' && text[1] == '{' ? strchr(text, '}') : NULL;
        if (text[0] == '$' && text[1] == '$') {
            str_addch(out, '$');
            text += 2;
        } else if (end) {
            char *name = xstrndup(text + 2, (size_t)(end - text) - 2);
            const char *value = lookup(context, name);
            if (value)
                str_add(out, value);
            else if (str_starts(name, ENVVAR))
                str_add(out, name + strlen(ENVVAR));
            else
                str_addn(out, text, (size_t)(end - text) + 1);
            free(name);
            text = end + 1;
        } else {
            str_addch(out, *text++);
        }
    }
}
