-- 0006: requests that were made with an Idempotency-Key, and how they were answered.
--
-- Written in the transaction of what the request created; kept for idempotency_ttl. The id rises with
-- time, so that the oldest are found first and new rows go to the end.

PRAGMA user_version = 6;

CREATE TABLE idempotency (
    id INTEGER PRIMARY KEY,
    scope BLOB NOT NULL UNIQUE, -- SHA-256 of tenant, API key, method, path and key
    fingerprint BLOB NOT NULL,  -- SHA-256 of the request
    created_at_us INTEGER NOT NULL,
    status INTEGER NOT NULL,
    location TEXT,
    etag TEXT,
    answer BLOB NOT NULL
) STRICT;
