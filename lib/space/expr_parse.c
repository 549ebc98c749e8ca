// Expressions: source text to program, by recursive descent.
//
// Every rule that can call itself counts its depth, so the C stack is bounded by EXPR_DEPTH_MAX.

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "space/expr_impl.h"

#include <stdlib.h>
#include <string.h>

enum token {
    TOKEN_END,
    TOKEN_NUMBER,
    TOKEN_TEXT,
    TOKEN_NAME, // may be a keyword: compared by word()
    TOKEN_QUOTED_NAME,
    TOKEN_SYMBOL
};

struct parser {
    const char *text;
    size_t at;   // start of the current token
    size_t next; // behind it
    enum token token;
    size_t depth; // nesting of rules
    size_t stack; // operands on the machine's stack
    struct expr *expr;
    struct err *err;
    size_t column; // of the error, 1-based
};

static const char *const functions[] = {"abs", "min",  "max",   "log",  "log2",  "log10",
                                        "exp", "sqrt", "floor", "ceil", "round", NULL};
static const enum expr_op function_ops[] = {OP_ABS, OP_MIN,  OP_MAX,   OP_LOG,  OP_LOG2, OP_LOG10,
                                            OP_EXP, OP_SQRT, OP_FLOOR, OP_CEIL, OP_ROUND};

static int parse_or(struct parser *parser);
static int parse_unary(struct parser *parser);

__attribute__((format(printf, 3, 4))) static int fail_at(struct parser *parser, size_t at,
                                                         const char *format, ...)
{
    struct str message = STR_INIT;
    va_list args;
    va_start(args, format);
    str_vaddf(&message, format, args);
    va_end(args);
    parser->column = at + 1;
    int rc = err_set(parser->err, ERR_INVALID, "column %zu: %s", at + 1, str_get(&message));
    str_release(&message);
    return rc;
}

static bool name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t scan_number(const char *s)
{
    size_t len = strspn(s, "0123456789");
    if (s[len] == '.')
        len += 1 + strspn(s + len + 1, "0123456789");
    if (s[len] == 'e' || s[len] == 'E') {
        size_t mark = len + 1 + (s[len + 1] == '+' || s[len + 1] == '-');
        if (digit(s[mark]))
            len = mark + strspn(s + mark, "0123456789");
    }
    return len;
}

static size_t scan_symbol(const char *s)
{
    static const char *const pairs[] = {"==", "!=", "<=", ">=", "||", "&&", "//", "**"};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        if (str_starts(s, pairs[i]))
            return 2;
    return 1;
}

// Move to the next token.
static int advance(struct parser *parser)
{
    const char *text = parser->text;
    parser->at = parser->next + strspn(text + parser->next, " \t\r\n");
    const char *s = text + parser->at;
    size_t len = 0;
    if (*s == '\0') {
        parser->token = TOKEN_END;
    } else if (digit(*s) || (*s == '.' && digit(s[1]))) {
        parser->token = TOKEN_NUMBER;
        len = scan_number(s);
    } else if (name_start(*s)) {
        parser->token = TOKEN_NAME;
        while (name_start(s[len]) || digit(s[len]) || (s[len] == '.' && name_start(s[len + 1])))
            len++;
    } else if (*s == '\'' || *s == '"' || *s == '`') {
        parser->token = *s == '`' ? TOKEN_QUOTED_NAME : TOKEN_TEXT;
        for (len = 1; s[len] && s[len] != *s; len++)
            if (s[len] == '\\' && *s != '`' && s[len + 1])
                len++;
        if (!s[len])
            return fail_at(parser, parser->at, "the text that starts with %c has no end", *s);
        len++;
    } else {
        parser->token = TOKEN_SYMBOL;
        len = scan_symbol(s);
    }
    parser->next = parser->at + len;
    return 0;
}

static bool is(const struct parser *parser, enum token token, const char *spelling)
{
    return parser->token == token && parser->next - parser->at == strlen(spelling) &&
           strncmp(parser->text + parser->at, spelling, parser->next - parser->at) == 0;
}

static bool symbol(const struct parser *parser, const char *spelling)
{
    return is(parser, TOKEN_SYMBOL, spelling);
}

static bool word(const struct parser *parser, const char *spelling)
{
    return is(parser, TOKEN_NAME, spelling);
}

// An operator and how it is written.
struct spelling {
    const char *text;
    enum expr_op op;
};

static bool operator(const struct parser *parser, const struct spelling *ops, size_t count,
                     enum expr_op *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (symbol(parser, ops[i].text)) {
            *ret = ops[i].op;
            return true;
        }
    }
    return false;
}

