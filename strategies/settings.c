// Options of a method: settings checked against its table, read with their defaults.

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "strategies/strategy_impl.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static const struct strategy_option *find_option(const struct strategy_option *options,
                                                 const char *name)
{
    for (; options && options->name; options++)
        if (str_equal(options->name, name))
            return options;
    return NULL;
}

static int refuse_name(const struct strategy_method *method, const char *name, struct err *err)
{
    size_t count = 0;
    while (method->options && method->options[count].name)
        count++;
    if (count == 0)
        return err_set(err, ERR_INVALID, "method %s has no options; remove '%s' from 'strategy:'",
                       method->name, name);
    const char **words = xcalloc(count + 1, sizeof *words);
    struct str all = STR_INIT;
    for (size_t i = 0; i < count; i++) {
        words[i] = method->options[i].name;
        str_addf(&all, "%s%s", i ? ", " : "", words[i]);
    }
    const char *near = str_nearest(name, words);
    int rc = near ? err_set(err, ERR_INVALID, "method %s has no option '%s'; did you mean '%s'?",
                            method->name, name, near)
                  : err_set(err, ERR_INVALID, "method %s has no option '%s'; it has %s",
                            method->name, name, str_get(&all));
    str_release(&all);
    free(words);
    return rc;
}

static int check_number(const struct strategy_option *option, const struct value *value,
                        struct err *err)
{
    double x;
    bool number = value->kind != VALUE_BOOL && value_number(value, &x) && !isnan(x);
    if (number && option->kind == OPTION_INT && x != floor(x))
        number = false;
    if (number && x >= option->min && x <= option->max)
        return 0;
    char low[NUM_TEXT_MAX], high[NUM_TEXT_MAX];
    num_format_double(option->min, low);
    num_format_double(option->max, high);
    return err_set(err, ERR_INVALID, "option '%s' must be %s from %s to %s", option->name,
                   option->kind == OPTION_INT ? "an integer" : "a number", low, high);
}

static int check_word(const struct strategy_option *option, const struct value *value,
                      struct err *err)
{
    struct str all = STR_INIT;
    const char *text = value->kind == VALUE_STRING ? value->text : "";
    for (const char *const *word = option->words; *word; word++) {
        if (str_equal(*word, text)) {
            str_release(&all);
            return 0;
        }
        str_addf(&all, "%s%s", word == option->words ? "" : ", ", *word);
    }
    const char *near = str_nearest(text, option->words);
    int rc = near ? err_set(err, ERR_INVALID, "option '%s' cannot be '%s'; did you mean '%s'?",
                            option->name, text, near)
                  : err_set(err, ERR_INVALID, "option '%s' must be one of %s", option->name,
                            str_get(&all));
    str_release(&all);
    return rc;
}

static int check_setting(const struct strategy_option *option, const struct value *value,
                         struct err *err)
{
    if (option->kind == OPTION_BOOL)
        return value->kind == VALUE_BOOL
                   ? 0
                   : err_set(err, ERR_INVALID, "option '%s' must be true or false", option->name);
    if (option->kind == OPTION_WORD)
        return check_word(option, value, err);
    if (option->kind == OPTION_TEXT)
        return value->kind == VALUE_STRING ? 0 : err_set(err, ERR_INVALID, "option '%s' must be text", option->name);
    return check_number(option, value, err);
}

int settings_check(const struct strategy_method *method, const struct strategy_setup *setup,
                   struct err *err)
{
    for (size_t i = 0; i < setup->setting_count; i++) {
        const struct strategy_setting *setting = &setup->settings[i];
        const struct strategy_option *option = find_option(method->options, setting->name);
        if (!option)
            return refuse_name(method, setting->name, err);
        int rc = check_setting(option, &setting->value, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

// The last setting of that name, as a mapping has it.
static const struct value *given(const struct strategy_setup *setup, const char *name)
{
    for (size_t i = setup->setting_count; i-- > 0;)
        if (str_equal(setup->settings[i].name, name))
            return &setup->settings[i].value;
    return NULL;
}

bool setting_bool(const struct strategy_setup *setup, const struct strategy_option *options,
                  const char *name)
{
    const struct value *value = given(setup, name);
    return value ? value->boolean : str_equal(find_option(options, name)->default_text, "true");
}

double setting_float(const struct strategy_setup *setup, const struct strategy_option *options,
                     const char *name)
{
    double x = 0;
    const struct value *value = given(setup, name);
    bool ok = value ? value_number(value, &x)
                    : num_parse_double(find_option(options, name)->default_text, &x);
    assert(ok); // settings are checked, defaults are ours
    (void)ok;
    return x;
}

int64_t setting_int(const struct strategy_setup *setup, const struct strategy_option *options,
                    const char *name)
{
    const struct value *value = given(setup, name);
    return value && value->kind == VALUE_INT ? value->integer
                                             : (int64_t)setting_float(setup, options, name);
}

const char *setting_word(const struct strategy_setup *setup, const struct strategy_option *options,
                         const char *name)
{
    const struct value *value = given(setup, name);
    return value ? value->text : find_option(options, name)->default_text;
}
