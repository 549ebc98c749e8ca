// Expressions: binding and evaluation.
//
// Truth has three values (Kleene, "Introduction to Metamathematics", 1952, section 64): what
// depends on an inactive parameter is open, and stays open unless the rest decides. The public face
// knows two: open is not true.

#include "base/mem.h"
#include "space/expr_impl.h"

#include <assert.h>
#include <math.h>
#include <string.h>

// An operand: a value whose text is borrowed, or nothing where a parameter is inactive.
struct operand {
    bool absent;
    struct value value; // text borrowed
};

const char *const *expr_names(const struct expr *expr, size_t *ret_count)
{
    *ret_count = expr->name_count;
    return (const char *const *)expr->names;
}

const char *expr_text(const struct expr *expr)
{
    return expr->source;
}

const int *expr_bound(const struct expr *expr, size_t *ret_count)
{
    *ret_count = expr->name_count;
    return expr->bound;
}

int expr_bind(struct expr *expr, int (*resolve)(void *context, const char *name), void *context,
              struct err *err)
{
    for (size_t i = 0; i < expr->name_count; i++) {
        int index = resolve(context, expr->names[i]);
        if (index < 0)
            return err_set(err, ERR_NOT_FOUND, "'%s' is not a parameter", expr->names[i]);
        expr->bound[i] = index;
    }
    return 0;
}

static struct operand boolean(bool truth)
{
    return (struct operand){.value = {.kind = VALUE_BOOL, .boolean = truth}};
}

static struct operand number(double n)
{
    return (struct operand){.value = {.kind = VALUE_FLOAT, .number = n}};
}

static const struct operand absent = {.absent = true};

static double to_number(const struct operand *operand)
{
    double n;
    return value_number(&operand->value, &n) ? n : (double)NAN;
}

static bool truth(const struct operand *operand)
{
    const struct value *value = &operand->value;
    double n;
    if (value_number(value, &n))
        return n != 0 && !isnan(n);
    if (value->kind == VALUE_STRING)
        return value->text[0] != '\0';
    return value->kind == VALUE_JSON;
}

static struct operand combine(enum expr_op op, const struct operand *a, const struct operand *b)
{
    bool decides = op == OP_OR; // the value that decides alone
    if (!a->absent && truth(a) == decides)
        return boolean(decides);
    if (!b->absent && truth(b) == decides)
        return boolean(decides);
    return a->absent || b->absent ? absent : boolean(!decides);
}

// A NaN that was computed equals nothing, as in Python; value_equal, for points of a grid, has it
// equal itself.
static bool equal(const struct operand *a, const struct operand *b)
{
    const struct value *x = &a->value;
    if (x->kind == VALUE_FLOAT && isnan(x->number))
        return false;
    return value_equal(x, &b->value);
}

static bool order(enum expr_op op, const struct operand *a, const struct operand *b)
{
    double x, y;
    if (a->value.kind == VALUE_STRING && b->value.kind == VALUE_STRING) {
        x = strcmp(a->value.text, b->value.text);
        y = 0;
    } else {
        x = to_number(a);
        y = to_number(b);
    }
    return op == OP_LT ? x < y : op == OP_LE ? x <= y : op == OP_GT ? x > y : x >= y;
}

static struct operand compare(enum expr_op op, const struct operand *a, const struct operand *b)
{
    if (a->absent || b->absent)
        return absent;
    if (op == OP_EQ || op == OP_NE)
        return boolean(equal(a, b) == (op == OP_EQ));
    return boolean(order(op, a, b));
}

