// Run directories: making, looking, listing, forgetting, and what a run may have done to its directory.

#include "rundir_fixture.h"

#define GOOD_EXIT                                                                                                                      \
    "{\"class\":\"failed\",\"code\":3,\"signal\":0,\"message\":\"why\",\"started_ms\":10,\"ended_ms\":20,\"cpu_ms\":5,"               \
    "\"max_rss_bytes\":4096,\"dropped_bytes\":7,\"lengths\":{\"metrics\":0,\"stdout\":0,\"stderr\":0}}"

static enum rundir_state state_of(struct spool *spool, uint64_t attempt)
{
    enum rundir_state state;
    assert_int_equal(rundir_look(spool->fd, attempt, &state, NULL, NULL, NULL, NULL), 0);
    return state;
}

static void test_rundir_make_writes_every_file_private_when_all_is_well(void **state)
{
    struct spool *spool = *state;
    static const char *const files[] = {"5/launch", "5/config.json", "5/config.yaml", "5/lock", "5/artifacts"};
    struct stat st;
    struct str text = STR_INIT;
    make(spool, 5);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_int_equal(fstatat(spool->fd, files[i], &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode & 0077, 0);
    }
    assert_int_equal(fstatat(spool->fd, "5", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    get(spool, "5/config.json", &text);
    assert_string_equal(str_get(&text), "{\"x\":1}");
    assert_int_equal(state_of(spool, 5), RUNDIR_LOST); // the durable intent, and nobody lives here
    str_release(&text);
}

static void test_rundir_make_refuses_when_the_attempt_is_there(void **state)
{
    struct spool *spool = *state;
    struct err err = {0};
    struct str text = STR_INIT;
    make(spool, 5);
    assert_int_equal(make_with_config(spool, 5, "{\"x\":2}", &err), ERR_STATE);
    assert_non_null(strstr(err.text, "5"));
    get(spool, "5/config.json", &text);
    assert_string_equal(str_get(&text), "{\"x\":1}");
    str_release(&text);
}

static void test_rundir_make_leaves_nothing_when_the_spool_is_gone(void **state)
{
    struct spool *spool = *state;
    struct err err = {0};
    char path[96];
    snprintf(path, sizeof path, "%s/gone", spool->path);
    assert_int_equal(mkdir(path, 0700), 0);
    struct spool gone = {.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    assert_int_equal(rmdir(path), 0);
    assert_true(make_with_config(&gone, 1, "{}", &err) < 0);
    assert_true(err.text[0]);
    close(gone.fd);
}

static void test_rundir_look_tells_the_state_in_its_order(void **state)
{
    struct spool *spool = *state;
    struct msg_exited exited = {0};
    enum rundir_state what;
    pid_t shim = 0;
    assert_int_equal(state_of(spool, 1), RUNDIR_NONE);
    make(spool, 1);
    assert_int_equal(state_of(spool, 1), RUNDIR_LOST);
    put_text(spool, 1, "lock", "4321 4322 99\n");
    int lock = openat(spool->fd, "1/lock", O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(rundir_look(spool->fd, 1, &what, NULL, &shim, NULL, NULL), 0);
    assert_int_equal(what, RUNDIR_RUNNING);
    assert_int_equal(shim, 4321);
    put_text(spool, 1, "exit.json", GOOD_EXIT); // before the lock is given up
    assert_int_equal(rundir_look(spool->fd, 1, &what, &exited, NULL, NULL, NULL), 0);
    assert_int_equal(what, RUNDIR_EXITED);
    assert_int_equal(exited.attempt, 1);
    assert_string_equal(exited.class_word, "failed");
    assert_string_equal(exited.message, "why");
    assert_int_equal(exited.code, 3);
    assert_int_equal(exited.started_ms, 10);
    assert_int_equal(exited.ended_ms, 20);
    assert_int_equal(exited.cpu_ms, 5);
    assert_int_equal(exited.max_rss_bytes, 4096);
    assert_int_equal(exited.dropped_bytes, 7);
    rundir_exit_release(&exited);
    close(lock);
    assert_int_equal(unlinkat(spool->fd, "1/exit.json", 0), 0);
    assert_int_equal(unlinkat(spool->fd, "1/launch", 0), 0);
    assert_int_equal(state_of(spool, 1), RUNDIR_NONE);
}

static void test_rundir_look_says_lost_when_exit_json_is_damaged(void **state)
{
    struct spool *spool = *state;
    static const char *const cases[] = {
        "", "{", "null", "[]", "{}", "{\"class\":\"failed\"}", "{\"class\":\"unheard of\",\"lengths\":{}}", "{\"class\":3,\"lengths\":{}}",
    };
    make(spool, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_text(spool, 1, "exit.json", cases[i]);
        if (state_of(spool, 1) != RUNDIR_LOST)
            fail_msg("taken: %s", cases[i]);
    }
    for (size_t len = 0; len < strlen(GOOD_EXIT); len++) {
        put(spool, 1, "exit.json", O_TRUNC, GOOD_EXIT, len);
        if (state_of(spool, 1) != RUNDIR_LOST)
            fail_msg("taken: the first %zu bytes", len);
    }
    put_text(spool, 1, "exit.json", GOOD_EXIT);
    assert_int_equal(state_of(spool, 1), RUNDIR_EXITED);
}

static void test_rundir_look_takes_no_exit_json_from_elsewhere(void **state)
{
    struct spool *spool = *state;
    make(spool, 1);
    make(spool, 2);
    put_text(spool, 2, "exit.json", GOOD_EXIT);
    assert_int_equal(symlinkat("../2/exit.json", spool->fd, "1/exit.json"), 0);
    assert_int_equal(state_of(spool, 1), RUNDIR_LOST);
    assert_int_equal(unlinkat(spool->fd, "1/exit.json", 0), 0);
    assert_int_equal(mkfifoat(spool->fd, "1/exit.json", 0600), 0);
    assert_int_equal(state_of(spool, 1), RUNDIR_LOST); // without waiting for a writer
}

static void test_rundir_look_counts_what_lies_there_when_more_was_written_after_the_end(void **state)
{
    struct spool *spool = *state;
    struct msg_exited exited = {0};
    enum rundir_state what;
    uint64_t lengths[STREAM_COUNT];
    make(spool, 1);
    put_text(spool, 1, "exit.json", GOOD_EXIT);
    put_text(spool, 1, "metrics.jsonl", "{\"a\":1}\n");
    put_text(spool, 1, "stderr.log", "12");
    assert_int_equal(rundir_look(spool->fd, 1, &what, &exited, NULL, lengths, NULL), 0);
    assert_int_equal(exited.lengths[STREAM_METRICS], 8);
    assert_int_equal(exited.lengths[STREAM_STDERR], 2);
    assert_int_equal(lengths[STREAM_METRICS], 8);
    assert_int_equal(lengths[STREAM_STDOUT], 0);
    rundir_exit_release(&exited);
}

static void test_rundir_list_gives_attempts_ascending_and_nothing_else(void **state)
{
    struct spool *spool = *state;
    uint64_t *items = NULL;
    size_t count = 0;
    assert_int_equal(rundir_list(spool->fd, &items, &count, NULL), 0);
    assert_int_equal(count, 0);
    free(items);
    make(spool, 100);
    make(spool, 9);
    make(spool, 18446744073709551615u);
    assert_int_equal(mkdirat(spool->fd, "kept-3", 0700), 0);
    assert_int_equal(mkdirat(spool->fd, "abc", 0700), 0);
    assert_int_equal(mkdirat(spool->fd, "12x", 0700), 0);
    assert_int_equal(mkdirat(spool->fd, "spare-77", 0700), 0);
    assert_int_equal(rundir_list(spool->fd, &items, &count, NULL), 0);
    assert_int_equal(count, 3);
    assert_int_equal(items[0], 9);
    assert_int_equal(items[1], 100);
    assert_true(items[2] == 18446744073709551615u);
    assert_false(is_there(spool, "spare-77")); // of an earlier process
    assert_true(is_there(spool, "abc"));
    free(items);
}

static void test_rundir_mark_lost_refuses_when_a_shim_lives(void **state)
{
    struct spool *spool = *state;
    make(spool, 1);
    int lock = openat(spool->fd, "1/lock", O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(rundir_mark_lost(spool->fd, 1, "gone", NULL), ERR_BUSY);
    assert_false(is_there(spool, "1/exit.json"));
    close(lock);
    put_text(spool, 1, "stdout.log", "abc");
    struct msg_exited exited = {0};
    enum rundir_state what;
    assert_int_equal(rundir_mark_lost(spool->fd, 1, "the machine \"failed\"\n", NULL), 0);
    assert_int_equal(rundir_look(spool->fd, 1, &what, &exited, NULL, NULL, NULL), 0);
    assert_string_equal(exited.class_word, "lost");
    assert_string_equal(exited.message, "the machine \"failed\"\n");
    assert_int_equal(exited.lengths[STREAM_STDOUT], 3);
    rundir_exit_release(&exited);
}

static void end_and_forget(struct spool *spool, uint64_t attempt, bool kept)
{
    bool was_kept = !kept;
    struct err err = {0};
    if (rundir_forget(spool->fd, attempt, &was_kept, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(was_kept, kept);
    assert_int_equal(state_of(spool, attempt), RUNDIR_NONE);
}

static void test_rundir_forget_leaves_nothing_of_one_run_to_the_next(void **state)
{
    struct spool *spool = *state;
    struct msg_exited exited;
    enum rundir_state what;
    uint64_t lengths[STREAM_COUNT];
    pid_t shim = -1;
    struct err err = {0};
    struct str text = STR_INIT;
    static const char *const gone[] = {"2/exit.json", "2/stop", "2/metrics.jsonl", "2/stdout.log", "2/stderr.log"};
    assert_int_equal(make_with_config(spool, 1, "{\"long\":\"a configuration that is longer than the next one\"}", &err), 0);
    put_text(spool, 1, "metrics.jsonl", "{\"a\":1}\n");
    put_text(spool, 1, "stdout.log", "out");
    put_text(spool, 1, "stderr.log", "err");
    put_text(spool, 1, "stop", "stopped\n");
    put_text(spool, 1, "lock", "4321 4322 1234567890123\n");
    put_text(spool, 1, "exit.json", GOOD_EXIT);
    end_and_forget(spool, 1, false);
    make(spool, 2);
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        assert_false(is_there(spool, gone[i]));
    get(spool, "2/config.json", &text);
    assert_string_equal(str_get(&text), "{\"x\":1}");
    get(spool, "2/config.yaml", &text);
    assert_null(strstr(str_get(&text), "long"));
    assert_int_equal(rundir_look(spool->fd, 2, &what, &exited, &shim, lengths, NULL), 0);
    assert_int_equal(what, RUNDIR_LOST);
    assert_int_equal(shim, 0);
    assert_int_equal(lengths[STREAM_METRICS] + lengths[STREAM_STDOUT] + lengths[STREAM_STDERR], 0);
    str_release(&text);
}

static void test_rundir_forget_keeps_the_directory_whole_when_the_run_left_files(void **state)
{
    struct spool *spool = *state;
    struct str text = STR_INIT;
    make(spool, 1);
    put_text(spool, 1, "artifacts/model.bin", "weights");
    put_text(spool, 1, "stdout.log", "out");
    end_and_forget(spool, 1, true);
    get(spool, "kept-1/artifacts/model.bin", &text);
    assert_string_equal(str_get(&text), "weights");
    get(spool, "kept-1/stdout.log", &text);
    assert_string_equal(str_get(&text), "out");
    make(spool, 2);
    put_text(spool, 2, "notes.txt", "beside");
    end_and_forget(spool, 2, true);
    get(spool, "kept-2/notes.txt", &text);
    assert_string_equal(str_get(&text), "beside");
    str_release(&text);
}

static void test_rundir_forget_is_done_when_there_is_nothing(void **state)
{
    struct spool *spool = *state;
    bool kept = true;
    assert_int_equal(rundir_forget(spool->fd, 999, &kept, NULL), 0);
    assert_false(kept);
}

static void remove_artifacts(struct spool *spool)
{
    assert_int_equal(unlinkat(spool->fd, "1/artifacts", AT_REMOVEDIR), 0);
}

static void replace_config_by_a_link(struct spool *spool)
{
    assert_int_equal(unlinkat(spool->fd, "1/config.json", 0), 0);
    assert_int_equal(symlinkat("../victim", spool->fd, "1/config.json"), 0);
}

static void replace_config_by_a_pipe(struct spool *spool)
{
    assert_int_equal(unlinkat(spool->fd, "1/config.yaml", 0), 0);
    assert_int_equal(mkfifoat(spool->fd, "1/config.yaml", 0600), 0);
}

static void link_config_elsewhere(struct spool *spool)
{
    assert_int_equal(linkat(spool->fd, "1/config.json", spool->fd, "mine.json", 0), 0);
}

static void make_lock_read_only(struct spool *spool)
{
    assert_int_equal(fchmodat(spool->fd, "1/lock", 0400, 0), 0);
}

static void replace_stop_by_a_directory(struct spool *spool)
{
    assert_int_equal(mkdirat(spool->fd, "1/stop", 0700), 0);
}

static void remove_everything(struct spool *spool)
{
    static const char *const files[] = {"1/launch", "1/config.json", "1/config.yaml", "1/lock"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        assert_int_equal(unlinkat(spool->fd, files[i], 0), 0);
    remove_artifacts(spool);
}

static void test_rundir_make_is_not_hurt_by_what_the_run_before_did_to_its_directory(void **state)
{
    (void)state;
    static void (*const deeds[])(struct spool *) = {remove_artifacts, replace_config_by_a_link, replace_config_by_a_pipe,
                                                    link_config_elsewhere, make_lock_read_only, replace_stop_by_a_directory, remove_everything};
    struct str text = STR_INIT;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        void *own = NULL;
        bool kept;
        assert_int_equal(spool_enter(&own), 0);
        struct spool *spool = own;
        assert_int_equal(make_with_config(spool, 1, "{\"before\":1}", NULL), 0);
        deeds[i](spool);
        (void)!rundir_forget(spool->fd, 1, &kept, NULL);
        make(spool, 2);
        assert_true(is_there(spool, "2/artifacts"));
        get(spool, "2/config.json", &text);
        assert_string_equal(str_get(&text), "{\"x\":1}");
        assert_false(is_there(spool, "2/stop"));
        assert_false(is_there(spool, "victim"));
        if (deeds[i] == link_config_elsewhere) {
            get(spool, "mine.json", &text);
            assert_string_equal(str_get(&text), "{\"before\":1}");
        }
        assert_int_equal(spool_leave(&own), 0);
    }
    str_release(&text);
}

static void test_rundir_make_takes_a_fresh_directory_when_the_spares_are_gone(void **state)
{
    struct spool *spool = *state;
    uint64_t *items;
    size_t count;
    make(spool, 1);
    make(spool, 2);
    end_and_forget(spool, 1, false);
    end_and_forget(spool, 2, false);
    assert_int_equal(rundir_list(spool->fd, &items, &count, NULL), 0); // removes them
    assert_int_equal(count, 0);
    free(items);
    make(spool, 3);
    make(spool, 4);
    assert_true(is_there(spool, "3/artifacts") && is_there(spool, "4/artifacts"));
}

static void test_rundir_config_yaml_is_read_alike_by_yaml_1_1(void **state)
{
    struct spool *spool = *state;
    static const struct {
        const char *config, *wanted; // the part after "value: "
    } cases[] = {
        {"{\"v\":1e-05}", "1.0e-05"},       {"{\"v\":1.5e-05}", "1.5e-05"}, {"{\"v\":1e+30}", "1.0e+30"}, {"{\"v\":-1e-07}", "-1.0e-07"},
        {"{\"v\":0.5}", "0.5"},             {"{\"v\":1.0}", "1.0"},         {"{\"v\":3}", "3"},           {"{\"v\":NaN}", ".nan"},
        {"{\"v\":-Infinity}", "-.inf"},     {"{\"v\":Infinity}", ".inf"},   {"{\"v\":true}", "true"},     {"{\"v\":null}", "null"},
        {"{\"v\":\"1e-05\"}", "\"1e-05\""}, {"{\"v\":\"no\"}", "\"no\""},   {"{\"v\":[1,2e-06]}", "[1, 2.0e-06]"},
        {"{\"v\":\"gr\303\266\303\237e \342\202\254 \360\237\230\200\"}", "\"gr\303\266\303\237e \342\202\254 \360\237\230\200\""},
        {"{\"v\":\"\302\200 \302\205 \302\237 \302\240\"}", "\"\\u0080 \\u0085 \\u009f \302\240\""},
        {"{\"v\":\"\342\200\250 \342\200\251 \342\200\252\"}", "\"\\u2028 \\u2029 \342\200\252\""},
        {"{\"v\":\"\357\273\277 \357\277\276 \357\277\277 \357\277\275\"}", "\"\\ufeff \\ufffe \\uffff \357\277\275\""},
        {"{\"v\":\"a\\nb\\u007f\\u0001\\/\\\\\"}", "\"a\\nb\\u007f\\u0001/\\\\\""},
        {"{\"v\":{\"a\":{\"b\":3e-09}}}", "{\"a\": {\"b\": 3.0e-09}}"},
    };
    struct str text = STR_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64];
        assert_int_equal(make_with_config(spool, i + 1, cases[i].config, NULL), 0);
        snprintf(path, sizeof path, "%zu/config.yaml", i + 1);
        get(spool, path, &text);
        char *wanted = xasprintf("wandb_version: 1\n\n\"v\":\n  value: %s\n", cases[i].wanted);
        assert_string_equal(str_get(&text), wanted);
        free(wanted);
    }
    str_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rundir_make_writes_every_file_private_when_all_is_well, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_make_refuses_when_the_attempt_is_there, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_make_leaves_nothing_when_the_spool_is_gone, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_look_tells_the_state_in_its_order, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_look_says_lost_when_exit_json_is_damaged, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_look_takes_no_exit_json_from_elsewhere, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_look_counts_what_lies_there_when_more_was_written_after_the_end, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_list_gives_attempts_ascending_and_nothing_else, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_mark_lost_refuses_when_a_shim_lives, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_forget_leaves_nothing_of_one_run_to_the_next, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_forget_keeps_the_directory_whole_when_the_run_left_files, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_forget_is_done_when_there_is_nothing, spool_enter, spool_leave),
        cmocka_unit_test(test_rundir_make_is_not_hurt_by_what_the_run_before_did_to_its_directory),
        cmocka_unit_test_setup_teardown(test_rundir_make_takes_a_fresh_directory_when_the_spares_are_gone, spool_enter, spool_leave),
        cmocka_unit_test_setup_teardown(test_rundir_config_yaml_is_read_alike_by_yaml_1_1, spool_enter, spool_leave),
    };
    return cmocka_run_group_tests_name("rundir", tests, NULL, NULL);
}
