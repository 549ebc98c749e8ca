// Starting the run: vfork and exec. The child shares our memory until then, so it only calls and never returns.

#define _GNU_SOURCE // vfork, execvpe
#include "agent/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void in_child(const struct launch *launch, pid_t parent, int out_fd, int err_fd, struct run_failure *failure)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL); // the shim is one thread: this is tied to its life
    if (getppid() != parent)
        _exit(127);
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(out_fd, STDOUT_FILENO);
    dup2(err_fd, STDERR_FILENO);
    if (chdir(launch->working_dir) != 0) {
        *failure = (struct run_failure){errno, 1};
        _exit(127);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvpe(launch->argv[0], launch->argv, launch->env);
    *failure = (struct run_failure){errno, 2};
    _exit(127);
}

// The path that execvpe searches is ours, not the run's: take the run's.
static void take_path(char *const *env)
{
    for (; *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            setenv("PATH", *env + 5, 1);
}

pid_t run_start(const struct launch *launch, int out_fd, int err_fd, struct run_failure *ret_failure)
{
    volatile struct run_failure failure = {0, 0};
    pid_t parent = getpid();
    take_path(launch->env);
    pid_t pid = vfork();
    if (pid == 0)
        in_child(launch, parent, out_fd, err_fd, (struct run_failure *)&failure);
    if (pid < 0) {
        *ret_failure = (struct run_failure){errno, 2};
        return -1;
    }
    if (failure.error != 0) {
        waitpid(pid, NULL, 0);
        *ret_failure = (struct run_failure){failure.error, failure.step};
        return -1;
    }
    return pid;
}