static int fail(struct parser *parser, const char *expected)
{
    if (parser->token == TOKEN_END)
        return fail_at(parser, parser->at, "the expression ends where %s should follow", expected);
    return fail_at(parser, parser->at, "'%.*s' stands where %s should be",
                   (int)(parser->next - parser->at), parser->text + parser->at, expected);
}

static int enter(struct parser *parser)
{
    if (++parser->depth > EXPR_DEPTH_MAX)
        return fail_at(parser, parser->at, "nested more than %d deep", EXPR_DEPTH_MAX);
    return 0;
}

// Append an instruction that changes the stack by `effect` operands.
static int emit(struct parser *parser, struct expr_code code, int effect)
{
    struct expr *expr = parser->expr;
    ARRAY_GROW(expr->code, expr->count, expr->capacity);
    expr->code[expr->count++] = code;
    parser->stack = (size_t)((long)parser->stack + effect);
    if (parser->stack > EXPR_STACK_MAX)
        return fail_at(parser, parser->at, "too many operands wait here; split the expression");
    return 0;
}

static int emit_op(struct parser *parser, enum expr_op op, int effect)
{
    return emit(parser, (struct expr_code){.op = op}, effect);
}

static int expect(struct parser *parser, const char *spelling, const char *expected)
{
    if (!symbol(parser, spelling))
        return fail(parser, expected);
    return advance(parser);
}

static int parse_number(struct parser *parser)
{
    char *text = xstrndup(parser->text + parser->at, parser->next - parser->at);
    struct expr_code code = {.op = OP_INT};
    bool ok = num_parse_i64(text, &code.integer);
    if (!ok) {
        code.op = OP_NUMBER;
        ok = num_parse_double(text, &code.number);
    }
    free(text);
    if (ok && name_start(parser->text[parser->next]))
        ok = false; // 3x
    if (!ok)
        return fail(parser, "a number");
    int rc = emit(parser, code, 1);
    return rc == 0 ? advance(parser) : rc;
}

static int parse_text(struct parser *parser)
{
    struct expr *expr = parser->expr;
    struct str text = STR_INIT;
    for (size_t i = parser->at + 1; i < parser->next - 1; i++) {
        if (parser->text[i] == '\\')
            i++;
        str_addch(&text, parser->text[i]);
    }
    ARRAY_GROW(expr->texts, expr->text_count, expr->text_capacity);
    expr->texts[expr->text_count] = str_detach(&text);
    if (!expr->texts[expr->text_count])
        expr->texts[expr->text_count] = xstrdup("");
    int rc = emit(parser, (struct expr_code){.op = OP_TEXT, .index = (int)expr->text_count++}, 1);
    return rc == 0 ? advance(parser) : rc;
}

static int parse_name(struct parser *parser)
{
    struct expr *expr = parser->expr;
    size_t quote = parser->token == TOKEN_QUOTED_NAME;
    size_t len = parser->next - parser->at - 2 * quote;
    const char *name = parser->text + parser->at + quote;
    if (len == 0)
        return fail(parser, "a parameter");
    size_t i = 0;
    while (i < expr->name_count &&
           !(strlen(expr->names[i]) == len && strncmp(expr->names[i], name, len) == 0))
        i++;
    if (i == expr->name_count) {
        size_t capacity = expr->name_capacity;
        ARRAY_GROW(expr->names, expr->name_count, expr->name_capacity);
        if (capacity != expr->name_capacity)
            expr->bound = xreallocarray(expr->bound, expr->name_capacity, sizeof *expr->bound);
        expr->names[i] = xstrndup(name, len);
        expr->bound[i] = -1;
        expr->name_count++;
    }
    int rc = emit(parser, (struct expr_code){.op = OP_NAME, .index = (int)i}, 1);
    return rc == 0 ? advance(parser) : rc;
}

static int function_index(const struct parser *parser)
{
    for (int i = 0; functions[i]; i++)
        if (word(parser, functions[i]) &&
            parser->text[parser->next + strspn(parser->text + parser->next, " \t\r\n")] == '(')
            return i;
    return -1;
}

static int parse_call(struct parser *parser, int function)
{
    enum expr_op op = function_ops[function];
    bool folds = op == OP_MIN || op == OP_MAX;
    size_t start = parser->at, count = 0;
    int rc = enter(parser);
    if (rc == 0)
        rc = advance(parser);
    if (rc == 0)
        rc = expect(parser, "(", "'('");
    while (rc == 0) {
        rc = parse_or(parser);
        if (rc == 0 && ++count > 1 && folds)
            rc = emit_op(parser, op, -1);
        if (rc != 0 || !symbol(parser, ","))
            break;
        rc = advance(parser);
    }
    if (rc == 0)
        rc = expect(parser, ")", "',' or ')'");
    if (rc == 0 && count > 1 && !folds)
        rc = fail_at(parser, start, "%s() takes one argument", functions[function]);
    if (rc == 0 && !folds)
        rc = emit_op(parser, op, 0);
    parser->depth--;
    return rc;
}

