// Expressions: grammar, precedence, types, absent parameters, bad input.

#include "test_space_build.h"

#include "space/expr.h"

static const char *const names[] = {"x",           "y",   "n",    "flag", "algo",
                                    "model.depth", "a-b", "gone", "none"};

static int resolve(void *context, const char *name)
{
    (void)context;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

static bool holds(const char *text)
{
    static char svm[] = "svm";
    const struct value values[] = {{.kind = VALUE_FLOAT, .number = 2.5},
                                   {.kind = VALUE_FLOAT, .number = -7},
                                   {.kind = VALUE_INT, .integer = 8},
                                   {.kind = VALUE_BOOL, .boolean = true},
                                   {.kind = VALUE_STRING, .text = svm},
                                   {.kind = VALUE_INT, .integer = 3},
                                   {.kind = VALUE_INT, .integer = 4},
                                   {.kind = VALUE_NULL},
                                   {.kind = VALUE_NULL}};
    const struct value *pointers[ARRAY_LEN(names)];
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        pointers[i] = strcmp(names[i], "gone") == 0 ? NULL : &values[i];
    struct expr *expr = parsed(text);
    struct err err;
    if (expr_bind(expr, resolve, NULL, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    bool truth = expr_holds(expr, pointers);
    expr_free(expr);
    return truth;
}

static void test_expr_holds_follows_the_grammar_when_evaluated(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool truth;
    } cases[] = {
        {"x == 2.5", true},
        {"n == 8.0", true},
        {"1 + 2 * 3 == 7", true},
        {"(1 + 2) * 3 == 9", true},
        {"2 ** 3 ** 2 == 512", true},
        {"2 ^ 10 == 1024", true},
        {"-2 ** 2 == -4", true},
        {"2 ** -1 == 0.5", true},
        {"- - 3 == 3", true},
        {"y // 2 == -4", true},
        {"y % 3 == 2", true},
        {"7 % -3 == -2", true},
        {"10 - 3 - 2 == 5", true},
        {"100 / 10 / 2 == 5", true},
        {"1 / 0 > 0", false},
        {"n // 0 == 0", false},
        {"flag", true},
        {"flag == true and algo == 'svm'", true},
        {"flag == 1", false},
        {"not flag", false},
        {"!flag || n > 7", true},
        {"false and false or true", true},
        {"true || false && false", true},
        {"not n == 8", false},
        {"algo in ['svm', \"rf\"]", true},
        {"algo in ('rf',)", false},
        {"algo not in ['rf']", true},
        {"n in [1, 2, 4 + 4]", true},
        {"n in []", false},
        {"algo != 'rf' and algo < 't'", true},
        {"algo == 3", false},
        {"algo != 3", true},
        {"algo < 3", false},
        {"none == null", true},
        {"none == None and flag == True", true},
        {"n == null", false},
        {"none < 1", false},
        {"model.depth * 2 == 6", true},
        {"`a-b` + 1 == 5", true},
        {"min(3, n, x) == 2.5", true},
        {"max(n) == 8 and max(1, n) == 8", true},
        {"abs(y) == 7 and sqrt(16) == 4 and log2(n) == 3", true},
        {"log10(1000) == 3 and exp(0) == 1 and log(1) == 0", true},
        {"floor(x) == 2 and ceil(x) == 3 and round(x) == 2 and round(3.5) == 4", true},
        {"log(y) < 0 or log(y) >= 0", false},
        {"'it\\'s' == \"it's\"", true},
        {"1e-3 == .001 and 1e3 == 1000", true},
        {"9007199254740993 == 9007199254740992", false},
        {"''", false},
        {"'text'", true},
        {"0.0", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (holds(cases[i].text) != cases[i].truth)
            fail_msg("%s", cases[i].text);
}

static void test_expr_holds_is_false_when_an_absent_parameter_decides(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool truth;
    } cases[] = {
        {"gone == 1", false},
        {"gone != 1", false},
        {"gone < 1 or gone >= 1", false},
        {"not gone == 1", false},
        {"gone + 1 > 0", false},
        {"gone", false},
        {"gone in [1]", false},
        {"gone not in [1]", false},
        {"gone == 1 or n == 8", true},
        {"gone == 1 and n == 8", false},
        {"n in [gone, 8]", true},
        {"n in [gone, 7]", false},
        {"min(gone, 1) == 1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (holds(cases[i].text) != cases[i].truth)
            fail_msg("%s", cases[i].text);
}

static void test_expr_parse_names_the_column_when_refusing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t column;
        const char *says;
    } cases[] = {
        {"", 1, "ends where"},
        {"x == ", 6, "ends where"},
        {"x = 3", 3, "write '=='"},
        {"1 < x < 3", 7, "do not chain"},
        {"x == 3)", 7, "an operator or the end"},
        {"(x == 3", 8, "')'"},
        {"x in 3", 6, "a list"},
        {"x not 3", 7, "'in'"},
        {"x in [1 2]", 9, "','"},
        {"'open", 1, "no end"},
        {"x == 3y", 6, "a number"},
        {"sqr(3) > 1", 1, "did you mean 'sqrt'"},
        {"abs(1, 2) > 1", 1, "one argument"},
        {"x and and", 7, "'and' stands where"},
        {"x @ 3", 3, "'@' stands where"},
        {"``", 1, "a parameter"},
        {"x & y", 3, "'&' stands where"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct expr *expr = NULL;
        struct err err = {0};
        size_t column = 0;
        assert_int_equal(expr_parse(cases[i].text, &expr, &column, &err), ERR_INVALID);
        assert_null(expr);
        if (column != cases[i].column || !strstr(err.text, cases[i].says))
            fail_msg("%s: column %zu: %s", cases[i].text, column, err.text);
    }
}

static char *repeated(const char *open, size_t count, const char *middle, const char *close)
{
    struct str text = STR_INIT;
    for (size_t i = 0; i < count; i++)
        str_add(&text, open);
    str_add(&text, middle);
    for (size_t i = 0; i < count; i++)
        str_add(&text, close);
    return str_detach(&text);
}

static void test_expr_parse_is_bounded_when_nested_deeply(void **state)
{
    (void)state;
    static const char *const forms[][2] = {{"(", ")"},      {"not ", ""},  {"-", ""},
                                           {"2**", ""},     {"abs(", ")"}, {"1 in [", "]"},
                                           {"1+(2*(", "))"}};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct expr *expr = NULL;
        struct err err = {0};
        char *deep = repeated(forms[i][0], 500, "1", forms[i][1]);
        assert_int_equal(expr_parse(deep, &expr, NULL, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "nested"));
        free(deep);
        char *shallow = repeated(forms[i][0], 30, "1", forms[i][1]);
        assert_int_equal(expr_parse(shallow, &expr, NULL, &err), 0);
        expr_free(expr);
        free(shallow);
    }
    char *flat = repeated("x and ", 600, "x", "");
    assert_true(holds(flat)); // long is not deep
    free(flat);
    char *longer = repeated("x and ", 1000, "x", "");
    struct expr *expr = NULL;
    assert_int_equal(expr_parse(longer, &expr, NULL, NULL), ERR_INVALID);
    free(longer);
}

static void test_expr_names_are_in_order_of_first_use_when_repeated(void **state)
{
    (void)state;
    struct expr *expr = parsed("n > 1 and x < n and `a-b` == model.depth");
    size_t count;
    const char *const *used = expr_names(expr, &count);
    static const char *const expected[] = {"n", "x", "a-b", "model.depth"};
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(used[i], expected[i]);
    assert_string_equal(expr_text(expr), "n > 1 and x < n and `a-b` == model.depth");
    expr_free(expr);
}

static void test_expr_bind_names_the_word_when_unknown(void **state)
{
    (void)state;
    struct expr *expr = parsed("x > 1 and missing < 2");
    struct err err = {0};
    assert_int_equal(expr_bind(expr, resolve, NULL, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "'missing'"));
    expr_free(expr);
}

// Whatever the words, parsing ends, names a column inside the text, and what it accepts can be
// evaluated.
static void test_expr_parse_survives_when_tokens_are_random(void **state)
{
    (void)state;
    static const char *const tokens[] = {
        "x",  "gone", "algo", "'svm'", "3",    "1e-3",  "(", ")", "[",    "]",    ",",
        "in", "not",  "and",  "or",    "==",   "!=",    "<", "-", "+",    "*",    "**",
        "//", "%",    "!",    "min(",  "abs(", "`a-b`", "'", "$", "true", "null", "n"};
    struct rng rng;
    size_t accepted = 0;
    rng_stream(&rng, 3, "test", 0);
    for (int i = 0; i < 40000; i++) {
        struct str text = STR_INIT;
        for (uint64_t k = 1 + rng_below(&rng, 9); k > 0; k--)
            str_addf(&text, "%s ", tokens[rng_below(&rng, ARRAY_LEN(tokens))]);
        struct expr *expr = NULL;
        struct err err = {0};
        size_t column = 0;
        if (expr_parse(str_get(&text), &expr, &column, &err) == 0) {
            expr_free(expr);
            bool truth = holds(str_get(&text));
            assert_true(truth == holds(str_get(&text)));
            accepted++;
        } else {
            assert_true(column >= 1 && column <= text.len + 1);
            assert_true(err.text[0] != '\0');
        }
        str_release(&text);
    }
    assert_true(accepted > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expr_holds_follows_the_grammar_when_evaluated),
        cmocka_unit_test(test_expr_holds_is_false_when_an_absent_parameter_decides),
        cmocka_unit_test(test_expr_parse_names_the_column_when_refusing),
        cmocka_unit_test(test_expr_parse_is_bounded_when_nested_deeply),
        cmocka_unit_test(test_expr_names_are_in_order_of_first_use_when_repeated),
        cmocka_unit_test(test_expr_parse_survives_when_tokens_are_random),
        cmocka_unit_test(test_expr_bind_names_the_word_when_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
