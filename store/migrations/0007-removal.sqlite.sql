-- 0007: when jobs are removed, and what is left of those that were.
--
-- Plain jobs keep zeros in the new columns, which take no room, and are in none of the new indexes.

PRAGMA user_version = 7;

-- How long the job is kept once it has ended; 0: as long as the server says; < 0: not at all.
ALTER TABLE job ADD COLUMN ttl_us INTEGER NOT NULL DEFAULT 0;
-- When one that has a ttl_us of its own is to be removed; 0: it has none, or has not ended.
ALTER TABLE job ADD COLUMN expires_at_us INTEGER NOT NULL DEFAULT 0;
CREATE INDEX job_expires ON job (expires_at_us) WHERE expires_at_us > 0;

-- Jobs that were removed, for as long as that is told.
CREATE TABLE tombstone (
    id INTEGER PRIMARY KEY, -- as in job
    id_rand INTEGER NOT NULL,
    expired_at_us INTEGER NOT NULL,
    attempts INTEGER NOT NULL, -- the files of the attempts 1..attempts are still to be removed
    tenant TEXT
) STRICT;
CREATE INDEX tombstone_by_age ON tombstone (expired_at_us);
CREATE INDEX tombstone_with_files ON tombstone (attempts) WHERE attempts > 0;
