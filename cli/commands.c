// The table of commands: what --help, man pages and completion are made from.

#include "cli/commands.h"
#include "cli/command.h"

const struct option_spec command_common_options[] = {
    {"data", 0, ARG_DIR, "DIR", NULL, false,
     "data directory (default: $TRAWL_DATA, or the nearest .trawl from here upward)"},
    {"json", 0, ARG_NONE, NULL, NULL, false, "print JSON on stdout"},
    {"quiet", 'q', ARG_NONE, NULL, NULL, false, "no talk on stderr but errors"},
    {"help", 'h', ARG_NONE, NULL, NULL, false, "this help"},
    {0},
};

static const struct positional_spec spec_file[] = {
    {"SPEC", ARG_FILE, false, false, "sweep file (YAML; Weights & Biases' files work unchanged)"}, {0}};
static const struct positional_spec spec_files[] = {
    {"SPEC", ARG_FILE, false, true, "sweep files (YAML); - reads standard input"}, {0}};
static const struct positional_spec sweep_optional[] = {
    {"SWEEP", ARG_SWEEP, true, false, "sweep's id, the start of it, or its name (default: the latest)"},
    {0}};
static const struct positional_spec sweep_trial[] = {
    {"SWEEP", ARG_SWEEP, false, false, "sweep's id, the start of it, or its name"},
    {"TRIAL", ARG_TRIAL, true, false, "trial's number"},
    {0}};
static const struct positional_spec trial_in_sweep[] = {
    {"TRIAL", ARG_TRIAL, false, false, "trial's number; SWEEP:NUMBER for another sweep than the latest"},
    {0}};

static const struct option_spec run_options[] = {
    {"slots", 'n', ARG_INT, "N", NULL, false, "runs at once (default: one per GPU, else one per core)"},
    {"new", 0, ARG_NONE, NULL, NULL, false, "start another sweep even if one of this spec is unfinished"},
    {"name", 0, ARG_TEXT, "NAME", NULL, false, "name of the sweep (default: the spec's, or the file's)"},
    {"prior", 0, ARG_FILE, "SWEEP|FILE", NULL, true, "results that the method learns from before its first trial: a sweep, or a file as `trawl export` writes it"},
    {"gpus", 0, ARG_TEXT, "LIST", NULL, false, "GPUs to use: 0,2 or none (default: all)"},
    {"listen", 0, ARG_TEXT, "HOST:PORT", NULL, false, "let agents of other machines join, for example *:7077"},
    {"public-host", 0, ARG_TEXT, "HOST", NULL, false, "host name that the join string gives"},
    {"no-agent", 0, ARG_NONE, NULL, NULL, false, "no runs on this machine: agents join from elsewhere"},
    {0},
};
static const struct option_spec controller_options[] = {
    {"listen", 0, ARG_TEXT, "HOST:PORT", NULL, false, "address for agents of other machines (default: *:7077)"},
    {"local", 0, ARG_NONE, NULL, NULL, false, "this machine only: no network socket"},
    {"public-host", 0, ARG_TEXT, "HOST", NULL, false, "host name that the join string gives"},
    {"lease", 0, ARG_DURATION, "TIME", NULL, false, "a silent agent's runs are given to others after (default 5m)"},
    {"stop", 0, ARG_NONE, NULL, NULL, false, "end the controller that serves this data directory"},
    {0},
};
static const struct option_spec submit_options[] = {
    {"name", 0, ARG_TEXT, "NAME", NULL, false, "name of the sweep"},
    {"continue", 0, ARG_NONE, NULL, NULL, false, "go on with an unfinished sweep of the same spec"},
    {"prior", 0, ARG_FILE, "SWEEP|FILE", NULL, true, "results that the method learns from before its first trial: a sweep, or a file as `trawl export` writes it"},
    {0},
};
static const struct option_spec suggest_options[] = {
    {"prior", 0, ARG_FILE, "SWEEP|FILE", NULL, true, "results that the method learns from before its first trial: a sweep, or a file as `trawl export` writes it"},
    {0},
};
static const struct positional_spec enqueue_positionals[] = {
    {"SWEEP", ARG_SWEEP, false, false, "sweep's id, the start of it, or its name"},
    {"CONFIG", ARG_TEXT, true, true, "configurations as JSON objects; - reads standard input, as --file does"},
    {0}};
