// trawl run: controller, local agent and live line in one, to the end; again after an interruption it goes on.
//
// Signals: the first SIGINT or SIGTERM ends running trials gracefully, the second at once. The agent is a process of its own session,
// so that neither Ctrl-C nor the end of this process reaches it other than through us.

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/prior.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/table.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "controller/controller.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/spawn.h"

#define TURN_MS 100
#define AGENT_RESTARTS_MAX 5      // in a row, without a minute between them
#define AGENT_GOODBYE_MS 5000     // agents are waited for at the end
#define KILL_WAIT_MS 5000         // after the second Ctrl-C

struct runner {
    const struct command_line *line;
    const char *spec_path;
    char *data_dir;
    struct controller *controller;
    struct progress *progress;
    uint64_t sweep;
    bool continued;
    int signal_fd;
    int interrupts;               // signals that asked for the end
    int last_signal;
    uint64_t kill_deadline_ms;
    pid_t agent;                  // 0: none
    uint64_t agent_started_ms;
    int agent_restarts;
    bool agent_wanted;
    char *note;                   // shown once when it changes
};

// ---- The local agent

static int start_agent(struct runner *runner, struct err *err)
{
    char *libexec = context_libexec();
    char *program = xasprintf("%s/trawl-agent", libexec);
    const char *argv[16] = {program, "--data", runner->data_dir, "--name", "local", "--ephemeral"};
    size_t argc = 6;
    static const char *const passed[] = {"slots", "gpus"};
    char *options[ARRAY_LEN(passed)] = {0};
    for (size_t i = 0; i < ARRAY_LEN(passed); i++)
        if (line_text(runner->line, passed[i]))
            argv[argc++] = options[i] = xasprintf("--%s=%s", passed[i], line_text(runner->line, passed[i]));
    if (line_has(runner->line, "quiet"))
        argv[argc++] = "--quiet";
    int rc = spawn_session(argv, &runner->agent, err);
    runner->agent_started_ms = clock_mono_ms();
    for (size_t i = 0; i < ARRAY_LEN(passed); i++)
        free(options[i]);
    free(program);
    free(libexec);
    return rc;
}

// The agent of this directory may have outlived an earlier `trawl run`: it holds its lock and finds us by itself.
static bool agent_lives(const struct runner *runner)
{
    return agent_dir_locked(runner->data_dir, "local");
}

static int keep_agent(struct runner *runner, struct err *err)
{
    if (!runner->agent_wanted || runner->interrupts > 0)
        return 0;
    if (runner->agent > 0) {
        int status;
        if (waitpid(runner->agent, &status, WNOHANG) != runner->agent)
            return 0;
        runner->agent = 0;
        if (clock_mono_ms() - runner->agent_started_ms > 60000)
            runner->agent_restarts = 0;
        if (++runner->agent_restarts > AGENT_RESTARTS_MAX)
            return err_set(err, ERR_STATE, "the local agent ends again and again; try `trawl agent --data %s` to see why",
                           runner->data_dir);
    }
    if (agent_lives(runner))
        return 0;
    return start_agent(runner, err);
}

// ---- Signals

static void interrupted(struct runner *runner, int signal_number)
{
    runner->interrupts++;
    runner->last_signal = signal_number;
    progress_clear(runner->progress);
    uint32_t running = core_running(controller_core(runner->controller), runner->sweep);
    if (runner->interrupts == 1) {
        if (running > 0)
            log_info("ending %u running trial%s; again: at once", running, running == 1 ? "" : "s");
        controller_drain(runner->controller, true, UINT64_MAX);
    } else if (runner->interrupts == 2) {
        log_info("killing %u running trial%s", running, running == 1 ? "" : "s");
        controller_drain(runner->controller, true, 0);
        runner->kill_deadline_ms = clock_mono_ms() + KILL_WAIT_MS;
    }
}

