// Statements: prepared once a connection, bound and reset in one place.
//
// A query is opened, its parameters are put in the order of the statement's question marks, it is
// stepped, and the columns of a row are got in their order. Text and blobs that are put must live
// until the query is closed; text that is got lives until the next step. query_close may be called
// on a zeroed query and on one that failed.
#pragma once

#include "base/err.h"
#include "controller/store/statements.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct store;

struct query {
    struct store *store;
    sqlite3_stmt *statement;
    bool shared; // the connection's own, to be reset; else finalised
    int next;    // parameter or column that comes next
    int rc;      // first failure of a put
};

int query_open(struct store *store, enum statement id, struct query *ret, struct err *err);
// 1: a row; 0: none left; negative: an error.
int query_step(struct query *query, struct err *err);
void query_close(struct query *query);
// Step to the end and close: for statements without rows.
int query_run(struct query *query, struct err *err);

void put_null(struct query *query);
void put_u64(struct query *query, uint64_t value);
void put_i64(struct query *query, int64_t value);
void put_some(struct query *query, uint64_t value); // 0: NULL
void put_time(struct query *query, int64_t value);  // 0: NULL
void put_double(struct query *query, double value);
void put_value(struct query *query, bool has, double value); // NULL, REAL or 'NaN'
void put_text(struct query *query, const char *s);           // NULL: ''
void put_optional(struct query *query, const char *s);       // NULL and "": NULL
void put_pointer_text(struct query *query, const char *s);   // NULL: NULL

uint64_t get_u64(struct query *query); // NULL: 0
uint32_t get_u32(struct query *query);
int64_t get_i64(struct query *query);
double get_double(struct query *query);
bool get_value(struct query *query, double *ret);
char *get_text(struct query *query); // NULL: ""; borrowed, not to be written to
bool get_null(struct query *query);  // looks at the next column without taking it

// The code for the connection's last failure, with a sentence that says what to do. Marks the data
// directory after an I/O error (see dir.c).
int store_failure(struct store *store, int sqlite_code, struct err *err);

// Run SQL that is not in the table (pragmas, schema, views).
int store_exec(struct store *store, const char *sql, struct err *err);
