// The ends of a run: words and meanings out of the one table.

#include "base/exit_class.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *word, *meaning;
    uint32_t retries;
} classes[EXIT_CLASS_COUNT] = {
#define EXIT_CLASS_ROW(id, word, retries, text) {word, text, retries},
    EXIT_CLASS_LIST(EXIT_CLASS_ROW)
#undef EXIT_CLASS_ROW
};

const char *exit_class_word(enum exit_class class_id)
{
    return classes[class_id].word;
}

const char *exit_class_meaning(enum exit_class class_id)
{
    return classes[class_id].meaning;
}

uint32_t exit_class_default_retries(enum exit_class class_id)
{
    return classes[class_id].retries;
}

bool exit_class_parse(const char *word, enum exit_class *ret)
{
    for (size_t i = 0; i < EXIT_CLASS_COUNT; i++) {
        if (strcmp(classes[i].word, word) == 0) {
            *ret = (enum exit_class)i;
            return true;
        }
    }
    return false;
}
