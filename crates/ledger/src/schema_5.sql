-- Schema 5: results that a build reused though they were from before a clear. Their steps were run again.

CREATE TABLE violation (
    service       INTEGER NOT NULL REFERENCES service ON DELETE CASCADE,
    position      INTEGER NOT NULL,
    step          TEXT NOT NULL,
    stable_digest TEXT NOT NULL,
    made_ms       INTEGER,       -- by the builder's clock; null if it is not known
    origin        TEXT NOT NULL, -- for people
    PRIMARY KEY (service, position)
) WITHOUT ROWID;
