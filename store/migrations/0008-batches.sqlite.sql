-- 0008: batches, what they submit, and kinds of failures.
--
-- A job without a batch has NULLs, which no index here holds. An array is one row of batch and one of
-- batch_spec until its members are made.

PRAGMA user_version = 8;

ALTER TABLE job ADD COLUMN batch_key INTEGER; -- batch.id of its batch; NULL: it has none
ALTER TABLE job ADD COLUMN batch_rand INTEGER;
ALTER TABLE job ADD COLUMN array_index INTEGER; -- from 0 on; NULL: it is not of an array
ALTER TABLE job ADD COLUMN fingerprint INTEGER; -- of the kind of its failure; NULL: it has not failed
CREATE INDEX job_by_batch ON job (batch_key) WHERE batch_key IS NOT NULL;
CREATE INDEX job_by_fingerprint ON job (fingerprint) WHERE fingerprint IS NOT NULL;

-- The counts are those of the members in each state, at every commit.
CREATE TABLE batch (
    id INTEGER PRIMARY KEY, -- uuid7_key(), as in job
    id_rand INTEGER NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    failure_policy TEXT NOT NULL,
    max_concurrency INTEGER NOT NULL, -- 0: any number
    array_size INTEGER NOT NULL,
    array_made INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    queued INTEGER NOT NULL,
    running INTEGER NOT NULL,
    canceling INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    canceled INTEGER NOT NULL,
    stop INTEGER NOT NULL,   -- enum batch_stop
    sweep_key INTEGER,       -- members up to this job.id have been told to end; NULL: no need
    specs INTEGER NOT NULL,  -- bits: what it submits
    called INTEGER NOT NULL, -- bits: what it has
    error_groups INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    started_at_us INTEGER NOT NULL,
    finished_at_us INTEGER NOT NULL,
    updated_at_us INTEGER NOT NULL,
    cancel_requested_at_us INTEGER NOT NULL,
    tenant TEXT, -- NULL: the default one
    created_by TEXT,
    name TEXT,
    reason TEXT,
    labels TEXT -- a JSON object
) STRICT;
-- For a start: those with members that are to be made or stopped.
CREATE INDEX batch_busy ON batch (id)
    WHERE sweep_key IS NOT NULL OR (array_made < array_size AND stop = 0);

-- A job as it will be submitted; the columns are those of job.
CREATE TABLE batch_spec (
    batch_key INTEGER NOT NULL REFERENCES batch (id),
    kind TEXT NOT NULL,
    priority INTEGER NOT NULL,
    delay_us INTEGER NOT NULL, -- from when it is submitted
    scheduled_at_us INTEGER NOT NULL,
    timeout_us INTEGER NOT NULL,
    grace_us INTEGER NOT NULL,
    queue TEXT NOT NULL,
    pool TEXT NOT NULL,
    function TEXT,
    name TEXT,
    payload TEXT NOT NULL,
    PRIMARY KEY (batch_key, kind)
) STRICT;

-- Jobs that have failed, by the kind of their failure: for each batch, and (batch_key 0) for all.
CREATE TABLE failure (
    batch_key INTEGER NOT NULL,
    tenant TEXT NOT NULL, -- '': the default one
    fingerprint INTEGER NOT NULL,
    reason TEXT NOT NULL,
    exit_code INTEGER NOT NULL, -- -1: none
    signal INTEGER NOT NULL,
    count INTEGER NOT NULL,
    first_seen_at_us INTEGER NOT NULL,
    last_seen_at_us INTEGER NOT NULL,
    last_job BLOB NOT NULL,    -- the 16 bytes of an id
    samples BLOB NOT NULL,     -- ids of the first few; the very first is the first
    queue TEXT NOT NULL,
    function TEXT,
    message TEXT NOT NULL,
    PRIMARY KEY (batch_key, tenant, fingerprint)
) WITHOUT ROWID, STRICT;
-- Which are the oldest, when there are too many.
CREATE INDEX failure_by_time ON failure (tenant, last_seen_at_us) WHERE batch_key = 0;
