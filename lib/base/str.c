// A growing byte string, and the few questions all parts ask of strings.

#include "base/str.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAREST_LENGTH_MAX 64

static void reserve(struct str *str, size_t more)
{
    size_t need = str->len + more + 1;
    if (need <= str->capacity)
        return;
    size_t capacity = str->capacity ? str->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    str->s = xreallocarray(str->s, capacity, 1);
    str->capacity = capacity;
}

void str_init(struct str *str)
{
    *str = STR_INIT;
    reserve(str, 0);
    str->s[0] = '\0';
}

void str_release(struct str *str)
{
    free(str->s);
    *str = STR_INIT;
}

void str_clear(struct str *str)
{
    str->len = 0;
    if (str->s)
        str->s[0] = '\0';
}

void str_addn(struct str *str, const void *data, size_t len)
{
    reserve(str, len);
    if (len > 0)
        memcpy(str->s + str->len, data, len);
    str->len += len;
    str->s[str->len] = '\0';
}

void str_add(struct str *str, const char *s)
{
    str_addn(str, s, strlen(s));
}

void str_addch(struct str *str, char c)
{
    str_addn(str, &c, 1);
}

void str_vaddf(struct str *str, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    reserve(str, (size_t)len);
    vsnprintf(str->s + str->len, (size_t)len + 1, format, again);
    str->len += (size_t)len;
    va_end(again);
}

void str_addf(struct str *str, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str_vaddf(str, format, args);
    va_end(args);
}

const char *str_get(const struct str *str)
{
    return str->s ? str->s : "";
}

char *str_detach(struct str *str)
{
    reserve(str, 0);
    str->s[str->len] = '\0';
    char *s = str->s;
    *str = STR_INIT;
    return s;
}

bool str_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t len = strlen(s), tail = strlen(suffix);
    return len >= tail && memcmp(s + len - tail, suffix, tail) == 0;
}

// Length of the well-formed sequence at s (Unicode 15, table 3-7), 0 when it is not one.
static size_t utf8_sequence(const unsigned char *s, size_t len)
{
    if (s[0] < 0x80)
        return 1;
    size_t need = s[0] >= 0xC2 && s[0] <= 0xDF ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : s[0] >= 0xF0 && s[0] <= 0xF4 ? 4 : 0;
    if (need == 0 || len < need)
        return 0;
    unsigned char low = 0x80, high = 0xBF;
    if (s[0] == 0xE0)
        low = 0xA0;
    else if (s[0] == 0xED)
        high = 0x9F;
    else if (s[0] == 0xF0)
        low = 0x90;
    else if (s[0] == 0xF4)
        high = 0x8F;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return need;
}

bool utf8_valid(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    while (len > 0) {
        size_t step = utf8_sequence(p, len);
        if (step == 0)
            return false;
        p += step;
        len -= step;
    }
    return true;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Optimal string alignment distance: insertions, deletions, changes, and swaps of neighbours count one each.
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NEAREST_LENGTH_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        last[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t cost = a[i - 1] != b[j - 1];
            row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b_len];
}

const char *str_nearest(const char *word, const char *const *words)
{
    size_t len = strlen(word);
    if (len > NEAREST_LENGTH_MAX)
        return NULL;
    size_t limit = len / 3 > 1 ? len / 3 : 1, best = SIZE_MAX;
    const char *nearest = NULL;
    for (; *words; words++) {
        size_t other = strlen(*words);
        if (other > NEAREST_LENGTH_MAX)
            continue;
        size_t d = distance(word, len, *words, other);
        if (d <= limit && d < len && d < best) {
            best = d;
            nearest = *words;
        }
    }
    return nearest;
}
