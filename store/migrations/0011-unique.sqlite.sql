-- 0011: jobs of which there is to be one at a time.
--
-- One row for each job that says so, and nothing for the others. The index ends with the rowid, which
-- is the id of the job: the newest of those that are alike is its last entry.

PRAGMA user_version = 11;

CREATE TABLE job_unique (
    job_id INTEGER PRIMARY KEY REFERENCES job (id),
    digest BLOB NOT NULL -- SHA-256 of tenant, scope and key
) STRICT;

CREATE INDEX job_alike ON job_unique (digest);
