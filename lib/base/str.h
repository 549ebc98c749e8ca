// A growing byte string, NUL-terminated at all times (also when it holds NUL bytes).
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct str {
    char *s;    // never NULL after str_init; s[len] == 0
    size_t len; // bytes, without the terminator
    size_t capacity;
};

#define STR_INIT ((struct str){0})

void str_init(struct str *str);
void str_release(struct str *str);
void str_clear(struct str *str); // length 0, memory kept
void str_add(struct str *str, const char *s);
void str_addn(struct str *str, const void *data, size_t len);
void str_addch(struct str *str, char c);
void str_addf(struct str *str, const char *format, ...) __attribute__((format(printf, 2, 3)));
void str_vaddf(struct str *str, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

// The string itself, never NULL ("" for a zeroed str).
const char *str_get(const struct str *str);

// Return the heap string, which the caller now owns; `str` is empty and usable again.
char *str_detach(struct str *str);

bool str_equal(const char *a, const char *b); // NULL equals NULL only
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

// Strict UTF-8 (no overlong forms, no surrogates).
bool utf8_valid(const char *s, size_t len);

// The word of `words` (NULL-terminated) that `word` was most likely meant to be: smallest
// Damerau-Levenshtein distance, at most max(1, length / 3) and below the length; NULL if none is near.
const char *str_nearest(const char *word, const char *const *words);
