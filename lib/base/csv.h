// Comma-separated values (RFC 4180), as tables and spreadsheets write them: quoted cells may hold commas, quotes (doubled) and
// newlines; lines end with LF or CRLF; a byte order mark is passed over.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct csv {
    char *text;   // the caller's, written to: cells are terminated in place
    size_t at, len;
    int line;     // of the record that was read last, from 1
    int next_line;
    char **cells; // of that record; they point into text
    size_t count, capacity;
};

// `text` has a terminator at text[len], is the caller's and must outlive the reader; it is changed.
void csv_init(struct csv *csv, char *text, size_t len);
void csv_release(struct csv *csv);

// The next record that is not an empty line: 1; 0 at the end; ERR_INVALID (a quote that is not closed, text behind a closing quote, a NUL
// byte) with the line.
int csv_next(struct csv *csv, struct err *err);
