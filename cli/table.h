// Tables for people: columns aligned, numbers to the right, cut to the terminal's width.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table;

// Column titles end with NULL; a title that starts with '>' is aligned to the right.
struct table *table_new(const char *const *titles);
void table_free(struct table *table);

// Append a cell (NULL or "" shows as "-"); after the last column the next row begins.
void table_cell(struct table *table, const char *text);
void table_cellf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Print; `width` 0: as wide as it is, else lines are cut there.
void table_print(const struct table *table, FILE *out, size_t width);

// Columns of the terminal that `out` is, 0 when it is none.
size_t terminal_width(FILE *out);

// A value as people want it: up to 6 significant digits, nan and inf by name.
void format_value(double value, char *text, size_t size);

// "2026-11-23 15:04:05" local time; "-" for 0.
void format_time(long long wall_ms, char *text, size_t size);
