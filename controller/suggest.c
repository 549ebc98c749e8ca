// The strategies of the live sweeps. Two queues of jobs and answers under one mutex join the turn and the suggestion
// thread; strategies themselves are touched by one side only: fast ones by the turn, slow ones by the thread.

#include "controller/suggest.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uthash.h>

struct entry { // a sweep's strategy
    uint64_t sweep;
    struct strategy *strategy;
    bool slow, learns;
    UT_hash_handle hh;
};

enum job_kind { JOB_RESTORE, JOB_TELL, JOB_ASK };

struct job {
    enum job_kind kind;
    struct strategy *strategy;
    struct ask ask;
    struct tell tell;
    struct config config;
    struct job *next;
};

struct done {
    struct answer answer;
    struct done *next;
};

struct suggester {
    struct entry *entries;
    bool threaded;
    bool started;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool ending;
    struct job *jobs, **jobs_end;
    struct done *done, **done_end;
    int event_fd;
};

void answer_release(struct answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        config_release(&answer->suggestions[i].config);
        free(answer->suggestions[i].why);
        free(answer->suggestions[i].parent_runs);
    }
    free(answer->suggestions);
    free(answer->reason);
    *answer = (struct answer){0};
}

struct suggester *suggester_new(bool threaded)
{
    struct suggester *suggester = xcalloc(1, sizeof *suggester);
    suggester->threaded = threaded;
    pthread_mutex_init(&suggester->mutex, NULL);
    pthread_cond_init(&suggester->wake, NULL);
    suggester->jobs_end = &suggester->jobs;
    suggester->done_end = &suggester->done;
    suggester->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return suggester;
}

// Ask a strategy for a batch of points. Shared by both sides.
static void answer_ask(struct strategy *strategy, const struct ask *ask, struct answer *ret)
{
    *ret = (struct answer){.sweep = ask->sweep};
    ret->suggestions = xcalloc(ask->count, sizeof *ret->suggestions);
    struct err err = {0};
    for (uint32_t i = 0; i < ask->count && ret->outcome == 0; i++) {
        struct suggestion *suggestion = &ret->suggestions[ret->count];
        suggestion->point = ask->first_point + i;
        ret->outcome = strategy_ask(strategy, suggestion->point, &suggestion->config, &err);
        if (ret->outcome != 0)
            break;
        struct strategy_note note = strategy_note(strategy);
        suggestion->why = xstrdup(note.text);
        suggestion->parent = note.parent;
        ret->count++;
    }
    ret->cursor = strategy_cursor(strategy);
    if (ret->outcome != 0 && err.text[0])
        ret->reason = xstrdup(err.text);
}

static void job_free(struct job *job)
{
    config_release(&job->config);
    free(job);
}

// Curves are not passed on as they come: the order of what a strategy hears is that of the tells, which is stored. How far a stopped run
// came goes before its tell.
static void tell_strategy(struct strategy *strategy, const struct tell *tell)
{
    if (tell->has_step)
        strategy_report(strategy, tell->point, tell->last_step, tell->outcome.values[0]);
    strategy_tell(strategy, tell->point, &tell->outcome);
}

static void job_run(struct suggester *suggester, struct job *job)
{
    switch (job->kind) {
    case JOB_RESTORE:
        strategy_restore(job->strategy, job->tell.point, &job->config);
        break;
    case JOB_TELL:
        tell_strategy(job->strategy, &job->tell);
        break;
    case JOB_ASK: {
        struct done *done = xcalloc(1, sizeof *done);
        answer_ask(job->strategy, &job->ask, &done->answer);
        pthread_mutex_lock(&suggester->mutex);
        *suggester->done_end = done;
        suggester->done_end = &done->next;
        pthread_mutex_unlock(&suggester->mutex);
        uint64_t one = 1;
        ssize_t n = write(suggester->event_fd, &one, sizeof one);
        assert(n == sizeof one || n < 0); // a full counter still wakes the reader
        break;
    }
    }
}

static void *thread_main(void *context)
{
    struct suggester *suggester = context;
    pthread_mutex_lock(&suggester->mutex);
    for (;;) {
        while (!suggester->jobs && !suggester->ending)
            pthread_cond_wait(&suggester->wake, &suggester->mutex);
        if (suggester->ending)
            break;
        struct job *job = suggester->jobs;
        suggester->jobs = job->next;
        if (!suggester->jobs)
            suggester->jobs_end = &suggester->jobs;
        pthread_mutex_unlock(&suggester->mutex);
        job_run(suggester, job);
        job_free(job);
        pthread_mutex_lock(&suggester->mutex);
    }
    pthread_mutex_unlock(&suggester->mutex);
    return NULL;
}

static void job_add(struct suggester *suggester, struct job job)
{
    struct job *copy = xmemdup(&job, sizeof job);
    copy->next = NULL;
    pthread_mutex_lock(&suggester->mutex);
    *suggester->jobs_end = copy;
    suggester->jobs_end = &copy->next;
    pthread_cond_signal(&suggester->wake);
    pthread_mutex_unlock(&suggester->mutex);
}

