-- Schema 2: what a step's outcome follows from.

ALTER TABLE step ADD COLUMN result_key TEXT; -- identity of the result
ALTER TABLE step ADD COLUMN loose_key  TEXT; -- the same without inputs that are compared by content
ALTER TABLE step ADD COLUMN made       TEXT; -- JSON: the record of the builder's cache
ALTER TABLE step ADD COLUMN made_from  INTEGER; -- nanoseconds since 1970: when that record was made
ALTER TABLE step ADD COLUMN made_to    INTEGER;
ALTER TABLE step ADD COLUMN facts      TEXT; -- JSON: what a later build is compared with
ALTER TABLE step ADD COLUMN cause      TEXT; -- JSON
ALTER TABLE step ADD COLUMN origin     TEXT; -- JSON
ALTER TABLE step ADD COLUMN note       TEXT;
ALTER TABLE step ADD COLUMN output     TEXT; -- the end of what a failed step wrote
CREATE INDEX step_by_key ON step (result_key) WHERE result_key IS NOT NULL;
CREATE INDEX step_by_made ON step (made_from) WHERE made_from IS NOT NULL;
CREATE INDEX step_by_loose_key ON step (loose_key) WHERE loose_key IS NOT NULL;

-- Under which key a daemon keeps folders that have these permissions.
CREATE TABLE kept_folders (
    key     TEXT NOT NULL,
    headers TEXT NOT NULL,
    token   TEXT NOT NULL,
    used    INTEGER NOT NULL, -- counts up: the highest is the latest
    PRIMARY KEY (key, headers)
) WITHOUT ROWID;
