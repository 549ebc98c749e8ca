// The live line of `trawl run`.

#include "cli/progress.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAW_MS 100
#define PLAIN_FIRST_MS 5000
#define PLAIN_MAX_MS 300000
#define RATE_WINDOW_MS 30000
#define SAMPLES 64
#define VOLUME_WORK_MAX 2000000 // of a hypervolume: about two milliseconds of each drawing

struct sample {
    uint64_t at_ms, ended;
};

struct progress {
    uint64_t total;
    bool quiet, terminal, drawn;
    uint64_t next_ms, plain_ms;
    struct sample samples[SAMPLES]; // a ring: rate over the last while
    size_t sample_count;
    char *last;
};

struct progress *progress_new(uint64_t total, bool quiet)
{
    struct progress *progress = xcalloc(1, sizeof *progress);
    const char *term = getenv("TERM");
    progress->total = total;
    progress->quiet = quiet;
    progress->terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    progress->plain_ms = PLAIN_FIRST_MS;
    return progress;
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\x1b[K", stderr);
    progress->drawn = false;
    progress->next_ms = 0;
}

void progress_free(struct progress *progress)
{
    if (!progress)
        return;
    progress_clear(progress);
    free(progress->last);
    free(progress);
}

// Ends a second over the last window; 0 while nothing is known.
static double rate(struct progress *progress, uint64_t ended, uint64_t now_ms)
{
    struct sample *newest = &progress->samples[(progress->sample_count + SAMPLES - 1) % SAMPLES];
    if (progress->sample_count == 0 || now_ms - newest->at_ms >= RATE_WINDOW_MS / SAMPLES)
        progress->samples[progress->sample_count++ % SAMPLES] = (struct sample){now_ms, ended};
    size_t known = progress->sample_count < SAMPLES ? progress->sample_count : SAMPLES;
    struct sample oldest = progress->samples[(progress->sample_count - known) % SAMPLES];
    if (now_ms <= oldest.at_ms || ended <= oldest.ended)
        return 0;
    return (double)(ended - oldest.ended) * 1000.0 / (double)(now_ms - oldest.at_ms);
}

// The best trial; of several objectives the size of the front, and how much it dominates.
static void write_best(struct str *line, const struct core *core, uint64_t sweep)
{
    const struct pareto_front *front = core_sweep_front(core, sweep);
    const struct spec *spec = core_sweep_spec(core, sweep);
    char text[NUM_TEXT_MAX];
    double volume;
    if (!front)
        return;
    if (front->objective_count == 1) {
        format_value(spec->objectives[0].goal == GOAL_MAXIMIZE ? -front->costs[0] : front->costs[0], text, sizeof text);
        str_addf(line, ", best %s (trial %llu)", text, (unsigned long long)front->ids[0]);
        return;
    }
    str_addf(line, ", front of %zu", front->count);
    if (pareto_hypervolume(front->costs, front->count, front->objective_count, front->worst, VOLUME_WORK_MAX, &volume)) {
        format_value(volume, text, sizeof text);
        str_addf(line, ", hypervolume %s", text);
    }
}

static void write_line(struct progress *progress, struct str *line, const struct core *core,
                       uint64_t sweep, const char *note, uint64_t now_ms)
{
    const struct sweep_row *row = core_sweep(core, sweep);
    uint64_t done = row->trials[TRIAL_DONE] + row->trials[TRIAL_STOPPED];
    uint64_t ended = done + row->trials[TRIAL_FAILED] + row->trials[TRIAL_CANCELLED];
    double per_second = rate(progress, ended, now_ms);
    str_addf(line, "%s: %llu", row->name && *row->name ? row->name : row->key, (unsigned long long)done);
    if (progress->total)
        str_addf(line, "/%llu", (unsigned long long)progress->total);
    str_addf(line, " done, %u running", core_running(core, sweep));
    if (row->trials[TRIAL_FAILED])
        str_addf(line, ", %llu failed", (unsigned long long)row->trials[TRIAL_FAILED]);
    write_best(line, core, sweep);
    if (per_second >= 1)
        str_addf(line, ", %.0f/s", per_second);
    else if (per_second > 0)
        str_addf(line, ", %.1f/min", per_second * 60);
    if (per_second > 0 && progress->total > ended) {
        char left[NUM_TEXT_MAX];
        num_format_duration((uint64_t)((double)(progress->total - ended) / per_second * 1000), left);
        str_addf(line, ", %s left", left);
    }
    if (note)
        str_addf(line, " — %s", note);
}

void progress_update(struct progress *progress, const struct core *core, uint64_t sweep,
                     const char *note, uint64_t now_ms)
{
    if (progress->quiet || now_ms < progress->next_ms || !core_sweep(core, sweep))
        return;
    struct str line = STR_INIT;
    write_line(progress, &line, core, sweep, note, now_ms);
    if (progress->terminal) {
        size_t width = terminal_width(stderr);
        if (width > 1 && line.len >= width) {
            line.len = width - 1;
            while (line.len > 0 && ((unsigned char)line.s[line.len] & 0xC0) == 0x80)
                line.len--;
            line.s[line.len] = '\0';
        }
        fprintf(stderr, "\r%s\x1b[K", str_get(&line));
        fflush(stderr);
        progress->drawn = true;
        progress->next_ms = now_ms + DRAW_MS;
    } else if (progress->next_ms == 0 && !progress->last) {
        progress->next_ms = now_ms + progress->plain_ms; // the first plain line waits for something to tell
        progress->last = xstrdup("");
    } else {
        if (!str_equal(progress->last, str_get(&line)))
            fprintf(stderr, "%s\n", str_get(&line));
        free(progress->last);
        progress->last = xstrdup(str_get(&line));
        progress->plain_ms = progress->plain_ms * 2 < PLAIN_MAX_MS ? progress->plain_ms * 2 : PLAIN_MAX_MS;
        progress->next_ms = now_ms + progress->plain_ms;
    }
    str_release(&line);
}
