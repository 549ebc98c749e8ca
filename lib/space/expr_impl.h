// Private to lib/space: the compiled form of an expression, a program for a stack machine.
//
// Reverse Polish notation needs no recursion to evaluate or to free, however long the source is;
// the deepest the stack can get is counted while parsing.
#pragma once

#include "space/expr.h"

#define EXPR_STACK_MAX 512 // 64 levels of nesting, each with at most 8 operands waiting

enum expr_op {
    OP_NUMBER,
    OP_INT,
    OP_TEXT,
    OP_BOOL,
    OP_NULL,
    OP_NAME,
    OP_OR,
    OP_AND,
    OP_NOT,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN_EACH, // x, found, element → x, found or x == element
    OP_IN,      // x, found → found
    OP_NOT_IN,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_FLOOR_DIV,
    OP_MOD,
    OP_POW,
    OP_NEG,
    OP_ABS,
    OP_MIN, // of two; of more by repetition
    OP_MAX,
    OP_LOG,
    OP_LOG2,
    OP_LOG10,
    OP_EXP,
    OP_SQRT,
    OP_FLOOR,
    OP_CEIL,
    OP_ROUND
};

struct expr_code {
    enum expr_op op;
    int index; // OP_NAME: place in names; OP_TEXT: place in texts
    union {
        double number;
        int64_t integer;
        bool boolean;
    };
};

struct expr {
    char *source;
    struct expr_code *code;
    size_t count, capacity;
    char **names; // in order of first use
    int *bound;   // by name: the index that expr_bind found, -1 before
    size_t name_count, name_capacity;
    char **texts;
    size_t text_count, text_capacity;
};

// What an expression says of a configuration. Open: it depends on a parameter that is inactive.
enum expr_verdict { EXPR_FALSE, EXPR_TRUE, EXPR_OPEN };

enum expr_verdict expr_judge(const struct expr *expr, const struct value *const *values);

// As expr_judge with values[index], used where active[index].
enum expr_verdict expr_judge_point(const struct expr *expr, const struct value *values,
                                   const bool *active);

// The indices that the names are bound to, name_count of them.
const int *expr_bound(const struct expr *expr, size_t *ret_count);
