// Every statement of the store, one block each. Parameters are bound in the order of their question marks and columns
// read in their order (query.h), so a block and the function that uses it in commit.c, rows.c, restore.c or read.c are
// read side by side.
#pragma once

#define SWEEP_COLUMNS                                                                              \
    "sweep.id, sweep.key, sweep.name, sweep.state, sweep.reason, sweep.fingerprint, "              \
    "sweep.\"cursor\", sweep.exhausted, sweep.point_count, sweep.trial_count, sweep.tell_count, "  \
    "sweep.pending, sweep.running, sweep.done, sweep.failed, sweep.stopped, sweep.cancelled, "     \
    "sweep.active_ms, sweep.created_ms, sweep.ended_ms, "                                          \
    "(SELECT text FROM spec WHERE spec.sweep = sweep.id)"

#define TRIAL_COLUMNS                                                                              \
    "trial.id, trial.sweep, trial.number, trial.point, trial.repeat, trial.config, trial.state, "  \
    "trial.value, trial.others, trial.attempt, trial.attempt_count, trial.retries, "               \
    "trial.created_ms, trial.started_ms, trial.ended_ms, trial.tell_number, trial.asked_after, "   \
    "trial.enqueued, trial.parent, trial.parent_attempt"

#define ATTEMPT_COLUMNS                                                                            \
    "attempt.id, attempt.trial, attempt.sweep, attempt.number, attempt.agent, attempt.session, "   \
    "attempt.state, attempt.class, attempt.code, attempt.signal, attempt.pid, attempt.message, "   \
    "attempt.assigned_ms, attempt.started_ms, attempt.ended_ms, attempt.metrics_bytes, "           \
    "attempt.stdout_bytes, attempt.stderr_bytes, attempt.metrics_length, attempt.stdout_length, "  \
    "attempt.stderr_length, attempt.dropped_bytes, attempt.cpu_ms, attempt.max_rss_bytes, "        \
    "attempt.value, attempt.others, attempt.cpus, attempt.memory_bytes, attempt.gpu_millis, attempt.gpus"

#define TRIAL_LIVE "trial INDEXED BY trial_live WHERE (trial.state = 'pending' OR trial.state = 'running')"

// Attempts that may still be heard of: open ones, and lost ones whose trial is not over.
#define ATTEMPT_LIVE                                                                               \
    "SELECT id FROM attempt INDEXED BY attempt_live "                                              \
    "WHERE state = 'assigned' OR state = 'running' OR state = 'exited' "                           \
    "UNION "                                                                                       \
    "SELECT attempt.id FROM trial INDEXED BY trial_live "                                          \
    "CROSS JOIN attempt ON attempt.trial = trial.id "                                              \
    "WHERE (trial.state = 'pending' OR trial.state = 'running') AND attempt.state = 'lost'"

// Best first: numbers, then NaN, then none; ties by number.
#define BY_VALUE(direction)                                                                        \
    "SELECT " TRIAL_COLUMNS " FROM (SELECT id, value, number FROM trial WHERE sweep = ? AND "      \
    "(?2 IS NULL OR state = ?2) ORDER BY value IS NULL, typeof(value) = 'text', value " direction  \
    ", number LIMIT ? OFFSET ?) AS best CROSS JOIN trial ON trial.id = best.id "                   \
    "ORDER BY best.value IS NULL, typeof(best.value) = 'text', best.value " direction              \
    ", best.number"

