-- 0009: batches have a place in the event log, and what they submit may have a time to live.

PRAGMA user_version = 9;

ALTER TABLE batch ADD COLUMN change_seq INTEGER NOT NULL DEFAULT 0; -- of its last event; 0: none
ALTER TABLE batch_spec ADD COLUMN ttl_us INTEGER NOT NULL DEFAULT 0;