static const struct option_spec enqueue_options[] = {
    {"file", 'f', ARG_FILE, "FILE", NULL, true, "configurations from a file: JSON lines, or CSV with a header; - is standard input"},
    {0},
};
static const struct option_spec plan_options[] = {
    {"count", 'n', ARG_INT, "N", NULL, false, "configurations to show (default 5)"}, {0}};
static const struct option_spec ls_options[] = {
    {"state", 0, ARG_TEXT, "STATE", NULL, false, "trials of one state: pending, running, done, failed, stopped, cancelled"},
    {"limit", 'n', ARG_INT, "N", NULL, false, "at most N lines (default 50 in a terminal, all elsewhere)"},
    {"best", 0, ARG_NONE, NULL, NULL, false, "best value first"},
    {0},
};
static const struct option_spec best_options[] = {
    {"top", 'n', ARG_INT, "N", NULL, false, "the N best (default 1; with several objectives all of the front)"},
    {"hypervolume", 0, ARG_NONE, NULL, NULL, false, "print only how much the front dominates"},
    {"reference", 0, ARG_TEXT, "LIST", NULL, false, "against these values, one for each objective: 0.9,40 (default: the worst seen)"},
    {"command", 0, ARG_NONE, NULL, NULL, false, "print only the command line that runs it again"},
    {0},
};
static const struct option_spec logs_options[] = {
    {"follow", 'f', ARG_NONE, NULL, NULL, false, "go on as it grows, until the trial ends"},
    {"stderr", 0, ARG_NONE, NULL, NULL, false, "only stderr"},
    {"stdout", 0, ARG_NONE, NULL, NULL, false, "only stdout"},
    {"attempt", 0, ARG_INT, "N", NULL, false, "of that attempt (default: the one that counts)"},
    {"tail", 'n', ARG_INT, "N", NULL, false, "only the last N lines"},
    {0},
};
static const char *const export_formats[] = {"csv", "jsonl", NULL};
static const struct option_spec export_options[] = {
    {"format", 0, ARG_WORD, "csv|jsonl", export_formats, false, "format (default csv; jsonl with --json)"},
    {"metrics", 0, ARG_NONE, NULL, NULL, false, "metric points instead of trials"},
    {"front", 0, ARG_NONE, NULL, NULL, false, "only trials that no other is better than in every objective"},
    {"output", 'o', ARG_FILE, "FILE", NULL, false, "write there instead of stdout"},
    {0},
};
static const struct option_spec retry_options[] = {
    {"failed", 0, ARG_NONE, NULL, NULL, false, "all failed trials of the sweep"}, {0}};
static const struct option_spec agent_options[] = {
    {"slots", 'n', ARG_INT, "N", NULL, false, "runs at once (default: one per GPU, else one per core)"},
    {"cpus", 0, ARG_INT, "N", NULL, false, "cores to offer (default: those it may use)"},
    {"memory", 0, ARG_SIZE, "SIZE", NULL, false, "memory to offer (default: the machine's)"},
    {"gpus", 0, ARG_TEXT, "LIST", NULL, false, "GPUs to use: 0,2 or none (default: all)"},
    {"label", 0, ARG_TEXT, "WORD", NULL, true, "label that `resources.labels` may ask for"},
    {"name", 0, ARG_TEXT, "NAME", NULL, false, "name (default: the host's)"},
    {"dir", 0, ARG_DIR, "DIR", NULL, false, "where its run directories lie"},
    {"working-dir", 0, ARG_DIR, "DIR", NULL, false, "where runs start (default: here)"},
    {0},
};
static const struct positional_spec agent_positionals[] = {
    {"JOIN", ARG_TEXT, true, false, "join string of a controller (default: the data directory's)"}, {0}};
static const struct positional_spec key_positionals[] = {
    {"VERB", ARG_TEXT, false, false, "join (show the join string), ls, revoke"},
    {"KEY", ARG_TEXT, true, false, "public key to revoke"},
    {0}};
static const struct positional_spec log_positionals[] = {
    {"NAME=VALUE", ARG_TEXT, false, true, "metrics of this run, for example loss=0.31 acc=0.9"}, {0}};
