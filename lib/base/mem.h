// Memory: allocation that never returns NULL, and growing arrays.
//
// Small allocations abort with a message: the daemons are crash-only and the store makes that safe.
// A size that comes from outside is checked against a named limit before it gets here.
#pragma once

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xreallocarray(void *pointer, size_t count, size_t size);
char *xstrdup(const char *s); // NULL gives NULL
char *xstrndup(const char *s, size_t len); // `s` holds at least `len` bytes
void *xmemdup(const void *data, size_t size);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Make room for one more element in the array `items` of `capacity` elements that holds `count`.
#define ARRAY_GROW(items, count, capacity)                                                         \
    do {                                                                                           \
        if ((count) >= (capacity)) {                                                               \
            (capacity) = (capacity) ? (capacity) * 2 : 8;                                          \
            (items) = xreallocarray((items), (capacity), sizeof *(items));                         \
        }                                                                                          \
    } while (0)

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
