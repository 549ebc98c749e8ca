// trawl controller: serve every sweep of the data directory until it is ended.

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/spawn.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "controller/controller.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define TURN_MS 1000
#define STOP_WAIT_MS 10000

// Ends the controller that serves the data directory; runs go on under their agents.
static int stop_other(const struct command_line *line)
{
    struct err err = {0};
    struct str reply = STR_INIT;
    char *dir = NULL;
    int rc = context_data_dir(line, false, &dir, &err);
    if (rc == 0)
        rc = context_request(dir, "shutdown", "{}", true, &reply, &err);
    str_release(&reply);
    free(dir);
    return rc == 0 ? 0 : context_fail(line, &err);
}

static void say_start(const struct controller *controller, const char *dir)
{
    const char *join = controller_join_string(controller);
    log_info("controller of %s is up (pid %ld)", dir, (long)getpid());
    if (join) {
        log_info("on each machine: trawl agent '%s'", join);
        printf("%s\n", join);
        fflush(stdout);
    } else {
        log_info("agents of this machine: trawl agent --data %s", dir);
    }
}

static int serve(struct controller *controller, int signal_fd, int *ret_signal, struct err *err)
{
    uint32_t agents = 0;
    int rc = 0;
    while (rc == 0 && !controller_shutdown_asked(controller)) {
        rc = controller_turn(controller, signal_fd, TURN_MS, err);
        struct signalfd_siginfo info;
        while (read(signal_fd, &info, sizeof info) == sizeof info) {
            if (info.ssi_signo == SIGCHLD || info.ssi_signo == SIGHUP)
                continue;
            *ret_signal = (int)info.ssi_signo;
            return rc;
        }
        if (controller_agents(controller) != agents) {
            agents = controller_agents(controller);
            log_info("%u agent%s connected", agents, agents == 1 ? "" : "s");
        }
    }
    return rc;
}

int command_controller(const struct command_line *line)
{
    if (line_has(line, "stop"))
        return stop_other(line);
    struct err err = {0};
    struct controller *controller = NULL;
    char *dir = NULL;
    int ended_by = 0;
    int signal_fd = signals_to_fd();
    const char *listen = line_text(line, "listen");
    int rc = context_data_dir(line, true, &dir, &err);
    if (rc == 0) {
        struct controller_options options = {
            .data_dir = dir,
            .what = "controller",
            .tcp_bind = line_has(line, "local") ? NULL : listen ? listen : "*:7077",
            .public_host = line_text(line, "public-host"),
            .lease_ms = line_duration_ms(line, "lease", 0)};
        rc = controller_new(&options, &controller, &err);
    }
    if (rc == 0) {
        say_start(controller, dir);
        rc = serve(controller, signal_fd, &ended_by, &err);
    }
    if (rc == 0)
        log_info("controller ends; runs go on under their agents, and the next controller finds them");
    int code = rc == 0 ? (ended_by ? 128 + ended_by : 0) : context_fail(line, &err);
    controller_free(controller);
    free(dir);
    fd_close(&signal_fd);
    return code;
}
