/* trawl.h - report from inside a run of a Trawl sweep. libc only, C99.
 *
 *     struct trawl_run *run = trawl_init();
 *     double lr = trawl_config_double(run, "optimizer.lr", 0.1);
 *     for (int step = 0; step < 100 && !trawl_should_stop(run); step++)
 *         trawl_log(run, step, "loss", loss);
 *     trawl_finish(run);
 *
 * Inside a run, configuration and reports go through the run directory. Outside of one the same program works too: reports go to
 * trawl-runs/<time>-<pid>/ and every trawl_config_ call gives its default. Nothing here aborts, prints, or waits. One run a
 * process; a run may be used by one thread at a time. */
#ifndef TRAWL_H
#define TRAWL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TRAWL_API __attribute__((visibility("default")))
#else
#define TRAWL_API
#endif

struct trawl_run;

/* Open the run of this process. Never NULL: without memory or disk its calls do nothing and give defaults. */
TRAWL_API struct trawl_run *trawl_init(void);

/* Close and free; NULL does nothing. */
TRAWL_API void trawl_finish(struct trawl_run *run);

/* True inside a run that an agent started. */
TRAWL_API bool trawl_is_managed(const struct trawl_run *run);

/* The run's directory, and the one for files to keep. Borrowed. */
TRAWL_API const char *trawl_directory(const struct trawl_run *run);
TRAWL_API const char *trawl_artifacts(const struct trawl_run *run);

/* The run's seed, `otherwise` outside of a run. */
TRAWL_API uint64_t trawl_seed(const struct trawl_run *run, uint64_t otherwise);

/* A parameter by name; dots reach into nested ones ("model.depth"). `otherwise` when it is absent (also: inactive) or of another type;
 * a number serves as double, an integral number as int. Strings are borrowed until trawl_finish. */
TRAWL_API double trawl_config_double(const struct trawl_run *run, const char *name, double otherwise);
TRAWL_API int64_t trawl_config_int(const struct trawl_run *run, const char *name, int64_t otherwise);
TRAWL_API bool trawl_config_bool(const struct trawl_run *run, const char *name, bool otherwise);
TRAWL_API const char *trawl_config_string(const struct trawl_run *run, const char *name, const char *otherwise);

#define TRAWL_NO_STEP INT64_MIN /* the count of reports is the step */

/* Report one metric; NaN and infinities arrive as such. 0, or -1 when it could not be written. */
TRAWL_API int trawl_log(struct trawl_run *run, int64_t step, const char *name, double value);

/* Several metrics of one step as one line. */
struct trawl_metric {
    const char *name;
    double value;
};
TRAWL_API int trawl_log_many(struct trawl_run *run, int64_t step, const struct trawl_metric *metrics, size_t count);

/* A value for the whole run. */
TRAWL_API int trawl_summary(struct trawl_run *run, const char *name, double value);
TRAWL_API int trawl_summary_string(struct trawl_run *run, const char *name, const char *value);

/* True once this run was asked to end; it also gets SIGTERM. Costs one system call. From the first call on inside a run, the SIGTERM of
 * a stopping rule does not end a program that has no handler of its own: it has the grace of its sweep (30 s by default) to see this
 * answer and finish well. Any other SIGTERM still ends it. */
TRAWL_API bool trawl_should_stop(const struct trawl_run *run);

#ifdef __cplusplus
}
#endif
#endif
