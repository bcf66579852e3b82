-- Schema 4: when a builder's cache was cleared.

CREATE TABLE clear (
    key        INTEGER PRIMARY KEY AUTOINCREMENT,
    engine_id  TEXT NOT NULL,
    builder    TEXT NOT NULL,
    epoch      INTEGER NOT NULL, -- nanoseconds since 1970 by the builder's clock
    cleared_ms INTEGER NOT NULL, -- by this machine's clock
    proven     INTEGER NOT NULL
);
CREATE INDEX clear_by_builder ON clear (engine_id, builder, epoch);

-- Single results that were cleared.
CREATE TABLE cleared_result (
    engine_id  TEXT NOT NULL,
    builder    TEXT NOT NULL,
    result_key TEXT NOT NULL,
    made       INTEGER NOT NULL, -- nanoseconds since 1970 by the builder's clock: what was made until then is cleared
    PRIMARY KEY (engine_id, builder, result_key)
) WITHOUT ROWID;