static void read_signals(struct runner *runner)
{
    struct signalfd_siginfo info;
    while (read(runner->signal_fd, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            interrupted(runner, (int)info.ssi_signo);
}

// ---- Start

static int load_spec(struct runner *runner, struct spec **ret, struct err *err)
{
    struct problems problems = {0};
    int rc = spec_load(runner->spec_path, ret, &problems, err);
    struct str text = STR_INIT;
    problems_write_text(&text, &problems, runner->spec_path);
    if (!line_has(runner->line, "quiet") || rc != 0)
        fputs(str_get(&text), stderr);
    if (rc != 0 && problems.error_count > 0)
        err_set(err, rc, "%s is not usable as it is; mend %zu error%s above", runner->spec_path,
                problems.error_count, problems.error_count == 1 ? "" : "s");
    str_release(&text);
    problems_release(&problems);
    return rc;
}

static int request_of_controller(void *context, const char *op, const char *body, struct str *reply, struct err *err)
{
    return controller_request(context, op, body, reply, err);
}

// Nothing is committed before the first turn, so that a sweep comes with its prior trials or not at all.
static int give_priors(struct runner *runner, const struct spec *spec, struct err *err)
{
    struct priors priors = {0};
    const struct sweep_row *row = core_sweep(controller_core(runner->controller), runner->sweep);
    if (row->state != SWEEP_PAUSED || row->point_count > 0) {
        log_info("the sweep has begun: it goes on with the %llu prior trials that it was made with",
                 (unsigned long long)core_priors(controller_core(runner->controller), runner->sweep));
        return 0;
    }
    int rc = priors_load(runner->line, spec, &priors, err);
    if (rc == 0)
        rc = priors_send(&priors, row->key, request_of_controller, runner->controller, err);
    priors_release(&priors);
    return rc;
}

static int submit(struct runner *runner, const struct spec *spec, struct err *err)
{
    struct str body = STR_INIT, reply = STR_INIT;
    struct json_object *json = NULL;
    char *name = report_sweep_name(line_text(runner->line, "name"), spec, runner->spec_path);
    str_add(&body, "{\"spec\":");
    json_write_string(&body, spec->text, spec->text_len);
    str_add(&body, ",\"name\":");
    json_write_string(&body, name, strlen(name));
    str_addf(&body, ",\"continue\":%s,\"await_priors\":%s}", line_has(runner->line, "new") ? "false" : "true",
             line_has(runner->line, "prior") ? "true" : "false");
    int rc = controller_request(runner->controller, "submit", str_get(&body), &reply, err);
    if (rc == 0)
        rc = json_parse(str_get(&reply), reply.len, &json, err);
    int64_t id = 0;
    json_get_i64(json, "id", &id);
    json_get_bool(json, "continued", &runner->continued);
    runner->sweep = (uint64_t)id;
    if (rc == 0 && line_has(runner->line, "prior"))
        rc = give_priors(runner, spec, err);
    json_object_put(json);
    str_release(&body);
    str_release(&reply);
    free(name);
    return rc;
}

// Trials that the whole sweep will have, 0 when it has no end of its own.
static uint64_t total_trials(const struct spec *spec)
{
    uint64_t total = 0, grid;
    if (strcmp(spec->strategy, "grid") == 0 && !space_has_conditions(spec->space) &&
        space_constraint_count(spec->space) == 0 && space_grid_count(spec->space, &grid, NULL) == 0)
        total = grid > UINT64_MAX / spec->repeats ? UINT64_MAX : grid * spec->repeats;
    if (spec->run_cap && (total == 0 || spec->run_cap < total))
        total = spec->run_cap;
    if (spec->budget_trials && (total == 0 || spec->budget_trials < total))
        total = spec->budget_trials;
    return total;
}

static void say_start(struct runner *runner, const struct spec *spec)
{
    const struct sweep_row *row = core_sweep(controller_core(runner->controller), runner->sweep);
    uint64_t over = row->trials[TRIAL_DONE] + row->trials[TRIAL_FAILED] + row->trials[TRIAL_STOPPED];
    if (runner->continued)
        log_info("sweep %s goes on: %llu trials have ended before", row->key, (unsigned long long)over);
    else
        log_info("sweep %s (%s) in %s", row->key, spec->method, runner->data_dir);
    if (controller_join_string(runner->controller))
        log_info("on other machines: trawl agent '%s'", controller_join_string(runner->controller));
}

// ---- The loop

static bool is_over(const struct runner *runner)
{
    const struct core *core = controller_core(runner->controller);
    const struct sweep_row *row = core_sweep(core, runner->sweep);
    if (runner->interrupts > 0)
        return core_running(core, 0) == 0 ||
               (runner->kill_deadline_ms && clock_mono_ms() >= runner->kill_deadline_ms);
    if (controller_shutdown_asked(runner->controller))
        return true;
    return sweep_state_terminal(row->state) ||
           (row->state == SWEEP_PAUSED && core_running(core, runner->sweep) == 0);
}

static void update_note(struct runner *runner, uint64_t now_ms, uint64_t started_ms)
{
    const struct core *core = controller_core(runner->controller);
    const char *note = controller_stalled(runner->controller);
    if (!note && now_ms - started_ms > 2000)
        note = core_blocked(core, runner->sweep);
    progress_update(runner->progress, core, runner->sweep, note, now_ms);
}

static int loop(struct runner *runner, struct err *err)
{
    uint64_t started_ms = clock_mono_ms();
    int rc = 0;
    while (rc == 0 && !is_over(runner)) {
        rc = controller_turn(runner->controller, runner->signal_fd, TURN_MS, err);
        read_signals(runner);
        if (rc == 0)
            rc = keep_agent(runner, err);
        update_note(runner, clock_mono_ms(), started_ms);
    }
    return rc;
}

// Let the agents go: ours ends, others wait for the next controller.
static void dismiss(struct runner *runner)
{
    struct err err = {0};
    uint64_t end = clock_mono_ms() + AGENT_GOODBYE_MS;
    controller_drain(runner->controller, true, UINT64_MAX);
    controller_dismiss_agents(runner->controller, "the sweep is over");
    while (clock_mono_ms() < end && controller_agents(runner->controller) > 0)
        if (controller_turn(runner->controller, runner->signal_fd, 20, &err) != 0)
            break;
    if (runner->agent > 0) {
        kill(runner->agent, SIGTERM);
        for (int i = 0; i < 200 && waitpid(runner->agent, NULL, WNOHANG) == 0; i++)
            usleep_ms(10);
    }
}

// ---- The end

static int exit_code(const struct runner *runner, const struct sweep_row *row)
{
    if (runner->interrupts > 0)
        return 128 + runner->last_signal;
    if (row->state == SWEEP_PAUSED)
        return 8;
    if (row->trials[TRIAL_FAILED] > 0)
        return 4;
    return row->reason && str_starts(row->reason, "budget") ? 5 : 0;
}

static void say_end(struct runner *runner, struct store *store, const struct sweep_row *row,
                    const struct spec *spec)
{
    report_line(stdout, row);
    struct err err = {0};
    report_front_line(stdout, store, row, spec, &err);
    report_best_table(stdout, store, row, spec, 5, &err);
    struct trial_row best = {0};
    struct str command = STR_INIT;
    if (spec->objective_count == 1 && report_best_trial(store, row, spec, &best, NULL) == 0) {
        printf("\nbest configuration (trial %llu): %s\n", (unsigned long long)best.number, best.config);
        if (report_command(&command, spec, &best, &err) == 0)
            printf("run it again: %s\n", str_get(&command));
    }
    str_release(&command);
    trial_row_release(&best);
    report_failure(stdout, store, row, &err);
    fflush(stdout);
    if (runner->interrupts > 0 || row->state == SWEEP_RUNNING)
        log_info("nothing is lost; go on with: trawl run %s", runner->spec_path);
    else if (row->state == SWEEP_PAUSED)
        log_info("paused: %s. When that is mended: trawl run %s", row->reason, runner->spec_path);
    else if (row->trials[TRIAL_FAILED] > 0)
        log_info("%llu trial%s failed: `trawl ls %s --state failed`, `trawl logs NUMBER`, `trawl retry %s --failed`",
                 (unsigned long long)row->trials[TRIAL_FAILED], row->trials[TRIAL_FAILED] == 1 ? "" : "s", row->key, row->key);
    else if (runner->continued && row->state == SWEEP_FINISHED)
        log_info("the sweep is complete; `trawl run --new %s` runs it anew", runner->spec_path);
}

static int finish(struct runner *runner, struct err *err)
{
    struct store *store = NULL;
    struct sweep_row row = {0};
    char key[SWEEP_KEY_MAX];
    snprintf(key, sizeof key, "%s", core_sweep(controller_core(runner->controller), runner->sweep)->key);
    controller_free(runner->controller); // closes the writing connection
    runner->controller = NULL;
    int rc = store_open_reader(runner->data_dir, &store, err);
    if (rc == 0)
        rc = store_find_sweep(store, key, &row, err);
    if (rc == 0) {
        struct spec *spec = report_spec(&row);
        if (line_has(runner->line, "json")) {
            struct str out = STR_INIT;
            rc = report_json(&out, store, &row, spec, err);
            puts(str_get(&out));
            str_release(&out);
        } else if (spec) {
            say_end(runner, store, &row, spec);
        }
        spec_free(spec);
    }
    int code = rc == 0 ? exit_code(runner, &row) : rc;
    sweep_row_release(&row);
    store_close(store);
    return code;
}

static int prepare(struct runner *runner, struct spec **spec, struct err *err)
{
    int rc = load_spec(runner, spec, err);
    if (rc == 0)
        rc = context_data_dir(runner->line, true, &runner->data_dir, err);
    if (rc != 0)
        return rc;
    struct controller_options options = {.data_dir = runner->data_dir,
                                         .what = "run",
                                         .tcp_bind = line_text(runner->line, "listen"),
                                         .public_host = line_text(runner->line, "public-host"),
                                         .hold_restored = true};
    rc = controller_new(&options, &runner->controller, err);
    if (rc == 0)
        rc = submit(runner, *spec, err);
    return rc;
}

int command_run(const struct command_line *line)
{
    struct runner runner = {.line = line,
                            .spec_path = line_positional(line, 0),
                            .signal_fd = -1,
                            .agent_wanted = !line_has(line, "no-agent")};
    struct spec *spec = NULL;
    struct err err = {0};
    runner.signal_fd = signals_to_fd();
    int rc = prepare(&runner, &spec, &err);
    if (rc == 0) {
        say_start(&runner, spec);
        runner.progress = progress_new(total_trials(spec), line_has(line, "quiet"));
        rc = loop(&runner, &err);
        progress_free(runner.progress);
        runner.progress = NULL;
        if (rc == 0)
            dismiss(&runner);
    }
    int code = rc == 0 ? finish(&runner, &err) : rc;
    if (code < 0)
        code = context_fail(line, &err);
    controller_free(runner.controller);
    spec_free(spec);
    free(runner.data_dir);
    fd_close(&runner.signal_fd);
    return code;
}
