// Reading streams of a run: whole lines of metrics, what is skipped, and files that are not what they should be.

#include "rundir_fixture.h"

#define BUFFER_BYTES (256u << 10)

struct reading {
    char *data;
    size_t len;
    uint64_t skipped;
};

static struct reading read_at(struct spool *spool, enum stream stream, uint64_t offset, bool last, size_t max)
{
    static char buffer[BUFFER_BYTES + 1];
    struct reading reading = {.data = buffer};
    assert_true(max <= BUFFER_BYTES);
    memset(buffer, '#', sizeof buffer);
    assert_int_equal(rundir_read(spool->fd, 1, stream, offset, last, buffer, max, &reading.len, &reading.skipped, NULL), 0);
    assert_true(reading.len <= max);
    buffer[reading.len] = '\0';
    return reading;
}

static void expect(struct spool *spool, enum stream stream, uint64_t offset, bool last, const char *wanted)
{
    struct reading reading = read_at(spool, stream, offset, last, BUFFER_BYTES);
    assert_string_equal(reading.data, wanted);
    assert_int_equal(reading.len, strlen(wanted));
    assert_int_equal(reading.skipped, 0);
}

static void test_rundir_read_gives_whole_lines_only_until_the_run_is_over(void **state)
{
    struct spool *spool = *state;
    make(spool, 1);
    expect(spool, STREAM_METRICS, 0, false, "");
    expect(spool, STREAM_METRICS, 0, true, "");
    put_text(spool, 1, "metrics.jsonl", "{\"a\":1}\n{\"a\":2}\n{\"a\"");
    expect(spool, STREAM_METRICS, 0, false, "{\"a\":1}\n{\"a\":2}\n");
    expect(spool, STREAM_METRICS, 8, false, "{\"a\":2}\n");
    expect(spool, STREAM_METRICS, 16, false, "");
    expect(spool, STREAM_METRICS, 0, true, "{\"a\":1}\n{\"a\":2}\n");
    expect(spool, STREAM_METRICS, 16, true, "{\"a\"");
    put(spool, 1, "metrics.jsonl", O_APPEND, ":3}\n", 4);
    expect(spool, STREAM_METRICS, 16, false, "{\"a\":3}\n");
    expect(spool, STREAM_METRICS, 24, true, "");
    expect(spool, STREAM_METRICS, 1 << 20, true, ""); // past the end
}

static void test_rundir_read_gives_logs_as_they_are(void **state)
{
    struct spool *spool = *state;
    make(spool, 1);
    put(spool, 1, "stdout.log", 0, "a\0b\377 no newline", 15);
    struct reading reading = read_at(spool, STREAM_STDOUT, 0, false, BUFFER_BYTES);
    assert_int_equal(reading.len, 15);
    assert_memory_equal(reading.data, "a\0b\377 no newline", 15);
    reading = read_at(spool, STREAM_STDOUT, 4, false, 3);
    assert_string_equal(reading.data, " no");
    expect(spool, STREAM_STDERR, 0, true, "");
}

// Read a stream as the agent does; the lines and the skipped bytes as one text.
static void read_all(struct spool *spool, bool last, struct str *ret)
{
    str_clear(ret);
    for (uint64_t offset = 0;;) {
        struct reading reading = read_at(spool, STREAM_METRICS, offset, last, BUFFER_BYTES);
        if (reading.skipped)
            str_addf(ret, "<%llu>", (unsigned long long)reading.skipped);
        str_addn(ret, reading.data, reading.len);
        offset += reading.len + reading.skipped;
        if (reading.len + reading.skipped == 0)
            return;
    }
}

