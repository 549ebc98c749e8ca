// Any bytes as a spec: no crash, no leak, and what comes back is consistent.
//
// Built with libFuzzer this is its entry; without, a main that runs the entry over the files of a
// directory and over deterministic mutations of them.
#include "base/json.h"
#include "base/mem.h"
#include "spec/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz_spec: %s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct problems problems = {0};
    struct spec *spec = NULL;
    struct str text = STR_INIT;
    struct json_object *json = NULL;
    int rc = spec_parse((const char *)data, size, &spec, &problems);
    require((rc == 0) == (spec != NULL), "a spec without success, or success without a spec");
    require((rc == 0) == (problems.error_count == 0), "errors do not agree with the result");
    require(problems.count <= SPEC_PROBLEMS_MAX, "too many problems kept");
    for (size_t i = 0; i < problems.count; i++)
        require(problems.items[i].line >= 1 && problems.items[i].column >= 1 &&
                    utf8_valid(problems.items[i].message, strlen(problems.items[i].message)) &&
                    !strchr(problems.items[i].message, '\n'),
                "a bad problem");
    if (spec) {
        require(spec->method && spec->strategy && space_count(spec->space) > 0, "an unusable spec");
        struct str again = STR_INIT;
        struct spec *second = NULL;
        struct problems more = {0};
        require(spec_parse(spec->text, spec->text_len, &second, &more) == 0 &&
                    second->fingerprint == spec->fingerprint,
                "the text of a spec reads otherwise again");
        str_release(&again);
        problems_release(&more);
        spec_free(second);
    }
    if (size < 4096) { // counting a grid is bounded, but not cheap
        spec_write_json(&text, spec, &problems, "f");
        require(json_parse(text.s, text.len, &json, NULL) == 0, "the report is no JSON");
        json_object_put(json);
    }
    str_release(&text);
    problems_release(&problems);
    spec_free(spec);
    return 0;
}

#ifdef TRAWL_FUZZ_SMOKE

#include "base/file.h"
#include "base/rng.h"

#include <dirent.h>

#define MUTATIONS      40 // of each seed
#define SEED_BYTES_MAX 8192

// One random change: a byte, a cut, a doubled piece, or a piece that YAML or the schema knows.
static void mutate(struct str *text, struct rng *rng)
{
    static const char *const pieces[] = {"&a ",
                                         "*a",
                                         "<<: ",
                                         "- ",
                                         "[",
                                         "]",
                                         "{",
                                         "}",
                                         ": ",
                                         "\n",
                                         "  ",
                                         "\t",
                                         "'",
                                         "\"",
                                         "|\n",
                                         "!!float ",
                                         "1e999",
                                         "-0",
                                         ".nan",
                                         "parameters:",
                                         "values: ",
                                         "min: ",
                                         "when: ",
                                         "distribution: ",
                                         "${",
                                         "\xff",
                                         "\xef\xbb\xbf",
                                         "---\n",
                                         "? ",
                                         "#",
                                         "q: 0",
                                         "`",
                                         "\\",
                                         "9223372036854775808",
                                         "method: grid\n"};
    size_t at = (size_t)rng_below(rng, text->len + 1), rest = text->len - at;
    struct str out = STR_INIT;
    str_addn(&out, text->s ? text->s : "", at);
    switch (rng_below(rng, 4)) {
    case 0:
        str_addch(&out, (char)rng_below(rng, 256));
        str_addn(&out, str_get(text) + at + (rest > 0), rest - (rest > 0));
        break;
    case 1: {
        size_t cut = (size_t)rng_below(rng, rest < 16 ? rest + 1 : 16);
        str_addn(&out, str_get(text) + at + cut, rest - cut);
        break;
    }
    case 2:
        str_addn(&out, str_get(text) + at, rest < 24 ? rest : 24);
        str_addn(&out, str_get(text) + at, rest);
        break;
    default:
        str_add(&out, pieces[rng_below(rng, ARRAY_LEN(pieces))]);
        str_addn(&out, str_get(text) + at, rest);
        break;
    }
    str_release(text);
    *text = out;
}

static void run_mutations(const struct str *seed, uint64_t number)
{
    struct rng rng;
    rng_stream(&rng, 1, "fuzz_spec", number);
    for (int i = 0; i < MUTATIONS; i++) {
        struct str text = STR_INIT;
        str_addn(&text, str_get(seed), seed->len);
        for (uint64_t changes = 1 + rng_below(&rng, 6); changes > 0; changes--)
            mutate(&text, &rng);
        LLVMFuzzerTestOneInput((const unsigned char *)str_get(&text), text.len);
        str_release(&text);
    }
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
    DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
    char **names = NULL;
    size_t count = 0, capacity = 0;
    if (!dir) {
        fprintf(stderr, "usage: fuzz_spec DIRECTORY\n");
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!str_ends(entry->d_name, ".yaml"))
            continue;
        ARRAY_GROW(names, count, capacity);
        names[count++] = xasprintf("%s/%s", argv[1], entry->d_name);
    }
    closedir(dir);
    qsort(names, count, sizeof *names, compare_text); // the same numbers on every file system
    for (size_t i = 0; i < count; i++) {
        struct str seed = STR_INIT;
        if (file_read(names[i], SEED_BYTES_MAX, &seed, NULL) == 0) {
            LLVMFuzzerTestOneInput((const unsigned char *)str_get(&seed), seed.len);
            run_mutations(&seed, i);
        }
        str_release(&seed);
        free(names[i]);
    }
    free(names);
    printf("%zu seeds, %zu mutations\n", count, count * MUTATIONS);
    return count ? 0 : 1;
}

#endif
