// The list of problems of a spec: bounded, sorted by place, written as text.
#include "spec/problems.h"

#include "base/mem.h"

#include <stdlib.h>

static const char *const severity_words[] = {"error", "warning", "notice"};

const char *problem_severity_word(enum problem_severity severity)
{
    return severity_words[severity];
}

void problems_release(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        free(problems->items[i].message);
    free(problems->items);
    *problems = (struct problems){0};
}

// A message is one line of UTF-8, whatever the spec put into it.
static void clean(struct str *message)
{
    for (size_t i = 0; i < message->len; i++) {
        unsigned char c = (unsigned char)message->s[i];
        if (c < 0x20 || c == 0x7F)
            message->s[i] = ' ';
    }
    if (utf8_valid(message->s, message->len))
        return;
    // Only a text cut in the middle of a character can be at fault: keep what is ASCII.
    for (size_t i = 0; i < message->len; i++) {
        if ((unsigned char)message->s[i] >= 0x80)
            message->s[i] = '?';
    }
}

// The slot that a new problem takes, or NULL when it is only counted.
static struct problem *free_slot(struct problems *problems, enum problem_severity severity)
{
    if (problems->count < SPEC_PROBLEMS_MAX) {
        ARRAY_GROW(problems->items, problems->count, problems->capacity);
        return &problems->items[problems->count++];
    }
    if (severity != PROBLEM_ERROR)
        return NULL;
    for (size_t i = problems->count; i-- > 0;) {
        if (problems->items[i].severity != PROBLEM_ERROR) {
            free(problems->items[i].message);
            return &problems->items[i];
        }
    }
    return NULL;
}

void problems_vadd(struct problems *problems, enum problem_severity severity, int line, int column,
                   const char *format, va_list args)
{
    if (severity == PROBLEM_ERROR)
        problems->error_count++;
    else if (severity == PROBLEM_WARNING)
        problems->warning_count++;
    else
        problems->notice_count++;
    struct problem *slot = free_slot(problems, severity);
    if (!slot)
        return;
    struct str message = STR_INIT;
    str_vaddf(&message, format, args);
    clean(&message);
    *slot = (struct problem){severity, line, column, str_detach(&message)};
}

void problems_add(struct problems *problems, enum problem_severity severity, int line, int column,
                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problems_vadd(problems, severity, line, column, format, args);
    va_end(args);
}

// Insertion sort: stable, and the list is short and nearly in order.
void problems_sort(struct problems *problems)
{
    for (size_t i = 1; i < problems->count; i++) {
        struct problem moved = problems->items[i];
        size_t at = i;
        while (at > 0 && (problems->items[at - 1].line > moved.line ||
                          (problems->items[at - 1].line == moved.line &&
                           problems->items[at - 1].column > moved.column))) {
            problems->items[at] = problems->items[at - 1];
            at--;
        }
        problems->items[at] = moved;
    }
}

void problems_write_text(struct str *out, const struct problems *problems, const char *file)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        str_addf(out, "%s:%d:%d: %s: %s\n", file, problem->line, problem->column,
                 problem_severity_word(problem->severity), problem->message);
    }
    size_t all = problems->error_count + problems->warning_count + problems->notice_count;
    if (all > problems->count)
        str_addf(out, "%s: %zu more problems are not shown: correct these first\n", file,
                 all - problems->count);
}
