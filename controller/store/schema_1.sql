-- Version 1 of the database. Migrations go forward only: a change is a new schema_<n>.sql, never an edit of an old one.
--
-- Times are milliseconds since 1970 UTC (NULL: not yet). States, classes and roles are the words of the program.
-- A value that is not a number is the text 'NaN' (SQLite has none); infinities are REAL.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sweep (
    id          INTEGER PRIMARY KEY,
    key         TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    state       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    fingerprint INTEGER NOT NULL,
    "cursor"    INTEGER NOT NULL,
    exhausted   INTEGER NOT NULL,
    point_count INTEGER NOT NULL,
    trial_count INTEGER NOT NULL,
    tell_count  INTEGER NOT NULL,
    pending     INTEGER NOT NULL,   -- trials in each state
    running     INTEGER NOT NULL,
    done        INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    stopped     INTEGER NOT NULL,
    cancelled   INTEGER NOT NULL,
    active_ms   INTEGER NOT NULL,
    created_ms  INTEGER NOT NULL,
    ended_ms    INTEGER,
    lowest      INTEGER,            -- the done trials of least and of greatest value, kept so that
    highest     INTEGER             -- the best of a million is known without an index to pay for
) STRICT;

-- Apart from its sweep, whose row is written in nearly every turn.
CREATE TABLE spec (
    sweep INTEGER PRIMARY KEY REFERENCES sweep,
    text  TEXT NOT NULL
) STRICT;

CREATE TABLE trial (
    id            INTEGER PRIMARY KEY,
    sweep         INTEGER NOT NULL REFERENCES sweep,
    number        INTEGER NOT NULL,
    state         TEXT NOT NULL,
    value         ANY,              -- the objective
    attempt       INTEGER,          -- the one that gave the result, or the latest
    attempt_count INTEGER NOT NULL,
    point         INTEGER NOT NULL,
    repeat        INTEGER NOT NULL,
    tell_number   INTEGER,
    asked_after   INTEGER NOT NULL,
    retries       TEXT,             -- used, by class: {"lost":1}
    created_ms    INTEGER NOT NULL,
    started_ms    INTEGER,
    ended_ms      INTEGER,
    config        TEXT NOT NULL,    -- JSON
    UNIQUE (sweep, number)
) STRICT;

-- What a restart needs is found without reading what is over.
CREATE INDEX trial_live ON trial (sweep) WHERE state = 'pending' OR state = 'running';
CREATE INDEX trial_repeat ON trial (sweep, point) WHERE repeat > 0;

CREATE TABLE agent (
    id            INTEGER PRIMARY KEY,
    uid           TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    host          TEXT NOT NULL,
    version       TEXT NOT NULL,
    boot          TEXT NOT NULL,
    public_key    TEXT NOT NULL,
    incarnation   INTEGER NOT NULL,
    hello         INTEGER NOT NULL,
    session       INTEGER NOT NULL,
    slots         INTEGER NOT NULL,
    cpus          INTEGER NOT NULL,
    memory_bytes  INTEGER NOT NULL,
    gpus          TEXT NOT NULL,    -- JSON array
    labels        TEXT NOT NULL,    -- JSON array
    draining      INTEGER NOT NULL,
    gone          INTEGER NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    last_seen_ms  INTEGER NOT NULL
) STRICT;

CREATE TABLE attempt (
    id             INTEGER PRIMARY KEY,
    trial          INTEGER NOT NULL REFERENCES trial,
    sweep          INTEGER NOT NULL,
    number         INTEGER NOT NULL,
    agent          INTEGER REFERENCES agent,
    session        INTEGER,
    state          TEXT NOT NULL,
    class          TEXT,
    code           INTEGER NOT NULL,
    signal         INTEGER NOT NULL,
    pid            INTEGER NOT NULL,
    message        TEXT,
    assigned_ms    INTEGER,
    started_ms     INTEGER,
    ended_ms       INTEGER,
    metrics_bytes  INTEGER NOT NULL, -- stored so far
    stdout_bytes   INTEGER NOT NULL,
    stderr_bytes   INTEGER NOT NULL,
    metrics_length INTEGER NOT NULL, -- final, once exited
    stdout_length  INTEGER NOT NULL,
    stderr_length  INTEGER NOT NULL,
    dropped_bytes  INTEGER NOT NULL,
    cpu_ms         INTEGER NOT NULL,
    max_rss_bytes  INTEGER NOT NULL,
    value          ANY,
    cpus           INTEGER NOT NULL,
    memory_bytes   INTEGER NOT NULL,
    gpus           TEXT,             -- JSON array of indices at the agent
    gpu_millis     INTEGER NOT NULL,
    UNIQUE (trial, number)
) STRICT;

