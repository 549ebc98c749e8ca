// Errors: codes, sentences, and the bound of the box.

#include "test_base.h"

#include "base/err.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

static void test_err_set_writes_code_and_sentence_when_given_a_box(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, ERR_LIMIT, "%d of %s", 3, "them"), ERR_LIMIT);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.text, "3 of them");
}

static void test_err_returns_the_code_when_there_is_no_box(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_BUSY, "x"), ERR_BUSY);
    errno = ENOENT;
    assert_int_equal(err_set_errno(NULL, "x"), ERR_NOT_FOUND);
    assert_int_equal(err_prefix(NULL, "x"), 0);
}

static void test_err_set_errno_chooses_the_code_when_errno_differs(void **state)
{
    (void)state;
    static const struct {
        int number, code;
    } cases[] = {{ENOSPC, ERR_NO_SPACE},    {EDQUOT, ERR_NO_SPACE},    {ENOENT, ERR_NOT_FOUND}, {EACCES, ERR_PERMISSION},
                 {EPERM, ERR_PERMISSION}, {EIO, ERR_IO}, {ENOTDIR, ERR_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {0};
        errno = cases[i].number;
        assert_int_equal(err_set_errno(&err, "cannot %s", "try"), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_true(str_starts(err.text, "cannot try: "));
        assert_true(str_ends(err.text, strerror(cases[i].number)));
    }
}

static void test_err_prefix_keeps_code_and_sentence_when_one_is_there(void **state)
{
    (void)state;
    struct err err = {0};
    err_set(&err, ERR_CORRUPT, "bad %s", "page");
    assert_int_equal(err_prefix(&err, "file %d", 7), ERR_CORRUPT);
    assert_string_equal(err.text, "file 7: bad page");
}

static void test_err_text_stays_utf8_when_the_box_cuts_it(void **state)
{
    (void)state;
    char longer[ERR_TEXT_MAX + 8];
    for (size_t shift = 0; shift < 4; shift++) { // the cut falls on each byte of the character in turn
        struct str text = STR_INIT;
        str_addn(&text, "abc", shift);
        while (text.len < ERR_TEXT_MAX)
            str_add(&text, "\xF0\x9F\x8E\xA3");
        memcpy(longer, text.s, text.len + 1);
        str_release(&text);
        struct err err = {0};
        err_set(&err, ERR_INVALID, "%s", longer);
        assert_true(utf8_valid(err.text, strlen(err.text)));
        assert_true(strlen(err.text) >= ERR_TEXT_MAX - 4);
        err_prefix(&err, "before");
        assert_true(utf8_valid(err.text, strlen(err.text)));
        assert_true(str_starts(err.text, "before: "));
        errno = EIO;
        err_set_errno(&err, "%s", longer);
        assert_true(utf8_valid(err.text, strlen(err.text)));
    }
}

static void test_err_tables_answer_when_a_code_is_any_number(void **state)
{
    (void)state;
#define CHECK_ROW(name, code, text, exit_code)                                                                         \
    assert_string_equal(err_text(code), text);                                                                         \
    assert_int_equal(err_exit_code(code), exit_code);
    ERR_LIST(CHECK_ROW)
#undef CHECK_ROW
    assert_int_equal(err_exit_code(0), 0);
    assert_int_equal(err_exit_code(-999), 1);
    assert_non_null(err_text(-999));
    assert_non_null(err_text(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err_set_writes_code_and_sentence_when_given_a_box),
        cmocka_unit_test(test_err_returns_the_code_when_there_is_no_box),
        cmocka_unit_test(test_err_set_errno_chooses_the_code_when_errno_differs),
        cmocka_unit_test(test_err_prefix_keeps_code_and_sentence_when_one_is_there),
        cmocka_unit_test(test_err_text_stays_utf8_when_the_box_cuts_it),
        cmocka_unit_test(test_err_tables_answer_when_a_code_is_any_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
