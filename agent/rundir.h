// The run directory: everything an agent and a shim know about one attempt, as files. It is the spool, the proof of
// life and the interface to the run.
//
//   <spool>/<attempt>/            0700; <attempt> in decimal
//     launch        what to start, written once (O_EXCL) before the shim starts: the durable intent (launch.h's format)
//     config.json   the configuration, flat or nested as the spec; config.yaml: the same as W&B's sweep parameter file
//     lock          held (flock) by the shim for its life; its text: "<shim pid> <run pid> <start ticks> <boot id> <wall ms>\n",
//                   the run's fields written once it has started
//     metrics.jsonl made by the run, a client, `trawl log` or the shim (metric.pattern)
//     stdout.log stderr.log   made by the shim at the first byte; bounded (SHIM_LOG_MAX), the tail after a marker line
//     stop          made by the agent when the run was asked to end: "<exit class word>\n"; clients answer should_stop() by it
//     artifacts/    the run's
//     exit.json     written last by the shim (tmp + rename), so it implies complete streams
//
// States, in this order of test: exit.json there: exited; lock held: running; launch there, neither: lost (it is
// told as class lost after a sweep of /proc for leftover processes of the attempt); nothing: remove.
#pragma once

#include "base/err.h"
#include "wire/msg.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum rundir_state { RUNDIR_NONE, RUNDIR_RUNNING, RUNDIR_EXITED, RUNDIR_LOST };

// Make the directory of an attempt with launch, config.json, config.yaml and artifacts/. `env` of the run is
// complete in `item` (see agent's environment). ERR_STATE when it exists; ERR_NO_SPACE, ERR_IO: nothing is left behind.
struct rundir_run {
    const struct msg_launch_item *item;
    const char *const *argv;  // finished, argc of item
    const char *const *env;   // "NAME=value", NULL-terminated: the whole environment of the run
    const char *working_dir;  // absolute
};
int rundir_make(int spool_fd, const struct rundir_run *run, struct err *err);

// Path of an attempt's directory relative to the spool ("123").
void rundir_name(uint64_t attempt, char name[static 24]);

// What lies there. For RUNDIR_EXITED *ret_exit is filled (release with msg_release of a report, or rundir_exit_release); for
// RUNDIR_RUNNING *ret_pid is the shim's pid. ret_lengths: bytes of each stream now. Any may be NULL.
int rundir_look(int spool_fd, uint64_t attempt, enum rundir_state *ret_state, struct msg_exited *ret_exit,
                pid_t *ret_shim, uint64_t ret_lengths[STREAM_COUNT], struct err *err);
void rundir_exit_release(struct msg_exited *exited);

// All attempts in the spool, ascending. The caller frees *ret.
int rundir_list(int spool_fd, uint64_t **ret, size_t *ret_count, struct err *err);

// Bytes of each stream now: what rundir_look says of them, for a call that is made often.
int rundir_lengths(int spool_fd, uint64_t attempt, uint64_t ret_lengths[STREAM_COUNT], struct err *err);

// Write exit.json for an attempt whose shim died (class lost), after its leftover processes were ended. It is written under the shim's
// lock: a shim that comes late finds it and starts nothing. ERR_BUSY when a shim holds the lock.
int rundir_mark_lost(int spool_fd, uint64_t attempt, const char *message, struct err *err);

// End every process whose environment has TRAWL_ATTEMPT=<attempt> and TRAWL_AGENT=<agent uid>: SIGKILL to a fixed point.
// Returns how many were killed.
unsigned rundir_sweep_processes(uint64_t attempt, const char *agent_uid);

// The attempt is durable at the controller: remove what is ours. When the run left files of its own (in artifacts/ or
// beside), the directory stays whole, as "kept-<attempt>", and *ret_kept is true.
#define RUNDIR_KEPT "kept-"
int rundir_forget(int spool_fd, uint64_t attempt, bool *ret_kept, struct err *err);

// Read a stream: up to `max` bytes from `offset` into `buffer`. For metrics only whole lines are given unless `last`
// (the run is over); a line over METRIC_LINE_MAX (wire limit below) is skipped: *ret_skipped counts its bytes, to be told before the
// data that follow. 0 bytes and 0 skipped: nothing (yet). Never follows symbolic links; a file that is not regular counts as empty.
#define STREAM_LINE_MAX 65536
int rundir_read(int spool_fd, uint64_t attempt, enum stream stream, uint64_t offset, bool last,
                void *buffer, size_t max, size_t *ret_len, uint64_t *ret_skipped, struct err *err);
