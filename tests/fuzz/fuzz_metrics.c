// Any bytes as lines of metrics: no crash, and names and numbers arrive whole.

#include "controller/core/core.h"
#include "controller/core/metrics.h"
#include "smoke.h"

static void on_point(void *context, const char *name, bool has_step, int64_t step, double time, double value)
{
    size_t *count = context;
    *count += strlen(name) + (has_step && step != 0) + (time > 0) + (value > 0);
}

static void on_summary(void *context, const char *name, const char *json, bool is_number, double value)
{
    size_t *count = context;
    *count += strlen(name) + strlen(json) + (is_number && value > 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t count = 0;
    struct metrics_parser *parser = metrics_parser_new();
    const struct metrics_sink sink = {.context = &count, .point = on_point, .summary = on_summary};
    const char *text = (const char *)data;
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t line = end ? (size_t)(end - text) : size;
        metrics_parse_line(parser, text, line, &sink);
        size_t step = end ? line + 1 : line;
        text += step;
        size -= step;
    }
    metrics_parser_free(parser);
    return 0;
}

#ifdef TRAWL_FUZZ_SMOKE
int main(void)
{
    static const char lines[] = "{\"loss\": 0.5, \"step\": 3, \"time\": 1.5, \"deep\": {\"er\": [1, {\"x\": NaN}], \"t\": true}, \"s\": \"\\u00fc\"}\n"
                                "garbage\n{\"summary\": {\"best\": -Infinity, \"note\": \"x\", \"n\": null}}\n{}\n[1]\n\n{\"a\": 1e999}";
    smoke((const unsigned char *)lines, sizeof lines - 1);
    printf("fuzz_metrics: %d mutations\n", SMOKE_MUTATIONS);
    return 0;
}
#endif