void suggester_free(struct suggester *suggester)
{
    if (!suggester)
        return;
    if (suggester->started) {
        pthread_mutex_lock(&suggester->mutex);
        suggester->ending = true;
        pthread_cond_signal(&suggester->wake);
        pthread_mutex_unlock(&suggester->mutex);
        pthread_join(suggester->thread, NULL);
    }
    struct job *next_job;
    for (struct job *job = suggester->jobs; job; job = next_job) {
        next_job = job->next;
        job_free(job);
    }
    struct done *next_done;
    for (struct done *done = suggester->done; done; done = next_done) {
        next_done = done->next;
        answer_release(&done->answer);
        free(done);
    }
    struct entry *entry, *tmp;
    HASH_ITER (hh, suggester->entries, entry, tmp) {
        HASH_DEL(suggester->entries, entry);
        strategy_free(entry->strategy);
        free(entry);
    }
    close(suggester->event_fd);
    pthread_cond_destroy(&suggester->wake);
    pthread_mutex_destroy(&suggester->mutex);
    free(suggester);
}

static struct entry *find(const struct suggester *suggester, uint64_t sweep)
{
    struct entry *entry = NULL;
    HASH_FIND(hh, suggester->entries, &sweep, sizeof sweep, entry);
    return entry;
}

// Signals belong to the thread that polls: block them all while the new one is made.
static int thread_start(struct suggester *suggester, struct err *err)
{
    if (suggester->started)
        return 0;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&suggester->thread, NULL, thread_main, suggester);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return err_set(err, ERR_IO, "cannot start the suggestion thread: %s", strerror(rc));
    suggester->started = true;
    return 0;
}

int suggester_add(struct suggester *suggester, uint64_t sweep, const struct spec *spec,
                  uint64_t cursor, struct err *err)
{
    const struct strategy_setup setup = spec_strategy_setup(spec);
    struct strategy *strategy;
    int rc = strategy_new(spec->strategy, &setup, &strategy, err);
    if (rc != 0)
        return rc;
    const struct strategy_method *method = strategy_find(spec->strategy);
    bool slow = suggester->threaded || (method->caps & STRATEGY_SLOW);
    rc = cursor > 0 && (method->caps & STRATEGY_INDEXED) ? strategy_seek(strategy, cursor, err) : 0;
    if (rc == 0 && slow)
        rc = thread_start(suggester, err);
    if (rc != 0) {
        strategy_free(strategy);
        return rc;
    }
    struct entry *entry = xcalloc(1, sizeof *entry);
    entry->sweep = sweep;
    entry->strategy = strategy;
    entry->slow = slow;
    entry->learns = method->caps & STRATEGY_LEARNS;
    HASH_ADD(hh, suggester->entries, sweep, sizeof entry->sweep, entry);
    return 0;
}

bool suggester_has(const struct suggester *suggester, uint64_t sweep)
{
    return find(suggester, sweep) != NULL;
}

bool suggester_learns(const struct suggester *suggester, uint64_t sweep)
{
    const struct entry *entry = find(suggester, sweep);
    return entry && entry->learns;
}

void suggester_restore(struct suggester *suggester, uint64_t sweep, uint64_t point,
                       const struct config *config)
{
    struct entry *entry = find(suggester, sweep);
    if (!entry)
        return;
    if (!entry->slow) {
        strategy_restore(entry->strategy, point, config);
        return;
    }
    struct job job = {.kind = JOB_RESTORE, .strategy = entry->strategy, .tell.point = point};
    config_copy(config, &job.config);
    job_add(suggester, job);
}

void suggester_tell(struct suggester *suggester, const struct tell *tell)
{
    struct entry *entry = find(suggester, tell->sweep);
    if (!entry || !entry->learns)
        return;
    if (entry->slow)
        job_add(suggester,
                (struct job){.kind = JOB_TELL, .strategy = entry->strategy, .tell = *tell});
    else
        tell_strategy(entry->strategy, tell);
}

bool suggester_ask(struct suggester *suggester, const struct ask *ask, struct answer *ret)
{
    struct entry *entry = find(suggester, ask->sweep);
    assert(entry); // the core asks for sweeps that were added only
    if (entry->slow) {
        job_add(suggester, (struct job){.kind = JOB_ASK, .strategy = entry->strategy, .ask = *ask});
        return false;
    }
    answer_ask(entry->strategy, ask, ret);
    return true;
}

int suggester_fd(const struct suggester *suggester)
{
    return suggester->event_fd;
}

bool suggester_take(struct suggester *suggester, struct answer *ret)
{
    uint64_t count;
    ssize_t n = read(suggester->event_fd, &count, sizeof count);
    (void)n; // nothing to read is fine: the queue tells
    pthread_mutex_lock(&suggester->mutex);
    struct done *done = suggester->done;
    if (done) {
        suggester->done = done->next;
        if (!suggester->done)
            suggester->done_end = &suggester->done;
    }
    pthread_mutex_unlock(&suggester->mutex);
    if (!done)
        return false;
    *ret = done->answer;
    free(done);
    return true;
}