#define STATEMENT_LIST(X)                                                                          \
    X(STATEMENT_BEGIN, "BEGIN IMMEDIATE")                                                          \
    X(STATEMENT_COMMIT, "COMMIT")                                                                  \
    X(STATEMENT_META_GET, "SELECT value FROM meta WHERE name = ?")                                 \
    X(STATEMENT_META_PUT, "UPDATE meta SET value = ? WHERE name = ?")                              \
    X(STATEMENT_COUNTERS,                                                                          \
      "SELECT (SELECT max(id) FROM trial), (SELECT max(id) FROM attempt), "                        \
      "(SELECT max(id) FROM agent), (SELECT max(id) FROM sweep), "                                 \
      "(SELECT max(session) FROM agent), (SELECT max(id) FROM metric_name)")                       \
    X(STATEMENT_SWEEP_NEW,                                                                         \
      "INSERT INTO sweep (state, reason, \"cursor\", exhausted, point_count, trial_count, "        \
      "tell_count, pending, running, done, failed, stopped, cancelled, active_ms, ended_ms, "      \
      "id, key, name, fingerprint, created_ms) "                                                   \
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                       \
    X(STATEMENT_SWEEP,                                                                             \
      "UPDATE sweep SET state = ?, reason = ?, \"cursor\" = ?, exhausted = ?, point_count = ?, "   \
      "trial_count = ?, tell_count = ?, pending = ?, running = ?, done = ?, failed = ?, "          \
      "stopped = ?, cancelled = ?, active_ms = ?, ended_ms = ?, fingerprint = ?, created_ms = ? "  \
      "WHERE id = ?")                                                                              \
    X(STATEMENT_SPEC,                                                                              \
      "INSERT INTO spec (sweep, text) VALUES (?, ?) "                                              \
      "ON CONFLICT (sweep) DO UPDATE SET text = excluded.text")                                    \
    X(STATEMENT_TRIAL_NEW,                                                                         \
      "INSERT INTO trial (state, value, others, attempt, attempt_count, tell_number, "             \
      "asked_after, retries, created_ms, started_ms, ended_ms, id, sweep, number, point, repeat, " \
      "config, enqueued, parent, parent_attempt) "                                                 \
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                       \
    X(STATEMENT_TRIAL,                                                                             \
      "UPDATE trial SET state = ?, value = ?, others = ?, attempt = ?, attempt_count = ?, tell_number = ?, "   \
      "asked_after = ?, retries = ?, created_ms = ?, started_ms = ?, ended_ms = ? WHERE id = ?")   \
    X(STATEMENT_PRIOR_NEW,                                                                         \
      "INSERT INTO prior (sweep, number, state, \"values\", source, config) "                      \
      "VALUES (?, ?, ?, ?, ?, ?)")                                                                 \
    X(STATEMENT_ATTEMPT_NEW,                                                                       \
      "INSERT INTO attempt (agent, session, state, class, code, signal, pid, message, "            \
      "assigned_ms, started_ms, ended_ms, metrics_bytes, stdout_bytes, stderr_bytes, "             \
      "metrics_length, stdout_length, stderr_length, dropped_bytes, cpu_ms, max_rss_bytes, "       \
      "value, others, cpus, memory_bytes, gpu_millis, gpus, id, trial, sweep, number) "            \
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "        \
      "?, ?, ?, ?)")                                                                               \
    X(STATEMENT_ATTEMPT,                                                                           \
      "UPDATE attempt SET agent = ?, session = ?, state = ?, class = ?, code = ?, signal = ?, "    \
      "pid = ?, message = ?, assigned_ms = ?, started_ms = ?, ended_ms = ?, metrics_bytes = ?, "   \
      "stdout_bytes = ?, stderr_bytes = ?, metrics_length = ?, stdout_length = ?, "                \
      "stderr_length = ?, dropped_bytes = ?, cpu_ms = ?, max_rss_bytes = ?, value = ?, others = ?, cpus = ?, " \
      "memory_bytes = ?, gpu_millis = ?, gpus = ? WHERE id = ?")                                   \
    X(STATEMENT_AGENT,                                                                             \
      "INSERT INTO agent (id, uid, name, host, version, boot, public_key, incarnation, hello, "    \
      "session, slots, cpus, memory_bytes, gpus, labels, draining, gone, first_seen_ms, "          \
      "last_seen_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "            \
      "ON CONFLICT (id) DO UPDATE SET uid = excluded.uid, name = excluded.name, "                  \
      "host = excluded.host, version = excluded.version, boot = excluded.boot, "                   \
      "public_key = excluded.public_key, incarnation = excluded.incarnation, "                     \
      "hello = excluded.hello, session = excluded.session, slots = excluded.slots, "               \
      "cpus = excluded.cpus, memory_bytes = excluded.memory_bytes, gpus = excluded.gpus, "         \
      "labels = excluded.labels, draining = excluded.draining, gone = excluded.gone, "             \
      "first_seen_ms = excluded.first_seen_ms, last_seen_ms = excluded.last_seen_ms")              \
    X(STATEMENT_METRIC_NAME, "INSERT INTO metric_name (id, name) VALUES (?, ?)")                   \
    X(STATEMENT_POINT,                                                                             \
      "INSERT INTO metric_point (attempt, name, sequence, step, time, value) "                     \
      "VALUES (?, ?, ?, ?, ?, ?)")                                                                 \
    X(STATEMENT_SUMMARY,                                                                           \
      "INSERT INTO summary (attempt, name, value, json) VALUES (?, ?, ?, ?) "                      \
      "ON CONFLICT (attempt, name) DO UPDATE SET value = excluded.value, json = excluded.json")    \
    X(STATEMENT_EVENT,                                                                             \
      "INSERT INTO event (at_ms, kind, sweep, trial, attempt, agent, text) "                       \
      "VALUES (?, ?, ?, ?, ?, ?, ?)")                                                              \
    X(STATEMENT_KEY_PUT,                                                                           \
      "INSERT INTO \"key\" (public_key, name, role, revoked, created_ms, used_ms) "                \
      "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (public_key) DO UPDATE SET name = excluded.name, "    \
      "role = excluded.role, revoked = excluded.revoked, created_ms = excluded.created_ms, "       \
      "used_ms = excluded.used_ms")                                                                \
    X(STATEMENT_KEY_EACH,                                                                          \
      "SELECT public_key, name, role, revoked, created_ms, used_ms FROM \"key\" "                  \
      "ORDER BY created_ms, public_key")                                                           \
    X(STATEMENT_REPLY_PUT,                                                                         \
      "INSERT INTO reply (id, code, body) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING")           \
    X(STATEMENT_REPLY_PRUNE,                                                                       \
      "DELETE FROM reply WHERE number <= (SELECT max(number) FROM reply) - ?")                     \
    X(STATEMENT_REPLY_GET, "SELECT code, body FROM reply WHERE id = ?")                            \
    /* extremes.c */                                                                               \
    X(STATEMENT_EXTREMES_GET,                                                                      \
      "SELECT low.id, low.number, low.value, high.id, high.number, high.value FROM sweep "         \
      "LEFT JOIN trial AS low ON low.id = sweep.lowest "                                           \
      "LEFT JOIN trial AS high ON high.id = sweep.highest WHERE sweep.id = ?")                     \
    X(STATEMENT_EXTREMES_SCAN_LOW,                                                                 \
      "SELECT id, number, value FROM trial WHERE sweep = ? AND state = 'done' "                    \
      "AND typeof(value) = 'real' ORDER BY value, number LIMIT 1")                                 \
    X(STATEMENT_EXTREMES_SCAN_HIGH,                                                                \
      "SELECT id, number, value FROM trial WHERE sweep = ? AND state = 'done' "                    \
      "AND typeof(value) = 'real' ORDER BY value DESC, number LIMIT 1")                            \
    X(STATEMENT_EXTREMES_PUT, "UPDATE sweep SET lowest = ?, highest = ? WHERE id = ?")             \
    /* wide.c */                                                                                   \
    X(STATEMENT_SWEEP_KEY, "SELECT key FROM sweep WHERE id = ?")                                   \
    X(STATEMENT_ATTEMPT_SWEEP, "SELECT sweep FROM attempt WHERE id = ?")                           \
    X(STATEMENT_PARAMETER_PUT, "INSERT INTO parameter VALUES (?, ?) ON CONFLICT DO NOTHING")       \
    X(STATEMENT_PARAMETER_EACH, "SELECT path FROM parameter WHERE sweep = ? ORDER BY path")        \
    X(STATEMENT_SWEEP_METRIC_PUT,                                                                  \
      "INSERT INTO sweep_metric VALUES (?, ?) ON CONFLICT DO NOTHING")                             \
    X(STATEMENT_SWEEP_METRIC_EACH,                                                                 \
      "SELECT sweep_metric.name, metric_name.name FROM sweep_metric "                              \
      "JOIN metric_name ON metric_name.id = sweep_metric.name WHERE sweep_metric.sweep = ? "       \
      "ORDER BY sweep_metric.name")                                                                \
    X(STATEMENT_WIDE_OLDEST,                                                                       \
      "SELECT object.name FROM sqlite_schema AS object CROSS JOIN sweep "                          \
      "ON sweep.key = substr(object.name, 7) WHERE object.type = 'view' "                          \
      "AND substr(object.name, 1, 6) = 'sweep_' ORDER BY sweep.id DESC LIMIT 1 OFFSET ?")          \
    /* logs.c */                                                                                   \
    X(STATEMENT_LOG_CHECK,                                                                         \
      "SELECT sweep.key, trial.number, attempt.number, attempt.stdout_bytes, "                     \
      "attempt.stderr_bytes, attempt.id, attempt.trial, attempt.sweep FROM (" ATTEMPT_LIVE         \
      " UNION SELECT id FROM attempt WHERE id > ? AND ended_ms > ?) AS checked "                   \
      "CROSS JOIN attempt ON attempt.id = checked.id "                                             \
      "CROSS JOIN trial ON trial.id = attempt.trial CROSS JOIN sweep ON sweep.id = attempt.sweep") \
    X(STATEMENT_LOG_CHECK_SINCE,                                                                   \
      "SELECT max(id), max(ended_ms) FROM (SELECT id, ended_ms FROM attempt "                      \
      "ORDER BY id DESC LIMIT ?)")                                                                 \
    /* restore.c */                                                                                \
    X(STATEMENT_AGENT_EACH,                                                                        \
      "SELECT id, uid, name, host, version, boot, public_key, incarnation, hello, session, "       \
      "slots, cpus, memory_bytes, gpus, labels, draining, gone, first_seen_ms, last_seen_ms "      \
      "FROM agent ORDER BY id")                                                                    \
    X(STATEMENT_METRIC_NAME_EACH, "SELECT id, name FROM metric_name ORDER BY id")                  \
    X(STATEMENT_SWEEP_EACH, "SELECT " SWEEP_COLUMNS " FROM sweep ORDER BY id")                     \
    X(STATEMENT_TRIAL_LIVE, "SELECT " TRIAL_COLUMNS " FROM " TRIAL_LIVE " ORDER BY trial.id")      \
    X(STATEMENT_ATTEMPT_LIVE,                                                                      \
      "SELECT " ATTEMPT_COLUMNS " FROM (" ATTEMPT_LIVE ") AS live "                                \
      "CROSS JOIN attempt ON attempt.id = live.id ORDER BY attempt.id")                            \
    X(STATEMENT_SEQUENCE,                                                                          \
      "WITH RECURSIVE series (attempt, name) AS ("                                                 \
      "SELECT id, (SELECT min(name) FROM metric_point WHERE attempt = live.id) "                   \
      "FROM (" ATTEMPT_LIVE ") AS live "                                                           \
      "UNION ALL "                                                                                 \
      "SELECT attempt, (SELECT min(p.name) FROM metric_point AS p "                                \
      "WHERE p.attempt = series.attempt AND p.name > series.name) "                                \
      "FROM series WHERE series.name IS NOT NULL) "                                                \
      "SELECT attempt, name, (SELECT max(p.sequence) + 1 FROM metric_point AS p "                  \
      "WHERE p.attempt = series.attempt AND p.name = series.name) "                                \
      "FROM series WHERE name IS NOT NULL")                                                        \
    /* repeats of a point are numbered one after another */                                        \
    X(STATEMENT_OPEN_REPEAT,                                                                       \
      "WITH live AS MATERIALIZED (SELECT DISTINCT sweep, point FROM " TRIAL_LIVE "), "             \
      "grouped AS MATERIALIZED (SELECT sweep, point, (SELECT t.number - t.repeat FROM trial AS t " \
      "INDEXED BY trial_repeat WHERE t.sweep = live.sweep AND t.point = live.point "               \
      "AND t.repeat > 0 LIMIT 1) AS first FROM live), "                                            \
      "sibling AS MATERIALIZED ("                                                                  \
      "SELECT t.id AS id FROM grouped CROSS JOIN trial AS t INDEXED BY trial_repeat "              \
      "ON t.sweep = grouped.sweep AND t.point = grouped.point AND t.repeat > 0 "                   \
      "UNION ALL "                                                                                 \
      "SELECT t.id FROM grouped CROSS JOIN trial AS t ON t.sweep = grouped.sweep "                 \
      "AND t.number = grouped.first AND t.point = grouped.point AND t.repeat = 0) "                \
      "SELECT " TRIAL_COLUMNS " FROM sibling CROSS JOIN trial ON trial.id = sibling.id "           \
      "WHERE trial.state NOT IN ('pending', 'running') ORDER BY trial.id")                         \
    X(STATEMENT_TOLD,                                                                              \
      "WITH told AS MATERIALIZED (SELECT point, max(tell_number) AS position FROM trial "          \
      "WHERE sweep = ?1 AND tell_number IS NOT NULL GROUP BY point) "                              \
      "SELECT " TRIAL_COLUMNS ", told.position FROM trial JOIN told ON told.point = trial.point "  \
      "WHERE trial.sweep = ?1 AND trial.repeat = 0 ORDER BY told.position")                        \
    X(STATEMENT_ASKED,                                                                             \
      "SELECT " TRIAL_COLUMNS " FROM trial "                                                       \
      "WHERE sweep = ? AND number > ? AND repeat = 0 ORDER BY number")                             \
    X(STATEMENT_POINT_TRIALS,                                                                      \
      "SELECT " TRIAL_COLUMNS " FROM trial INDEXED BY trial_repeat "                               \
      "WHERE sweep = ? AND point = ? AND repeat > 0 ORDER BY repeat")                              \
    /* priors.c */                                                                                 \
    X(STATEMENT_PRIOR_EACH,                                                                        \
      "SELECT sweep, number, state, \"values\", source, config FROM prior WHERE sweep = ? "        \
      "ORDER BY number")                                                                           \
    /* of an early point by its place, which holds unless trials were left out before it */        \
    X(STATEMENT_POINT_RUNS,                                                                        \
      "SELECT number, repeat, attempt FROM trial WHERE sweep = ? AND number BETWEEN ? AND ? "      \
      "AND point = ? ORDER BY repeat")                                                             \
    /* read.c */                                                                                   \
    X(STATEMENT_SWEEP_LATEST,                                                                      \
      "SELECT " SWEEP_COLUMNS " FROM sweep ORDER BY id DESC LIMIT 1")                              \
    X(STATEMENT_SWEEP_BY_KEY, "SELECT " SWEEP_COLUMNS " FROM sweep WHERE key = ?")                 \
    X(STATEMENT_SWEEP_BY_NAME,                                                                     \
      "SELECT " SWEEP_COLUMNS " FROM sweep WHERE name = ? ORDER BY id DESC LIMIT 1")               \
    X(STATEMENT_SWEEP_BY_PREFIX,                                                                   \
      "SELECT " SWEEP_COLUMNS " FROM sweep WHERE substr(key, 1, length(?1)) = ?1 "                 \
      "ORDER BY id DESC LIMIT 2")                                                                  \
    X(STATEMENT_SWEEP_BY_FINGERPRINT,                                                              \
      "SELECT " SWEEP_COLUMNS " FROM sweep WHERE fingerprint = ? ORDER BY id DESC LIMIT 1")        \
    X(STATEMENT_SWEEP_WORDS, "SELECT key, name FROM sweep ORDER BY id DESC LIMIT 1000")            \
    X(STATEMENT_TRIAL_BY_NUMBER,                                                                   \
      "SELECT " TRIAL_COLUMNS " FROM trial WHERE sweep = ? AND number = ?")                        \
    X(STATEMENT_TRIALS,                                                                            \
      "SELECT " TRIAL_COLUMNS " FROM trial WHERE sweep = ? AND (?2 IS NULL OR state = ?2) "        \
      "ORDER BY number LIMIT ? OFFSET ?")                                                          \
    X(STATEMENT_TRIALS_LIVE,                                                                       \
      "SELECT " TRIAL_COLUMNS " FROM " TRIAL_LIVE " AND sweep = ? AND state = ? "                  \
      "ORDER BY number LIMIT ? OFFSET ?")                                                          \
    X(STATEMENT_TRIALS_LOW_FIRST, BY_VALUE("ASC"))                                                 \
    X(STATEMENT_TRIALS_HIGH_FIRST, BY_VALUE("DESC"))                                               \
    X(STATEMENT_TRIAL_LOWEST,                                                                      \
      "SELECT " TRIAL_COLUMNS " FROM sweep JOIN trial ON trial.id = sweep.lowest "                 \
      "WHERE sweep.id = ?")                                                                        \
    X(STATEMENT_TRIAL_HIGHEST,                                                                     \
      "SELECT " TRIAL_COLUMNS " FROM sweep JOIN trial ON trial.id = sweep.highest "                \
      "WHERE sweep.id = ?")                                                                        \
    X(STATEMENT_ATTEMPTS,                                                                          \
      "SELECT " ATTEMPT_COLUMNS " FROM attempt WHERE trial = ? ORDER BY number")                   \
    X(STATEMENT_EVENTS,                                                                            \
      "SELECT id, sweep, trial, attempt, agent, at_ms, kind, text FROM event "                     \
      "WHERE (?1 IS NULL OR sweep = ?1) ORDER BY id")                                              \
    X(STATEMENT_EVENTS_OF_TRIAL,                                                                   \
      "SELECT id, sweep, trial, attempt, agent, at_ms, kind, text FROM event "                     \
      "WHERE trial = ?2 AND (?1 IS NULL OR sweep = ?1) ORDER BY id")                               \
    X(STATEMENT_METRIC_NAME_ID, "SELECT id FROM metric_name WHERE name = ?")                       \
    X(STATEMENT_POINTS,                                                                            \
      "SELECT trial.number, p.attempt, p.sequence, metric_name.name, p.step, p.time, p.value "     \
      "FROM trial CROSS JOIN metric_point AS p ON p.attempt = trial.attempt "                      \
      "CROSS JOIN metric_name ON metric_name.id = p.name "                                         \
      "WHERE trial.sweep = ? AND trial.number BETWEEN ? AND ? AND p.name BETWEEN ? AND ? "         \
      "ORDER BY trial.number, p.name, p.sequence")                                                 \
    X(STATEMENT_LAST_POINTS,                                                                       \
      "WITH RECURSIVE series (name) AS ("                                                          \
      "SELECT min(name) FROM metric_point WHERE attempt = ?1 "                                     \
      "UNION ALL "                                                                                 \
      "SELECT (SELECT min(p.name) FROM metric_point AS p "                                         \
      "WHERE p.attempt = ?1 AND p.name > series.name) FROM series WHERE series.name IS NOT NULL) " \
      "SELECT metric_name.name, (SELECT p.value FROM metric_point AS p WHERE p.attempt = ?1 "      \
      "AND p.name = series.name ORDER BY p.sequence DESC LIMIT 1) "                                \
      "FROM series JOIN metric_name ON metric_name.id = series.name ORDER BY series.name")         \
    X(STATEMENT_SUMMARIES,                                                                         \
      "SELECT metric_name.name, summary.json FROM summary "                                        \
      "JOIN metric_name ON metric_name.id = summary.name WHERE summary.attempt = ? "               \
      "ORDER BY summary.name")

enum statement {
#define STATEMENT_ENUM(id, sql) id,
    STATEMENT_LIST(STATEMENT_ENUM)
#undef STATEMENT_ENUM
        STATEMENT_COUNT
};
