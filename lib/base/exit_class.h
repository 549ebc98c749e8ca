// The ends of a run, one table for spec (`retry:`), wire, database, shim and command line.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// How an attempt can end (also the database's and the wire's words); `retry:` budgets are by class.
// name, word, whose fault, default retries, meaning
#define EXIT_CLASS_LIST(X)                                                                         \
    X(EXIT_SUCCESS_CLASS, "success", 0, "exit 0, and the objective was reported where one is named")    \
    X(EXIT_NO_METRIC, "no_metric", 0, "exit 0, but the objective was never reported")              \
    X(EXIT_FAILED, "failed", 0, "exit code other than 0")                                          \
    X(EXIT_SIGNAL, "signal", 0, "died of a signal of its own (SIGSEGV, SIGABRT, ...)")             \
    X(EXIT_TIMEOUT, "timeout", 0, "ran longer than `timeout:`")                                    \
    X(EXIT_OOM, "oom", 0, "killed for memory")                                                     \
    X(EXIT_START_FAILED, "start_failed", 0, "the program could not be started")                    \
    X(EXIT_KILLED, "killed", 3, "SIGKILL that Trawl did not send")                                 \
    X(EXIT_LOST, "lost", 3, "its machine, agent or shim was lost")                                 \
    X(EXIT_INTERRUPTED, "interrupted", UINT32_MAX, "ended for Ctrl-C, a drain or a pause")         \
    X(EXIT_CANCELLED, "cancelled", 0, "ended by `trawl cancel`")                                   \
    X(EXIT_STOPPED, "stopped", 0, "ended early by a stopping rule")

enum exit_class {
#define EXIT_CLASS_ENUM(id, word, retries, text) id,
    EXIT_CLASS_LIST(EXIT_CLASS_ENUM)
#undef EXIT_CLASS_ENUM
        EXIT_CLASS_COUNT
};

const char *exit_class_word(enum exit_class class_id);
const char *exit_class_meaning(enum exit_class class_id);
// Retries that a spec without `retry:` allows after an end of that class.
uint32_t exit_class_default_retries(enum exit_class class_id);

bool exit_class_parse(const char *word, enum exit_class *ret);
