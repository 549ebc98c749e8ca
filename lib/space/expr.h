// Expressions over parameters, for `constraints:` and `when:`.
//
// Grammar (one for both; precedence from loose to tight):
//   or:      and ( ("or" | "||") and )*
//   and:     not ( ("and" | "&&") not )*
//   not:     ("not" | "!") not | compare
//   compare: sum ( ("==" | "!=" | "<" | "<=" | ">" | ">=") sum | "in" list | "not in" list )?
//   sum:     term ( ("+" | "-") term )*
//   term:    unary ( ("*" | "/" | "//" | "%") unary )*
//   unary:   ("-" | "+") unary | power
//   power:   primary ( ("**" | "^") unary )?
//   primary: "(" or ")" | call | literal | name
//   call:    ("abs"|"min"|"max"|"log"|"log2"|"log10"|"exp"|"sqrt"|"floor"|"ceil"|"round") "(" or ("," or)* ")"
//   literal: number | 'text' | "text" | true | false | null
//   name:    parameter; dots reach into nested ones (model.depth); `a-b` is quoted with back-ticks
// What depends on an inactive (absent) parameter is open, neither true nor false; "open or true" is true,
// "open and false" is false, "not open" is open. A condition that stays open does not hold, a constraint that
// stays open excludes nothing. Operands of different types are unequal and in no order; division by zero is NaN.
#pragma once

#include "base/err.h"
#include "space/value.h"

#include <stdbool.h>
#include <stddef.h>

#define EXPR_LENGTH_MAX 4096 // bytes of source
#define EXPR_DEPTH_MAX 64    // nesting

struct expr;

// Parse `text`. On failure ERR_INVALID, the sentence names the column (1-based) in `text`, which is
// also written to *ret_column where that is not NULL. The caller owns *ret.
int expr_parse(const char *text, struct expr **ret, size_t *ret_column, struct err *err);
void expr_free(struct expr *expr);

// Names used, in order of first use; borrowed from the expression. Count in *ret_count.
const char *const *expr_names(const struct expr *expr, size_t *ret_count);

// Bind each name to an index for evaluation: resolve(context, name) returns the index or -1.
// ERR_NOT_FOUND with the offending name in the sentence when one gives -1.
int expr_bind(struct expr *expr, int (*resolve)(void *context, const char *name), void *context,
              struct err *err);

// Evaluate to true or false with values[index] of each bound name; NULL is an inactive parameter. What is
// left open by one is false.
bool expr_holds(const struct expr *expr, const struct value *const *values);

// The source text.
const char *expr_text(const struct expr *expr);
