// Tables of text: cells, quotes, line ends, and what is refused.

#include "base/csv.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/test_base.h"

#include <stdlib.h>
#include <string.h>

// All records as "line:cell|cell" lines, then the error's text if there was one.
static char *read_all(const char *text)
{
    struct csv csv;
    struct str out = STR_INIT;
    struct err err = {0};
    char *copy = xstrdup(text);
    int rc;
    csv_init(&csv, copy, strlen(copy));
    while ((rc = csv_next(&csv, &err)) > 0) {
        str_addf(&out, "%d:", csv.line);
        for (size_t i = 0; i < csv.count; i++)
            str_addf(&out, "%s%s", i ? "|" : "", csv.cells[i]);
        str_addch(&out, ';');
    }
    if (rc < 0)
        str_addf(&out, "%s", err.text);
    csv_release(&csv);
    free(copy);
    return str_detach(&out);
}

#define assert_records(text, expected)                                                                                                      \
    do {                                                                                                                                    \
        char *records = read_all(text);                                                                                                     \
        assert_string_equal(records, expected);                                                                                             \
        free(records);                                                                                                                      \
    } while (0)

static void test_csv_gives_cells_when_they_are_plain(void **state)
{
    (void)state;
    assert_records("a,b\n1,2\n", "1:a|b;2:1|2;");
    assert_records("a,b\n1,2", "1:a|b;2:1|2;");
    assert_records("a,b\r\n1,\r\n", "1:a|b;2:1|;");
    assert_records(",", "1:|;");
    assert_records("", "");
    assert_records("\xEF\xBB\xBF" "a\n", "1:a;");
    assert_records("a\rb,c\n", "1:a\rb|c;");
}

static void test_csv_passes_over_empty_lines_when_it_counts_lines(void **state)
{
    (void)state;
    assert_records("\n\r\na\n\n\nb\n\n", "3:a;6:b;");
}

static void test_csv_takes_quotes_out_when_cells_are_quoted(void **state)
{
    (void)state;
    assert_records("\"a,b\",\"say \"\"hi\"\"\"\n\"\",x\n", "1:a,b|say \"hi\";2:|x;");
    assert_records("\"two\nlines\",1\nnext,2\n", "1:two\nlines|1;3:next|2;");
    assert_records("a\"b,c\n", "1:a\"b|c;"); // a quote inside a plain cell is a character
    assert_records("\"\"", "1:;");
}

static void test_csv_names_the_line_when_it_is_damaged(void **state)
{
    (void)state;
    assert_records("a\n\"open\nend", "1:a;line 2: a quote is opened and not closed");
    assert_records("\"a\"b\n", "line 1: text follows a closing quote; a quote inside a cell is written twice");
    struct csv csv;
    struct err err = {0};
    char text[] = "a,b\0c\n";
    csv_init(&csv, text, sizeof text - 1);
    assert_int_equal(csv_next(&csv, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "line 1: a NUL byte"));
    csv_release(&csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_gives_cells_when_they_are_plain),
        cmocka_unit_test(test_csv_passes_over_empty_lines_when_it_counts_lines),
        cmocka_unit_test(test_csv_takes_quotes_out_when_cells_are_quoted),
        cmocka_unit_test(test_csv_names_the_line_when_it_is_damaged),
    };
    return cmocka_run_group_tests_name("base_csv", tests, NULL, NULL);
}
