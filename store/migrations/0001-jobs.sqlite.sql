-- 0001: jobs, their payloads, how their attempts ended, and the ledger's counters.
--
-- The primary key of a job is uuid7_key() of its id: rising with time, so that new jobs go to the end
-- of the table and a list walks it downward. Times are microseconds since 1970, 0: has not happened.
-- The columns that change come first, the wide one last; a payload of more than 2 KiB lives in
-- job_payload, so that a change of state never rewrites it. The CHECK lists states with OR, because
-- SQLite builds a temporary index for each evaluation of a long IN list.
-- REFERENCES is there for readers and for PRAGMA foreign_key_check; see store/sqlite/db.c.

PRAGMA application_id = 1785684580; -- "jobd"
PRAGMA user_version = 1;

CREATE TABLE ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1), -- this table has one row
    change_seq INTEGER NOT NULL,             -- of the last committed change
    last_key INTEGER NOT NULL                -- the largest job.id ever given out
) STRICT;
INSERT INTO ledger VALUES (1, 0, 0);

CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    id_rand INTEGER NOT NULL, -- the random bits of the id: a look-up must name them too
    state TEXT NOT NULL CHECK (state = 'queued' OR state = 'running' OR state = 'succeeded'
        OR state = 'failed' OR state = 'canceled' OR state = 'canceling' OR state = 'scheduled'),
    version INTEGER NOT NULL,
    change_seq INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    attempt INTEGER NOT NULL,  -- number of the current or last attempt: rises with every claim
    releases INTEGER NOT NULL, -- attempts that were given back and do not count
    worker_id INTEGER NOT NULL,
    worker_pid INTEGER NOT NULL,
    queued_at_us INTEGER NOT NULL,
    started_at_us INTEGER NOT NULL,
    progress_ppm INTEGER NOT NULL, -- parts per million; -1: not said
    progress_at_us INTEGER NOT NULL,
    finished_at_us INTEGER NOT NULL,
    updated_at_us INTEGER NOT NULL,
    cancel_requested_at_us INTEGER NOT NULL,
    scheduled_at_us INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    timeout_us INTEGER NOT NULL,
    grace_us INTEGER NOT NULL,
    pool TEXT NOT NULL,
    queue TEXT NOT NULL,
    function TEXT, -- NULL: a command job
    name TEXT,
    reason TEXT,
    progress_message TEXT,
    payload TEXT -- JSON; NULL: in job_payload
) STRICT;

-- Each index ends with the rowid, which is the id, without saying so: naming it would store it twice.
-- The next job of a pool: the highest priority, then the oldest.
CREATE INDEX job_ready ON job (pool, priority DESC) WHERE state = 'queued';
-- What is due next.
CREATE INDEX job_due ON job (scheduled_at_us) WHERE state = 'scheduled';
-- The states in which few of many jobs are: for recovery and lists. Jobs that have succeeded are
-- found in the table, those that are queued through job_ready.
CREATE INDEX job_by_state ON job (state) WHERE state <> 'succeeded' AND state <> 'queued';

-- In which pool all waiting jobs of a function are; '' stands for command jobs. Written by
-- store_jobs_repool(), so that a start need not look at a million jobs to find none to move.
CREATE TABLE function_pool (
    function TEXT NOT NULL PRIMARY KEY,
    pool TEXT NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE job_payload (
    job_id INTEGER PRIMARY KEY REFERENCES job (id),
    payload TEXT NOT NULL
) STRICT;

-- One row for each attempt that has ended.
CREATE TABLE attempt (
    job_id INTEGER NOT NULL REFERENCES job (id),
    number INTEGER NOT NULL,
    cause TEXT NOT NULL,
    exit_code INTEGER NOT NULL,
    signal INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    started_at_us INTEGER NOT NULL,
    finished_at_us INTEGER NOT NULL,
    user_cpu_us INTEGER NOT NULL,
    system_cpu_us INTEGER NOT NULL,
    max_rss_bytes INTEGER NOT NULL,
    leftovers_killed INTEGER NOT NULL,
    stdout_total_bytes INTEGER NOT NULL,
    stdout_kept_bytes INTEGER NOT NULL,
    stdout_spilled INTEGER NOT NULL, -- 1: kept in a file of the data directory
    stderr_total_bytes INTEGER NOT NULL,
    stderr_kept_bytes INTEGER NOT NULL,
    stderr_spilled INTEGER NOT NULL,
    result_kind INTEGER NOT NULL, -- enum result_kind
    result_bytes INTEGER NOT NULL,
    message TEXT,
    result TEXT, -- NULL: none, or in attempt_output
    PRIMARY KEY (job_id, number)
) WITHOUT ROWID, STRICT;

-- Output that is kept in the database, and results that are too large for the row above. A table
-- with a rowid: the rows are large, and would make the inner pages of a clustered tree useless.
CREATE TABLE attempt_output (
    job_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind = 'stdout' OR kind = 'stderr' OR kind = 'result'),
    bytes BLOB NOT NULL,
    PRIMARY KEY (job_id, number, kind),
    FOREIGN KEY (job_id, number) REFERENCES attempt (job_id, number)
) STRICT;