// Division and remainder round down, as in Python: -7 // 2 is -4, -7 % 3 is 2.
static double calculate(enum expr_op op, double a, double b)
{
    switch ((int)op) {
    case OP_ADD:
        return a + b;
    case OP_SUB:
        return a - b;
    case OP_MUL:
        return a * b;
    case OP_DIV:
        return b == 0 ? (double)NAN : a / b;
    case OP_FLOOR_DIV:
        return b == 0 ? (double)NAN : floor(a / b);
    case OP_MOD: {
        double rest = b == 0 ? (double)NAN : fmod(a, b);
        return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
    case OP_POW:
        return pow(a, b);
    case OP_MIN:
        return isnan(a) || isnan(b) ? (double)NAN : fmin(a, b);
    default:
        return isnan(a) || isnan(b) ? (double)NAN : fmax(a, b);
    }
}

static double apply(enum expr_op op, double a)
{
    switch ((int)op) {
    case OP_NEG:
        return -a;
    case OP_ABS:
        return fabs(a);
    case OP_LOG:
        return log(a);
    case OP_LOG2:
        return log2(a);
    case OP_LOG10:
        return log10(a);
    case OP_EXP:
        return exp(a);
    case OP_SQRT:
        return sqrt(a);
    case OP_FLOOR:
        return floor(a);
    case OP_CEIL:
        return ceil(a);
    default:
        return rint(a); // half to even, as Python's round()
    }
}

// The machine: operands so far, the topmost last.
struct machine {
    struct operand stack[EXPR_STACK_MAX + 1];
    size_t count;
};

static void step_binary(struct machine *machine, enum expr_op op)
{
    struct operand *a = &machine->stack[machine->count - 2], *b = a + 1;
    machine->count--;
    if (op == OP_OR || op == OP_AND)
        *a = combine(op, a, b);
    else if (op >= OP_EQ && op <= OP_GE)
        *a = compare(op, a, b);
    else
        *a = a->absent || b->absent ? absent : number(calculate(op, to_number(a), to_number(b)));
}

static void step_membership(struct machine *machine, enum expr_op op)
{
    if (op == OP_IN_EACH) {
        struct operand *x = &machine->stack[machine->count - 3];
        struct operand same = compare(OP_EQ, x, x + 2);
        x[1] = combine(OP_OR, &x[1], &same);
        machine->count--;
        return;
    }
    struct operand *x = &machine->stack[machine->count - 2];
    *x = x->absent || x[1].absent ? absent : boolean(truth(&x[1]) == (op == OP_IN));
    machine->count--;
}

static void step(struct machine *machine, enum expr_op op)
{
    struct operand *top = &machine->stack[machine->count - 1];
    if (op == OP_IN_EACH || op == OP_IN || op == OP_NOT_IN)
        step_membership(machine, op);
    else if (op == OP_NOT)
        *top = top->absent ? absent : boolean(!truth(top));
    else if (op == OP_NEG || op == OP_ABS || (op >= OP_LOG && op <= OP_ROUND))
        *top = top->absent ? absent : number(apply(op, to_number(top)));
    else
        step_binary(machine, op);
}

static struct operand literal(const struct expr *expr, const struct expr_code *code)
{
    switch ((int)code->op) {
    case OP_NUMBER:
        return number(code->number);
    case OP_INT:
        return (struct operand){.value = {.kind = VALUE_INT, .integer = code->integer}};
    case OP_TEXT:
        return (struct operand){.value = {.kind = VALUE_STRING, .text = expr->texts[code->index]}};
    case OP_BOOL:
        return boolean(code->boolean);
    default:
        return (struct operand){.value = {.kind = VALUE_NULL}};
    }
}

// One of the two forms of values is given.
static enum expr_verdict judge(const struct expr *expr, const struct value *const *pointers,
                               const struct value *values, const bool *active)
{
    struct machine machine;
    machine.count = 0;
    for (size_t i = 0; i < expr->count; i++) {
        const struct expr_code *code = &expr->code[i];
        if (code->op > OP_NAME) {
            step(&machine, code->op);
            continue;
        }
        struct operand operand = absent;
        if (code->op == OP_NAME) {
            int index = expr->bound[code->index];
            const struct value *value = pointers        ? pointers[index]
                                        : active[index] ? &values[index]
                                                        : NULL;
            if (value)
                operand = (struct operand){.value = *value};
        } else {
            operand = literal(expr, code);
        }
        machine.stack[machine.count++] = operand;
    }
    assert(machine.count == 1);
    if (machine.stack[0].absent)
        return EXPR_OPEN;
    return truth(&machine.stack[0]) ? EXPR_TRUE : EXPR_FALSE;
}

enum expr_verdict expr_judge(const struct expr *expr, const struct value *const *values)
{
    return judge(expr, values, NULL, NULL);
}

enum expr_verdict expr_judge_point(const struct expr *expr, const struct value *values,
                                   const bool *active)
{
    return judge(expr, NULL, values, active);
}

bool expr_holds(const struct expr *expr, const struct value *const *values)
{
    return judge(expr, values, NULL, NULL) == EXPR_TRUE;
}
