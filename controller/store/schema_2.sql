-- Version 2: several objectives, configurations that people gave, runs that go on from others.

-- Several objectives: `value` stays that of the first; the others are a JSON list in the spec's order, null where there is
-- none, a text where it is not finite ("NaN", "Infinity", "-Infinity"). NULL: there is none at all.

ALTER TABLE trial ADD COLUMN others TEXT;
ALTER TABLE attempt ADD COLUMN others TEXT;

-- enqueued: 1 for a trial that a person asked for, ahead of the strategy's own.
-- parent: number of the trial whose run this one goes on from, parent_attempt: that trial's attempt when this one was made.
ALTER TABLE trial ADD COLUMN enqueued INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trial ADD COLUMN parent INTEGER;
ALTER TABLE trial ADD COLUMN parent_attempt INTEGER;

-- Results from elsewhere that the strategy heard of before its first question (`--prior`). They are no trials.
CREATE TABLE prior (
    sweep    INTEGER NOT NULL REFERENCES sweep,
    number   INTEGER NOT NULL,      -- from 1: the order in which the strategy hears of them
    state    TEXT NOT NULL,         -- done, failed or stopped
    "values" TEXT,                  -- JSON list, one for each objective; what is not finite is a text. NULL: none
    source   TEXT NOT NULL,         -- for people: file:line, or sweep:number
    config   TEXT NOT NULL,         -- JSON
    PRIMARY KEY (sweep, number)
) STRICT, WITHOUT ROWID;