static const struct option_spec log_options[] = {
    {"step", 0, ARG_INT, "N", NULL, false, "step of these values (default: the count of reports)"},
    {"summary", 0, ARG_NONE, NULL, NULL, false, "a value for the whole run instead of a point"},
    {0},
};
static const struct positional_spec completion_positionals[] = {
    {"SHELL", ARG_TEXT, false, false, "bash, zsh or fish"}, {0}};
static const struct positional_spec man_positionals[] = {
    {"COMMAND", ARG_TEXT, true, false, "command (default: trawl itself)"}, {0}};

const struct command_spec command_table[] = {
    {"run", "Run sweeps", "run a sweep on this machine, or go on with it",
     "$ trawl run sweep.yaml              # one run per GPU or core, to the end\n"
     "$ trawl run sweep.yaml --slots 8    # eight at once\n"
     "$ trawl run sweep.yaml              # again after an interruption: it goes on\n"
     "$ trawl run sweep.yaml --listen '*:7077'   # other machines may join: prints how",
     "Starts a controller and an agent on this machine, shows one live line, and ends with the best configuration. "
     "Ctrl-C ends the running trials gracefully (SIGTERM, then SIGKILL after `grace:`) and leaves the sweep "
     "resumable; twice ends at once. Run the same command again to go on.",
     spec_file, run_options, command_run},
    {"controller", "Run sweeps", "serve sweeps to agents on other machines",
     "$ trawl controller                     # prints the string that agents join with\n"
     "$ trawl submit sweep.yaml              # from another terminal\n"
     "$ trawl agent trawl://TOKEN@HOST:7077/KEY   # on each machine",
     "Serves every sweep of the data directory until it is ended (Ctrl-C; runs go on and are found again). ",
     NULL, controller_options, command_controller},
    {"agent", "Run sweeps", "run trials on this machine for a controller",
     "$ trawl agent trawl://TOKEN@HOST:7077/KEY   # as printed by the controller\n"
     "$ trawl agent --slots 4                     # for the controller of this directory",
     "Takes trials, supervises them, reports. SIGTERM or Ctrl-C ends its runs and gives their trials back; "
     "kill -9 does not touch them: start it again and it finds them.",
     agent_positionals, agent_options, NULL},
    {"submit", "Run sweeps", "give a sweep to the live controller",
     "$ trawl submit sweep.yaml", "Also works without a live controller: the sweep waits in the data directory.",
     spec_file, submit_options, command_submit},
    {"enqueue", "Run sweeps", "try given configurations first",
     "$ trawl enqueue k3x9 '{\"lr\": 0.01, \"layers\": 4}'\n"
     "$ trawl enqueue k3x9 '{\"lr\": 0.01}'          # the rest is drawn at random\n"
     "$ trawl enqueue k3x9 --file good.csv         # or JSON lines; - is standard input",
     "They become trials of the sweep, ahead of the method's own; a method that learns hears of them and of their results, the others go "
     "on as they would have. They count against `run_cap:` and `budget:`. Parameters that a configuration leaves out are drawn by the "
     "distributions, from a stream of the sweep's seed. All of them are taken, or none. A finished sweep runs again for them; a paused or "
     "stopped one keeps them until `trawl resume`.",
     enqueue_positionals, enqueue_options, command_enqueue},

    {"validate", "Check a spec", "report every problem of a sweep file",
     "$ trawl validate sweep.yaml\n$ trawl validate --json *.yaml",
     "Prints FILE:LINE:COLUMN: error|warning|notice: what is wrong and what to do. Exit code 1 when a file has an error. "
     "Of a method that has options it shows them with the values in force, their defaults and ranges (not with --quiet).",
     spec_files, NULL, command_validate},
    {"plan", "Check a spec", "show what a sweep would do, without doing it",
     "$ trawl plan sweep.yaml\n$ trawl plan sweep.yaml -n 20",
     "Shows the space, the size of the grid, the feasible share under constraints, the first configurations and the "
     "exact command line of the first run.",
     spec_file, plan_options, command_plan},
    {"suggest", "Check a spec", "ask and tell a strategy over JSON lines",
     "$ printf '%s\\n' '{\"op\":\"ask\",\"n\":2}' | trawl suggest sweep.yaml",
     "One JSON object a line on stdin, one answer a line on stdout: {\"op\":\"ask\",\"n\":2} (with \"why\":true each trial says how the "
     "method came to it), {\"op\":\"tell\",\"id\":1,\"value\":0.3} (or \"state\":\"failed\", or \"step\":5 for an intermediate value), "
     "{\"op\":\"enqueue\",\"config\":{...}} (the next ask returns it; what it leaves out is drawn at random), "
     "{\"op\":\"prior\",\"config\":{...},\"value\":0.3} (a result from elsewhere), {\"op\":\"best\"}. "
     "Values may be NaN, Infinity and -Infinity. A bad line is answered with {\"error\":...}.",
     spec_file, suggest_options, command_suggest},

    {"status", "Look", "how a sweep stands", "$ trawl status\n$ trawl status k3x9", "", sweep_optional, NULL,
     command_status},
    {"ls", "Look", "list sweeps, or the trials of one",
     "$ trawl ls                 # sweeps\n$ trawl ls k3x9 --best     # its trials, best first", "",
     sweep_optional, ls_options, command_ls},
    {"show", "Look", "all about one trial", "$ trawl show 17\n$ trawl show k3x9:17", "", trial_in_sweep, NULL,
     command_show},
    {"best", "Look", "the best configuration", "$ trawl best\n$ trawl best --top 5\n$ $(trawl best --command)   # run it again\n"
     "$ trawl best --hypervolume --reference 0.9,40",
     "With several objectives (`metrics:`) the front: the done trials than which no other is as good in every objective and better in one. "
     "The hypervolume is the part of the space below the reference that they dominate.", sweep_optional, best_options, command_best},
    {"logs", "Look", "what a trial printed", "$ trawl logs 17\n$ trawl logs 17 -f", "", trial_in_sweep, logs_options,
     command_logs},
    {"why", "Look", "what happened to a trial, and why", "$ trawl why 17",
     "Reads the events: each change of state with its cause.", trial_in_sweep, NULL, command_why},
    {"agents", "Look", "the machines that run trials", "$ trawl agents", "", NULL, NULL, command_agents},
    {"export", "Look", "write trials or metric points as CSV or JSON lines",
     "$ trawl export > trials.csv\n$ trawl export k3x9 --metrics --format jsonl -o points.jsonl", "",
     sweep_optional, export_options, command_export},

    {"pause", "Control", "start nothing new; running trials go on", "$ trawl pause", "", sweep_optional, NULL,
     command_pause},
    {"resume", "Control", "let a paused or stopped sweep go on", "$ trawl resume", "", sweep_optional, NULL,
     command_resume},
    {"stop", "Control", "end a sweep once its running trials have ended", "$ trawl stop", "", sweep_optional, NULL,
     command_stop},
    {"cancel", "Control", "end a sweep, or one trial, now", "$ trawl cancel k3x9\n$ trawl cancel k3x9 17",
     "Running trials get SIGTERM, and SIGKILL after `grace:`.", sweep_trial, NULL, command_cancel},
    {"retry", "Control", "run failed trials again", "$ trawl retry k3x9 17\n$ trawl retry k3x9 --failed",
     "With a fresh retry budget. A trial that was done runs again too, and its new result counts.", sweep_trial,
     retry_options, command_retry},
    {"key", "Control", "the join string, and who may connect",
     "$ trawl key join      # the string for `trawl agent`\n$ trawl key ls\n$ trawl key revoke KEY", "",
     key_positionals, NULL, command_key},

    {"log", "In a run", "report metrics from inside a run",
     "$ trawl log loss=0.31 acc=0.9\n$ trawl log --step 5 loss=0.29\n$ trawl log --summary best_acc=0.93",
     "Appends one line to the run's metrics file; takes about a millisecond.", log_positionals, log_options, NULL},

    {"completion", "Help", "completion for bash, zsh or fish",
     "$ source <(trawl completion bash)\n$ trawl completion fish > ~/.config/fish/completions/trawl.fish", "",
     completion_positionals, NULL, command_completion},
    {"man", "Help", "a manual page as troff", "$ trawl man run | man -l -", "", man_positionals, NULL, command_man},
    {0},
};
