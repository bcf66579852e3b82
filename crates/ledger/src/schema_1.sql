-- Schema 1. Times are milliseconds since the Unix epoch. A schema is never edited once it was released: add the next.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE build (
    key                INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of the builds, whatever the clock says
    id                 TEXT NOT NULL UNIQUE,
    started_ms         INTEGER NOT NULL,
    command            TEXT NOT NULL,
    project            TEXT NOT NULL,
    project_dir        TEXT NOT NULL,
    engine_id          TEXT NOT NULL,
    engine_name        TEXT NOT NULL,
    engine_version     TEXT NOT NULL,
    engine_api_version TEXT NOT NULL,
    engine_store       TEXT NOT NULL,
    builder            TEXT NOT NULL,
    commit_id          TEXT,
    dirty              INTEGER NOT NULL,
    pid                INTEGER NOT NULL,
    process_start      TEXT,
    outcome            TEXT,    -- NULL until the build is finished
    completed_ms       INTEGER,
    error              TEXT
);
CREATE INDEX build_by_project ON build (project, key);

CREATE TABLE service (
    key          INTEGER PRIMARY KEY,
    build        INTEGER NOT NULL REFERENCES build (key) ON DELETE CASCADE,
    service      TEXT NOT NULL,
    image        TEXT NOT NULL, -- JSON list of names
    image_id     TEXT,
    outcome      TEXT NOT NULL,
    revision     TEXT,
    started_ms   INTEGER,
    completed_ms INTEGER,
    error        TEXT,
    UNIQUE (build, service)
);

CREATE TABLE arg (
    service  INTEGER NOT NULL REFERENCES service (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    salted   INTEGER NOT NULL,
    PRIMARY KEY (service, position)
) WITHOUT ROWID;

CREATE TABLE base (
    service   INTEGER NOT NULL REFERENCES service (key) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    reference TEXT NOT NULL,
    digest    TEXT,
    PRIMARY KEY (service, position)
) WITHOUT ROWID;

CREATE TABLE step (
    service       INTEGER NOT NULL REFERENCES service (key) ON DELETE CASCADE,
    position      INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    name          TEXT NOT NULL,
    instruction   TEXT NOT NULL,
    kind          TEXT NOT NULL,
    file          TEXT, -- with line and end_line, or none of the three
    line          INTEGER,
    end_line      INTEGER,
    digest        TEXT NOT NULL,
    stable_digest TEXT NOT NULL,
    inputs        TEXT NOT NULL, -- JSON list of digests
    outcome       TEXT NOT NULL,
    started_ms    INTEGER,
    completed_ms  INTEGER,
    error         TEXT,
    PRIMARY KEY (service, position)
);

-- The list of files of a context: cut into chunks, so that a change of one file stores one chunk anew.
CREATE TABLE manifest (
    key    INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE, -- SHA-256 over the uncompressed list
    files  INTEGER NOT NULL,
    bytes  INTEGER NOT NULL
);
CREATE TABLE chunk (
    key    INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE, -- SHA-256 over the uncompressed chunk
    data   BLOB NOT NULL         -- zlib
);
CREATE TABLE manifest_chunk (
    manifest INTEGER NOT NULL REFERENCES manifest (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    chunk    INTEGER NOT NULL REFERENCES chunk (key),
    PRIMARY KEY (manifest, position)
) WITHOUT ROWID;
CREATE INDEX manifest_chunk_by_chunk ON manifest_chunk (chunk);

CREATE TABLE context (
    service  INTEGER NOT NULL REFERENCES service (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name     TEXT NOT NULL,
    root     TEXT NOT NULL,
    manifest INTEGER NOT NULL REFERENCES manifest (key),
    PRIMARY KEY (service, position)
) WITHOUT ROWID;
CREATE INDEX context_by_manifest ON context (manifest);
