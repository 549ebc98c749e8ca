// Strings: growth, UTF-8, the nearest word.

#include "test_base.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static void test_str_keeps_every_byte_when_it_grows(void **state)
{
    (void)state;
    struct str str = STR_INIT;
    assert_string_equal(str_get(&str), "");
    for (int i = 0; i < 5000; i++) {
        str_addf(&str, "%d,", i % 10);
        assert_int_equal(str.s[str.len], 0);
    }
    assert_int_equal(str.len, 10000);
    for (size_t i = 0; i < 5000; i++)
        assert_true(str.s[2 * i] == (char)('0' + i % 10) && str.s[2 * i + 1] == ',');
    str_release(&str);
}

static void test_str_holds_nul_bytes_when_given_a_length(void **state)
{
    (void)state;
    struct str str;
    str_init(&str);
    str_addn(&str, "a\0b", 3);
    str_addch(&str, '\0');
    str_add(&str, "c");
    assert_int_equal(str.len, 5);
    assert_memory_equal(str.s, "a\0b\0c", 6);
    str_addn(&str, NULL, 0);
    assert_int_equal(str.len, 5);
    str_release(&str);
}

static void test_str_detach_gives_the_string_away_when_called(void **state)
{
    (void)state;
    struct str str = STR_INIT;
    char *empty = str_detach(&str);
    assert_string_equal(empty, "");
    str_add(&str, "one");
    char *one = str_detach(&str);
    str_add(&str, "two");
    assert_string_equal(one, "one");
    assert_string_equal(str_get(&str), "two");
    str_clear(&str);
    assert_int_equal(str.len, 0);
    assert_string_equal(str_get(&str), "");
    free(empty);
    free(one);
    str_release(&str);
}

static void test_str_compares_when_ends_and_nulls_vary(void **state)
{
    (void)state;
    assert_true(str_equal(NULL, NULL) && str_equal("a", "a"));
    assert_false(str_equal(NULL, "") || str_equal("", NULL) || str_equal("a", "b"));
    assert_true(str_starts("abc", "ab") && str_starts("abc", "") && str_ends("abc", "bc") && str_ends("abc", ""));
    assert_false(str_starts("ab", "abc") || str_ends("bc", "abc") || str_ends("abc", "ab"));
}

static void test_utf8_valid_is_strict_when_sequences_are_odd(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t len;
        bool valid;
    } cases[] = {
        {"", 0, true},
        {"a\0b", 3, true},
        {"\xC2\x80", 2, true},
        {"\xDF\xBF", 2, true},
        {"\xE0\xA0\x80", 3, true},
        {"\xED\x9F\xBF", 3, true},
        {"\xEE\x80\x80", 3, true},
        {"\xEF\xBF\xBF", 3, true},
        {"\xF0\x90\x80\x80", 4, true},
        {"\xF4\x8F\xBF\xBF", 4, true},
        {"\x80", 1, false},
        {"\xC0\x80", 2, false},         // overlong
        {"\xC1\xBF", 2, false},
        {"\xE0\x9F\xBF", 3, false},
        {"\xF0\x8F\xBF\xBF", 4, false},
        {"\xED\xA0\x80", 3, false},     // surrogates
        {"\xED\xBF\xBF", 3, false},
        {"\xF4\x90\x80\x80", 4, false}, // above U+10FFFF
        {"\xF5\x80\x80\x80", 4, false},
        {"\xFF", 1, false},
        {"\xC2", 1, false},             // cut
        {"\xE2\x82", 2, false},
        {"\xF0\x9F\x8E", 3, false},
        {"\xE2\x28\xA1", 3, false},
        {"\xF0\x9F\x28\x80", 4, false},
        {"a\xC2g", 3, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (utf8_valid(cases[i].s, cases[i].len) != cases[i].valid)
            fail_msg("case %zu", i);
}

static void test_str_nearest_finds_the_word_when_one_is_near(void **state)
{
    (void)state;
    static const char *const words[] = {"uniform", "normal", "log_uniform", "categorical", "beta", "q", NULL};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"unifrom", "uniform"},          // two neighbours swapped count one
        {"nomal", "normal"},
        {"normall", "normal"},
        {"bets", "beta"},
        {"ebta", "beta"},
        {"catgorcal", "categorical"},
        {"beta", "beta"},
        {"bxxa", NULL},                  // two changes of four letters
        {"uniform_in_the_log_domain", NULL},
        {"x", NULL},                     // every letter would change
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (!str_equal(str_nearest(cases[i].word, words), cases[i].nearest))
            fail_msg("'%s' gave '%s'", cases[i].word, str_nearest(cases[i].word, words));
}

static void test_str_nearest_takes_the_smallest_distance_when_several_are_near(void **state)
{
    (void)state;
    static const char *const words[] = {"maximise_it", "maximum", "maximize", NULL};
    assert_string_equal(str_nearest("maximise", words), "maximize");
}

static void test_str_nearest_passes_over_words_when_they_are_longer_than_its_table(void **state)
{
    (void)state;
    char word[66], longest[65];
    memset(word, 'a', 65);
    word[65] = '\0';
    memset(longest, 'a', 64);
    longest[64] = '\0';
    const char *const words[] = {word, longest, NULL};
    assert_null(str_nearest(word, words));
    longest[0] = 'b';
    assert_ptr_equal(str_nearest(word + 1, words), longest);
}

static void test_mem_copies_when_sizes_are_zero(void **state)
{
    (void)state;
    char *none = xstrdup(NULL), *part = xstrndup("abc", 2), *text = xasprintf("%s-%d", "a", 1);
    void *zero = xmalloc(0), *zeroes = xcalloc(0, 8), *copy = xmemdup(NULL, 0);
    assert_null(none);
    assert_string_equal(part, "ab");
    assert_string_equal(text, "a-1");
    assert_true(zero && zeroes && copy);
    free(part);
    free(text);
    free(zero);
    free(zeroes);
    free(copy);
}

static void test_array_grow_makes_room_when_it_is_full(void **state)
{
    (void)state;
    size_t *items = NULL, count = 0, capacity = 0;
    for (size_t i = 0; i < 100; i++) {
        ARRAY_GROW(items, count, capacity);
        assert_true(capacity > count);
        items[count++] = i;
    }
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(items[i], i);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str_keeps_every_byte_when_it_grows),
        cmocka_unit_test(test_str_holds_nul_bytes_when_given_a_length),
        cmocka_unit_test(test_str_detach_gives_the_string_away_when_called),
        cmocka_unit_test(test_str_compares_when_ends_and_nulls_vary),
        cmocka_unit_test(test_utf8_valid_is_strict_when_sequences_are_odd),
        cmocka_unit_test(test_str_nearest_finds_the_word_when_one_is_near),
        cmocka_unit_test(test_str_nearest_takes_the_smallest_distance_when_several_are_near),
        cmocka_unit_test(test_str_nearest_passes_over_words_when_they_are_longer_than_its_table),
        cmocka_unit_test(test_mem_copies_when_sizes_are_zero),
        cmocka_unit_test(test_array_grow_makes_room_when_it_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