CREATE INDEX attempt_live ON attempt (sweep)
    WHERE state = 'assigned' OR state = 'running' OR state = 'exited'; -- IN would build a table each time

CREATE TABLE metric_name (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Clustered by series, so that one series is one run of pages and there is no second tree to write.
CREATE TABLE metric_point (
    attempt  INTEGER NOT NULL,
    name     INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    step     INTEGER NOT NULL,
    time     REAL,
    value    ANY NOT NULL,
    PRIMARY KEY (attempt, name, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE summary (
    attempt INTEGER NOT NULL REFERENCES attempt,
    name    INTEGER NOT NULL REFERENCES metric_name,
    value   ANY,                     -- plain number or text; other kinds as JSON text
    json    TEXT NOT NULL,           -- as it was reported
    PRIMARY KEY (attempt, name)
) STRICT, WITHOUT ROWID;

-- Every change of state with its cause.
CREATE TABLE event (
    id      INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    sweep   INTEGER,
    trial   INTEGER,
    attempt INTEGER,
    agent   INTEGER,
    text    TEXT NOT NULL
) STRICT;

CREATE INDEX event_trial ON event (trial) WHERE trial IS NOT NULL;

-- Keys that may connect over tcp.
CREATE TABLE "key" (
    public_key TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    revoked    INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    used_ms    INTEGER
) STRICT, WITHOUT ROWID;

-- Answers to requests of the command line, the newest few thousand.
CREATE TABLE reply (
    number INTEGER PRIMARY KEY,
    id     TEXT NOT NULL UNIQUE,
    code   INTEGER NOT NULL,
    body   TEXT NOT NULL
) STRICT;

-- Columns of the wide views: leaves of the configurations (path: JSON array of names) and metrics seen.
CREATE TABLE parameter (
    sweep INTEGER NOT NULL REFERENCES sweep,
    path  TEXT NOT NULL,
    PRIMARY KEY (sweep, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE sweep_metric (
    sweep INTEGER NOT NULL REFERENCES sweep,
    name  INTEGER NOT NULL REFERENCES metric_name,
    PRIMARY KEY (sweep, name)
) STRICT, WITHOUT ROWID;

CREATE VIEW trials AS
SELECT sweep.key AS sweep, sweep.name AS sweep_name, trial.number AS number, trial.state AS state,
       trial.value AS value, (trial.ended_ms - trial.started_ms) / 1000.0 AS duration,
       trial.attempt_count AS attempts,
       strftime('%Y-%m-%dT%H:%M:%SZ', trial.created_ms / 1000, 'unixepoch') AS created,
       strftime('%Y-%m-%dT%H:%M:%SZ', trial.ended_ms / 1000, 'unixepoch') AS ended,
       trial.config AS config
FROM trial JOIN sweep ON sweep.id = trial.sweep;

CREATE VIEW runs AS
SELECT sweep.key AS sweep, trial.number AS trial, attempt.number AS attempt, attempt.state AS state,
       attempt.class AS class, attempt.code AS code, attempt.signal AS signal, attempt.value AS value,
       (attempt.ended_ms - attempt.started_ms) / 1000.0 AS duration, attempt.cpu_ms / 1000.0 AS cpu,
       attempt.max_rss_bytes AS max_rss_bytes, agent.name AS agent, attempt.pid AS pid,
       strftime('%Y-%m-%dT%H:%M:%SZ', attempt.started_ms / 1000, 'unixepoch') AS started,
       strftime('%Y-%m-%dT%H:%M:%SZ', attempt.ended_ms / 1000, 'unixepoch') AS ended,
       attempt.message AS message
FROM attempt
JOIN trial ON trial.id = attempt.trial
JOIN sweep ON sweep.id = attempt.sweep
LEFT JOIN agent ON agent.id = attempt.agent;

-- Points of the attempt of each trial that counts.
CREATE VIEW metrics AS
SELECT sweep.key AS sweep, trial.number AS trial, metric_name.name AS name,
       metric_point.sequence AS sequence, metric_point.step AS step, metric_point.time AS time,
       metric_point.value AS value
FROM trial
JOIN sweep ON sweep.id = trial.sweep
JOIN metric_point ON metric_point.attempt = trial.attempt
JOIN metric_name ON metric_name.id = metric_point.name;

INSERT INTO meta VALUES ('id', lower(hex(randomblob(16)))), ('epoch', 0);
