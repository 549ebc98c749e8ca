// Values: equality and hash as W&B's grid has them, texts as JSON, Python and a table have them.

#include "test_space_build.h"

#include <math.h>

static void test_value_equal_agrees_with_wandb_grid_when_kinds_mix(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"3e6", "3000000", true},
        {"true", "1", false},
        {"false", "0", false},
        {"null", "false", false},
        {"0.5", "0.5", true},
        {"0.5", "0.25", false},
        {"NaN", "NaN", true},
        {"Infinity", "Infinity", true},
        {"Infinity", "-Infinity", false},
        {"-0.0", "0", true},
        {"\"1\"", "1", false},
        {"\"a\"", "\"a\"", true},
        {"{\"a\":1,\"b\":2}", "{\"b\":2.0,\"a\":1}", true},
        {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
        {"[1,2]", "[2,1]", false},
        {"[1,2]", "[1,2,3]", false},
        {"[1,[2,{\"x\":null}]]", "[1.0,[2,{\"x\":null}]]", true},
        {"[]", "{}", false},
        {"9007199254740993", "9007199254740992", false},
        {"9223372036854775807", "9223372036854775808", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct value a = json_value(cases[i].a), b = json_value(cases[i].b);
        if (value_equal(&a, &b) != cases[i].equal || value_equal(&b, &a) != cases[i].equal)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
        if (cases[i].equal)
            assert_int_equal(value_hash(&a), value_hash(&b));
        else
            assert_int_not_equal(value_hash(&a), value_hash(&b));
        value_release(&a);
        value_release(&b);
    }
}

static void test_value_write_python_is_str_when_nested(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"true", "True"},
        {"null", "None"},
        {"1e-05", "1e-05"},
        {"0.0001", "0.0001"},
        {"1e16", "1e+16"},
        {"123456789012345680.0", "1.2345678901234568e+17"},
        {"3.0", "3.0"},
        {"-7", "-7"},
        {"NaN", "nan"},
        {"-Infinity", "-inf"},
        {"\"it's\"", "it's"},
        {"[1,2]", "[1, 2]"},
        {"[]", "[]"},
        {"{}", "{}"},
        {"{\"b\":1}", "{'b': 1}"},
        {"{\"b\":{\"c\":[true,null,0.5,NaN]}}", "{'b': {'c': [True, None, 0.5, nan]}}"},
        {"[\"a\",\"it's\",\"say \\\"hi\\\"\",\"'\\\"\"]", "['a', \"it's\", 'say \"hi\"', '\\'\"']"},
        {"[\"back\\\\slash\\n\\t\\r\\u0001\\u007f\"]", "['back\\\\slash\\n\\t\\r\\x01\\x7f']"},
        {"[\"\\u00e9\\u00a0\\u200b\\ud83d\\ude00\\ufeff\"]",
         "['\xC3\xA9\\xa0\\u200b\xF0\x9F\x98\x80\\ufeff']"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct value value = json_value(cases[i][0]);
        struct str text = STR_INIT;
        value_write_python(&text, &value);
        assert_string_equal(str_get(&text), cases[i][1]);
        str_release(&text);
        value_release(&value);
    }
}

static void test_value_write_json_reads_back_when_any_kind(void **state)
{
    (void)state;
    static const char *const cases[] = {"null",
                                        "true",
                                        "-5",
                                        "0.1",
                                        "1e-05",
                                        "3.0",
                                        "NaN",
                                        "\"\"",
                                        "[]",
                                        "Infinity",
                                        "\"a\\\"b\\u0001\"",
                                        "{\"b\":1,\"a\":[0.5,null]}"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct value value = json_value(cases[i]);
        struct str text = STR_INIT;
        value_write_json(&text, &value);
        struct value again = json_value(str_get(&text));
        assert_int_equal(again.kind, value.kind);
        assert_true(value_equal(&value, &again));
        str_release(&text);
        value_release(&value);
        value_release(&again);
    }
}

static void test_value_write_plain_is_short_when_a_long_float(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"0.12345678901", "0.123457"},
                                           {"3.0", "3"},
                                           {"1.5e-7", "1.5e-07"},
                                           {"\"a b\"", "a b"},
                                           {"null", "null"},
                                           {"[1,2]", "[1,2]"},
                                           {"NaN", "nan"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct value value = json_value(cases[i][0]);
        struct str text = STR_INIT;
        value_write_plain(&text, &value);
        assert_string_equal(str_get(&text), cases[i][1]);
        str_release(&text);
        value_release(&value);
    }
}

static void test_value_copy_owns_its_text_when_the_first_is_released(void **state)
{
    (void)state;
    struct value value = json_value("\"text\"");
    struct value copy = value_copy(&value);
    value_release(&value);
    assert_int_equal(value.kind, VALUE_NULL);
    assert_string_equal(copy.text, "text");
    value_release(&copy);
}

static void test_value_number_refuses_when_not_a_number(void **state)
{
    (void)state;
    double x = 7;
    struct value text = json_value("\"1\""), truth = json_value("true");
    assert_false(value_number(&text, &x));
    assert_true(x == 7);
    assert_true(value_number(&truth, &x));
    assert_true(x == 1);
    value_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_equal_agrees_with_wandb_grid_when_kinds_mix),
        cmocka_unit_test(test_value_write_python_is_str_when_nested),
        cmocka_unit_test(test_value_write_json_reads_back_when_any_kind),
        cmocka_unit_test(test_value_write_plain_is_short_when_a_long_float),
        cmocka_unit_test(test_value_copy_owns_its_text_when_the_first_is_released),
        cmocka_unit_test(test_value_number_refuses_when_not_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
