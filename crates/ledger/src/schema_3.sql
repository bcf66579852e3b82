-- Schema 3: what tells whether a builder still finds its results, and what an imported cache holds.

-- A file that was put on a base image, and when it was last found to be gone (0: never).
CREATE TABLE witness (
    engine_id TEXT NOT NULL,
    builder   TEXT NOT NULL,
    base      TEXT NOT NULL, -- digest of the vertex
    token     TEXT NOT NULL, -- what the file says
    since     INTEGER NOT NULL, -- nanoseconds since 1970 by the builder's clock
    PRIMARY KEY (engine_id, builder, base)
) WITHOUT ROWID;

ALTER TABLE service ADD COLUMN cache_digest TEXT; -- of the cache that was exported to a registry, or of the image that it is in
ALTER TABLE service ADD COLUMN cache_mode   TEXT; -- 'min', 'max' or 'inline'
CREATE INDEX service_by_image_id ON service (image_id) WHERE image_id IS NOT NULL;
CREATE INDEX service_by_cache_digest ON service (cache_digest) WHERE cache_digest IS NOT NULL;
