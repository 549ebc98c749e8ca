// Command lines: W&B's expansions item by item, per-parameter macros, what the agent finishes.

#include "test_space_build.h"

#include "space/command.h"

// The parameters of W&B's own agent test, and forms beyond it.
static struct space *wandb_space(void)
{
    struct space *space = space_new();
    add(space, constant_param("a", "true"));
    add(space, constant_param("b", "false"));
    add(space, constant_param("c", "1"));
    add(space, constant_param("d", "null"));
    seal(space);
    return space;
}

static struct space *rich_space(void)
{
    struct space *space = space_new();
    add(space, constant_param("layers", "[1,2]"));
    add(space, constant_param("lr", "0.00001"));
    add(space, constant_param("model/name", "\"it's\""));
    add(space, constant_param("model/size/x", "2.0"));
    add(space, constant_param("note", "\"two words $HOME\""));
    add(space, constant_param("optimizer.lr", "3.0"));
    add(space, constant_param("seed", "7"));
    add(space, when(constant_param("unused", "1"), "lr > 1"));
    seal(space);
    return space;
}

// All items of the expansion, local ones marked with "~", separated by "|".
static char *expand(const struct space *space, const char *program, const char *const *items,
                    size_t count)
{
    double units[16] = {0};
    struct config config;
    struct command command;
    struct str text = STR_INIT;
    config_from_unit(space, units, &config);
    struct command_context context = {
        .program = program, .space = space, .config = &config, .trial = 12, .seed = 99};
    command_expand(items, count, &context, &command);
    for (size_t i = 0; i < command.count; i++)
        str_addf(&text, "%s%s%s", i ? "|" : "", command.items[i].local ? "~" : "",
                 command.items[i].text);
    str_add(&text, "");
    command_release(&command);
    config_release(&config);
    return str_detach(&text);
}

struct expansion_case {
    const char *item;
    const char *expected;
};

static void assert_expansions(struct space *space, const struct expansion_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = expand(space, "train.py", &cases[i].item, 1);
        if (strcmp(text, cases[i].expected) != 0)
            fail_msg("%s gave %s", cases[i].item, text);
        free(text);
    }
    space_free(space);
}

static void test_command_expand_is_wandbs_when_an_item_is_a_list_macro(void **state)
{
    (void)state;
    static const struct expansion_case cases[] = {
        {"${args}", "--a=True|--b=False|--c=1|--d=None"},
        {"${args_no_equals}", "--a|True|--b|False|--c|1|--d|None"},
        {"${args_no_hyphens}", "a=True|b=False|c=1|d=None"},
        {"${args_append_hydra}", "+a=True|+b=False|+c=1|+d=None"},
        {"${args_override_hydra}", "++a=True|++b=False|++c=1|++d=None"},
        {"${args_no_boolean_flags}", "--a|--c=1|--d=None"},
        {"${args_json}", "{\"a\": true, \"b\": false, \"c\": 1, \"d\": null}"},
        {"${env}", "/usr/bin/env"},
        {"${program}", "train.py"},
        {"${interpreter}", "~${interpreter}"},
        {"${args_json_file}", "~${args_json_file}"},
    };
    assert_expansions(wandb_space(), cases, ARRAY_LEN(cases));
}

static void test_command_expand_gives_top_level_names_when_nested(void **state)
{
    (void)state;
    static const struct expansion_case cases[] = {
        {"${args}", "--layers=[1, 2]|--lr=1e-05|--model={'name': \"it's\", 'size': {'x': 2}}|"
                    "--note=two words $HOME|--optimizer.lr=3|--seed=7"},
        {"${args_json}",
         "{\"layers\": [1, 2], \"lr\": 1e-05, \"model\": {\"name\": \"it's\", \"size\": "
         "{\"x\": 2}}, \"note\": \"two words $HOME\", \"optimizer.lr\": 3, \"seed\": 7}"},
        {"--lr=${lr}", "--lr=1e-05"},
        {"${lr}", "1e-05"},
        {"x=${model.size.x},y=${optimizer.lr}", "x=2,y=3"},
        {"${model}", "{'name': \"it's\", 'size': {'x': 2}}"},
        {"${unused}", ""},
        {"--unused=${unused}", ""},
        {"${seed}", "7"}, // the parameter, not the trial's seed
        {"run-${trial}.txt", "run-12.txt"},
        {"${nothing}", ""},
        {"echo ${nothing} ${args}", "echo ${nothing} ${args}"},
        {"$HOME ${} ${lr", "$HOME ${} ${lr"},
        {"${run_dir}/$x/${lr}-${note}-${nothing}",
         "~${run_dir}/$$x/1e-05-two words $$HOME-$${nothing}"},
        {"${envvar:HOME}/x", "~${envvar:HOME}/x"},
    };
    assert_expansions(rich_space(), cases, ARRAY_LEN(cases));
}

static void test_command_expand_escapes_as_json_dumps_when_not_ascii(void **state)
{
    (void)state;
    struct space *space = space_new();
    static const struct expansion_case cases[] = {
        {"${args_json}", "{\"t\": \"\\u007f\\u00e9\\ud83d\\ude00\\n\"}"}};
    add(space, constant_param("t", "\"\\u007f\xC3\xA9\xF0\x9F\x98\x80\\n\""));
    seal(space);
    assert_expansions(space, cases, ARRAY_LEN(cases));
}