// Known words that are values.
static bool constant(const struct parser *parser, struct expr_code *ret)
{
    if (word(parser, "true") || word(parser, "True"))
        *ret = (struct expr_code){.op = OP_BOOL, .boolean = true};
    else if (word(parser, "false") || word(parser, "False"))
        *ret = (struct expr_code){.op = OP_BOOL, .boolean = false};
    else if (word(parser, "null") || word(parser, "None"))
        *ret = (struct expr_code){.op = OP_NULL};
    else
        return false;
    return true;
}

static bool keyword(const struct parser *parser)
{
    return word(parser, "and") || word(parser, "or") || word(parser, "not") || word(parser, "in");
}

static int parse_name_or_call(struct parser *parser)
{
    struct expr_code code;
    int function = function_index(parser);
    if (function >= 0)
        return parse_call(parser, function);
    if (constant(parser, &code)) {
        int rc = emit(parser, code, 1);
        return rc == 0 ? advance(parser) : rc;
    }
    size_t start = parser->at, end = parser->next;
    int rc = parse_name(parser);
    if (rc == 0 && symbol(parser, "(")) {
        char *name = xstrndup(parser->text + start, end - start);
        const char *near = str_nearest(name, functions);
        rc = fail_at(
            parser, start, "there is no function '%s'; %s%s%s", name,
            near ? "did you mean '"
                 : "functions are abs, min, max, log, log2, log10, exp, sqrt, floor, ceil, round",
            near ? near : "", near ? "'?" : "");
        free(name);
    }
    return rc;
}

static int parse_primary(struct parser *parser)
{
    if (parser->token == TOKEN_NUMBER)
        return parse_number(parser);
    if (parser->token == TOKEN_TEXT)
        return parse_text(parser);
    if (parser->token == TOKEN_QUOTED_NAME)
        return parse_name(parser);
    if (parser->token == TOKEN_NAME && !keyword(parser))
        return parse_name_or_call(parser);
    if (!symbol(parser, "("))
        return fail(parser, "a number, a text or a parameter");
    int rc = enter(parser);
    if (rc == 0)
        rc = advance(parser);
    if (rc == 0)
        rc = parse_or(parser);
    if (rc == 0)
        rc = expect(parser, ")", "')'");
    parser->depth--;
    return rc;
}

// Right-associative, and tighter than a sign before it, as in Python: -2 ** 2 is -4, 2 ** -1 is
// 0.5.
static int parse_power(struct parser *parser)
{
    int rc = parse_primary(parser);
    if (rc != 0 || (!symbol(parser, "**") && !symbol(parser, "^")))
        return rc;
    rc = enter(parser);
    if (rc == 0)
        rc = advance(parser);
    if (rc == 0)
        rc = parse_unary(parser);
    parser->depth--;
    return rc == 0 ? emit_op(parser, OP_POW, -1) : rc;
}

static int parse_unary(struct parser *parser)
{
    if (!symbol(parser, "-") && !symbol(parser, "+"))
        return parse_power(parser);
    bool negative = symbol(parser, "-");
    int rc = enter(parser);
    if (rc == 0)
        rc = advance(parser);
    if (rc == 0)
        rc = parse_unary(parser);
    if (rc == 0 && negative)
        rc = emit_op(parser, OP_NEG, 0);
    parser->depth--;
    return rc;
}

static int parse_term(struct parser *parser)
{
    static const struct spelling ops[] = {
        {"*", OP_MUL}, {"/", OP_DIV}, {"//", OP_FLOOR_DIV}, {"%", OP_MOD}};
    enum expr_op op;
    int rc = parse_unary(parser);
    while (rc == 0 && operator(parser, ops, ARRAY_LEN(ops), &op)) {
        rc = advance(parser);
        if (rc == 0)
            rc = parse_unary(parser);
        if (rc == 0)
            rc = emit_op(parser, op, -1);
    }
    return rc;
}

static int parse_sum(struct parser *parser)
{
    static const struct spelling ops[] = {{"+", OP_ADD}, {"-", OP_SUB}};
    enum expr_op op;
    int rc = parse_term(parser);
    while (rc == 0 && operator(parser, ops, ARRAY_LEN(ops), &op)) {
        rc = advance(parser);
        if (rc == 0)
            rc = parse_term(parser);
        if (rc == 0)
            rc = emit_op(parser, op, -1);
    }
    return rc;
}