static void test_rundir_read_skips_lines_over_the_limit_with_their_exact_bytes(void **state)
{
    (void)state;
    static const size_t longs[] = {STREAM_LINE_MAX + 1, STREAM_LINE_MAX * 2, BUFFER_BYTES - 2, BUFFER_BYTES, BUFFER_BYTES + 1, 10u << 20};
    struct str text = STR_INIT;
    for (size_t i = 0; i < sizeof longs / sizeof longs[0]; i++) {
        for (int place = 0; place < 4; place++) {
            void *own = NULL;
            assert_int_equal(spool_enter(&own), 0);
            struct spool *inner = own;
            make(inner, 1);
            char *line = xmalloc(longs[i]);
            memset(line, 'x', longs[i]);
            if (place != 3) // it ends with a newline, which counts
                line[longs[i] - 1] = '\n';
            put_text(inner, 1, "metrics.jsonl", place == 0 ? "" : "{\"a\":1}\n");
            put(inner, 1, "metrics.jsonl", O_APPEND, line, longs[i]);
            if (place == 1)
                put(inner, 1, "metrics.jsonl", O_APPEND, line, longs[i]);
            if (place != 3)
                put(inner, 1, "metrics.jsonl", O_APPEND, "{\"a\":2}\n", 8);
            char *wanted = place == 0   ? xasprintf("<%zu>{\"a\":2}\n", longs[i])
                           : place == 1 ? xasprintf("{\"a\":1}\n<%zu><%zu>{\"a\":2}\n", longs[i], longs[i])
                           : place == 2 ? xasprintf("{\"a\":1}\n<%zu>{\"a\":2}\n", longs[i])
                                        : xasprintf("{\"a\":1}\n<%zu>", longs[i]);
            read_all(inner, true, &text);
            assert_string_equal(str_get(&text), wanted);
            read_all(inner, false, &text);
            if (place == 3)
                assert_string_equal(str_get(&text), "{\"a\":1}\n"); // it may still become a line
            else
                assert_string_equal(str_get(&text), wanted);
            free(wanted);
            free(line);
            assert_int_equal(spool_leave(&own), 0);
        }
    }
    str_release(&text);
}

static void test_rundir_read_takes_a_line_of_just_the_limit(void **state)
{
    struct spool *spool = *state;
    static char line[STREAM_LINE_MAX + 1];
    make(spool, 1);
    memset(line, 'y', STREAM_LINE_MAX);
    line[STREAM_LINE_MAX - 1] = '\n';
    put(spool, 1, "metrics.jsonl", 0, line, STREAM_LINE_MAX);
    expect(spool, STREAM_METRICS, 0, false, line);
    line[STREAM_LINE_MAX - 1] = 'y';
    put(spool, 1, "metrics.jsonl", O_TRUNC, line, STREAM_LINE_MAX);
    expect(spool, STREAM_METRICS, 0, true, line);
}

static void test_rundir_read_never_follows_or_waits_when_the_file_is_something_else(void **state)
{
    struct spool *spool = *state;
    uint64_t lengths[STREAM_COUNT];
    make(spool, 1);
    put_text(spool, 1, "secret", "{\"password\":1}\n");
    assert_int_equal(symlinkat("secret", spool->fd, "1/metrics.jsonl"), 0);
    assert_int_equal(mkfifoat(spool->fd, "1/stdout.log", 0600), 0);
    assert_int_equal(mkdirat(spool->fd, "1/stderr.log", 0700), 0);
    for (int stream = 0; stream < STREAM_COUNT; stream++)
        expect(spool, (enum stream)stream, 0, true, "");
    assert_int_equal(rundir_lengths(spool->fd, 1, lengths, NULL), 0);
    for (int stream = 0; stream < STREAM_COUNT; stream++)
        assert_int_equal(lengths[stream], 0);
    assert_int_equal(unlinkat(spool->fd, "1/metrics.jsonl", 0), 0);
    assert_int_equal(symlinkat("/dev/zero", spool->fd, "1/metrics.jsonl"), 0);
    expect(spool, STREAM_METRICS, 0, true, "");
}

static void test_rundir_read_never_follows_when_the_directory_is_a_link(void **state)
{
    struct spool *spool = *state;
    enum rundir_state what;
    char buffer[16];
    size_t len;
    uint64_t skipped;
    make(spool, 2);
    put_text(spool, 2, "stdout.log", "other");
    assert_int_equal(symlinkat("2", spool->fd, "1"), 0);
    assert_true(rundir_read(spool->fd, 1, STREAM_STDOUT, 0, true, buffer, sizeof buffer, &len, &skipped, NULL) < 0);
    assert_true(rundir_look(spool->fd, 1, &what, NULL, NULL, NULL, NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rundir_read_gives_whole_lines_only_until_the_run_is_over, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_read_gives_logs_as_they_are, spool_enter, spool_leave),
        cmocka_unit_test(test_rundir_read_skips_lines_over_the_limit_with_their_exact_bytes),
        cmocka_unit_test_setup_teardown(test_rundir_read_takes_a_line_of_just_the_limit, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_read_never_follows_or_waits_when_the_file_is_something_else, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_read_never_follows_when_the_directory_is_a_link, spool_enter, spool_leave),
    };
    return cmocka_run_group_tests_name("rundir read", tests, NULL, NULL);
}
