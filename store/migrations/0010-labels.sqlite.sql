-- 0010: jobs by label and by name: rows only for the jobs that have any.
--
-- A change of a job's state touches neither of them; see store/sqlite/job_labels.h for who writes
-- job_label.

PRAGMA user_version = 10;

CREATE TABLE job_label (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    job_id INTEGER NOT NULL REFERENCES job (id),
    PRIMARY KEY (name, value, job_id)
) WITHOUT ROWID, STRICT;

INSERT INTO job_label SELECT l.key, l.value, j.id
    FROM job AS j, json_each(j.payload, '$.labels') AS l
    WHERE j.payload LIKE '%"labels"%';
INSERT INTO job_label SELECT l.key, l.value, p.job_id
    FROM job_payload AS p, json_each(p.payload, '$.labels') AS l
    WHERE p.payload LIKE '%"labels"%';

CREATE INDEX job_by_name ON job (name) WHERE name IS NOT NULL;