// A list in brackets or parentheses, after "in".
static int parse_list(struct parser *parser, enum expr_op op)
{
    const char *close = symbol(parser, "[") ? "]" : ")";
    if (!symbol(parser, "[") && !symbol(parser, "("))
        return fail(parser, "a list like [1, 2]");
    int rc = enter(parser);
    if (rc == 0)
        rc = advance(parser);
    if (rc == 0)
        rc = emit(parser, (struct expr_code){.op = OP_BOOL, .boolean = false}, 1);
    while (rc == 0 && !symbol(parser, close)) {
        rc = parse_or(parser);
        if (rc == 0)
            rc = emit_op(parser, OP_IN_EACH, -1);
        if (rc == 0 && !symbol(parser, close))
            rc = expect(parser, ",", "',' or the end of the list");
    }
    if (rc == 0)
        rc = advance(parser);
    parser->depth--;
    return rc == 0 ? emit_op(parser, op, -1) : rc;
}

static int parse_membership(struct parser *parser, bool negated)
{
    int rc = advance(parser);
    if (rc == 0 && negated) {
        if (!word(parser, "in"))
            return fail(parser, "'in'");
        rc = advance(parser);
    }
    return rc == 0 ? parse_list(parser, negated ? OP_NOT_IN : OP_IN) : rc;
}

static int parse_compare(struct parser *parser)
{
    static const struct spelling ops[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<", OP_LT},
                                          {"<=", OP_LE}, {">", OP_GT},  {">=", OP_GE}};
    enum expr_op op;
    int rc = parse_sum(parser);
    if (rc != 0)
        return rc;
    if (word(parser, "in") || word(parser, "not"))
        return parse_membership(parser, word(parser, "not"));
    if (symbol(parser, "="))
        return fail_at(parser, parser->at, "'=' is not a comparison; write '=='");
    if (!operator(parser, ops, ARRAY_LEN(ops), &op))
        return 0;
    rc = advance(parser);
    if (rc == 0)
        rc = parse_sum(parser);
    if (rc == 0)
        rc = emit_op(parser, op, -1);
    if (rc == 0 && operator(parser, ops, ARRAY_LEN(ops), &op))
        rc = fail_at(parser, parser->at, "comparisons do not chain; write 'a < b and b < c'");
    return rc;
}

static int parse_not(struct parser *parser)
{
    if (!word(parser, "not") && !symbol(parser, "!"))
        return parse_compare(parser);
    int rc = enter(parser);
    if (rc == 0)
        rc = advance(parser);
    if (rc == 0)
        rc = parse_not(parser);
    if (rc == 0)
        rc = emit_op(parser, OP_NOT, 0);
    parser->depth--;
    return rc;
}

static int parse_and(struct parser *parser)
{
    int rc = parse_not(parser);
    while (rc == 0 && (word(parser, "and") || symbol(parser, "&&"))) {
        rc = advance(parser);
        if (rc == 0)
            rc = parse_not(parser);
        if (rc == 0)
            rc = emit_op(parser, OP_AND, -1);
    }
    return rc;
}

static int parse_or(struct parser *parser)
{
    int rc = parse_and(parser);
    while (rc == 0 && (word(parser, "or") || symbol(parser, "||"))) {
        rc = advance(parser);
        if (rc == 0)
            rc = parse_and(parser);
        if (rc == 0)
            rc = emit_op(parser, OP_OR, -1);
    }
    return rc;
}

int expr_parse(const char *text, struct expr **ret, size_t *ret_column, struct err *err)
{
    struct parser parser = {.text = text, .err = err};
    if (strlen(text) > EXPR_LENGTH_MAX) {
        if (ret_column)
            *ret_column = 1;
        return err_set(err, ERR_INVALID, "column 1: the expression is longer than %d bytes",
                       EXPR_LENGTH_MAX);
    }
    parser.expr = xcalloc(1, sizeof *parser.expr);
    parser.expr->source = xstrdup(text);
    int rc = advance(&parser);
    if (rc == 0)
        rc = parse_or(&parser);
    if (rc == 0 && parser.token != TOKEN_END)
        rc = fail(&parser, "an operator or the end");
    if (rc == 0) {
        *ret = parser.expr;
        return 0;
    }
    if (ret_column)
        *ret_column = parser.column;
    expr_free(parser.expr);
    return rc;
}

void expr_free(struct expr *expr)
{
    if (!expr)
        return;
    for (size_t i = 0; i < expr->name_count; i++)
        free(expr->names[i]);
    for (size_t i = 0; i < expr->text_count; i++)
        free(expr->texts[i]);
    free(expr->names);
    free(expr->bound);
    free(expr->texts);
    free(expr->code);
    free(expr->source);
    free(expr);
}