static void test_command_expand_uses_the_default_when_no_items(void **state)
{
    (void)state;
    struct space *space = wandb_space();
    char *text = expand(space, "train.py", NULL, 0);
    assert_string_equal(text,
                        "/usr/bin/env|~${interpreter}|train.py|--a=True|--b=False|--c=1|--d=None");
    free(text);
    text = expand(space, NULL, (const char *const[]){"${program}", "x"}, 2);
    assert_string_equal(text, "x");
    free(text);
    space_free(space);
}

static void collect(void *context, size_t item, bool is_error, const char *sentence)
{
    str_addf(context, "%zu %s %s\n", item, is_error ? "error" : "warning", sentence);
}

static void test_command_check_reports_each_fault_when_macros_are_wrong(void **state)
{
    (void)state;
    struct space *space = rich_space();
    struct str report = STR_INIT;
    static const char *const items[] = {"${env}",       "${porgram}",  "${program}", "--x=${args}",
                                        "${lrr} ${lr}", "${envvar:X}", "$HOME"};
    assert_int_equal(command_check(items, ARRAY_LEN(items), NULL, space, collect, &report), 1);
    assert_string_equal(str_get(&report), "1 warning '${porgram}' is neither a macro nor a "
                                          "parameter and the item is left out; did you mean "
                                          "'${program}'?\n"
                                          "2 error '${program}' needs a program and the sweep "
                                          "names none; add 'program:' or write the program "
                                          "into 'command:'\n"
                                          "3 warning '${args}' stands for several items and is "
                                          "replaced only as an item of its own; move it to "
                                          "a line of its own\n"
                                          "4 warning '${lrr}' is neither a macro nor a parameter "
                                          "and stays as it is; did you mean '${lr}'?\n");
    str_clear(&report);
    assert_int_equal(command_check(NULL, 0, "train.py", space, collect, &report), 0);
    assert_string_equal(str_get(&report), "");
    assert_int_equal(command_check(NULL, 0, NULL, space, collect, &report), 1);
    str_release(&report);
    space_free(space);
}

static void test_command_write_shell_quotes_when_needed(void **state)
{
    (void)state;
    char texts[][32] = {"plain/x=1",    "two words",        "it's", "",
                        "${run_dir}/a", "${run_dir} \"$$x", "$HOME"};
    struct command_item items[ARRAY_LEN(texts)];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        items[i] = (struct command_item){.text = texts[i], .local = i == 4 || i == 5};
    struct str line = STR_INIT;
    command_write_shell(&line, &(struct command){.items = items, .count = ARRAY_LEN(items)});
    assert_string_equal(str_get(&line), "plain/x=1 'two words' 'it'\\''s' '' ${run_dir}/a "
                                        "\"${run_dir} \\\"\\$x\" '$HOME'");
    str_release(&line);
}

static const char *lookup(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "run_dir") == 0       ? "/runs/1"
           : strcmp(name, "envvar:USER") == 0 ? "me$$"
                                              : NULL;
}

static void test_command_finish_item_replaces_and_undoubles_when_local(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"${run_dir}/x", "/runs/1/x"},
        {"$$x $${run_dir} ${envvar:USER}", "$x ${run_dir} me$$"},
        {"${envvar:NOT_SET}!", "NOT_SET!"},
        {"$", "$"},
        {"plain", "plain"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str text = STR_INIT;
        command_finish_item(&text, cases[i][0], lookup, NULL);
        assert_string_equal(str_get(&text), cases[i][1]);
        str_release(&text);
    }
}

// Whatever the parameter's text, the agent's last step gives it back as it was.
static void test_command_finish_item_restores_parameters_when_they_look_like_macros(void **state)
{
    (void)state;
    static const char *const texts[] = {"\"${run_dir}\"", "\"$$\"", "\"$${envvar:USER}$\"",
                                        "\"a$\""};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct space *space = space_new();
        add(space, constant_param("p", texts[i]));
        seal(space);
        char *item = expand(space, NULL, (const char *const[]){"${run_dir}:${p}"}, 1);
        struct value value = json_value(texts[i]);
        struct str finished = STR_INIT, expected = STR_INIT;
        command_finish_item(&finished, item + 1, lookup, NULL);
        str_addf(&expected, "/runs/1:%s", value.text);
        assert_string_equal(str_get(&finished), str_get(&expected));
        str_release(&finished);
        str_release(&expected);
        value_release(&value);
        free(item);
        space_free(space);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_expand_is_wandbs_when_an_item_is_a_list_macro),
        cmocka_unit_test(test_command_expand_gives_top_level_names_when_nested),
        cmocka_unit_test(test_command_expand_escapes_as_json_dumps_when_not_ascii),
        cmocka_unit_test(test_command_expand_uses_the_default_when_no_items),
        cmocka_unit_test(test_command_check_reports_each_fault_when_macros_are_wrong),
        cmocka_unit_test(test_command_write_shell_quotes_when_needed),
        cmocka_unit_test(test_command_finish_item_replaces_and_undoubles_when_local),
        cmocka_unit_test(test_command_finish_item_restores_parameters_when_they_look_like_macros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
