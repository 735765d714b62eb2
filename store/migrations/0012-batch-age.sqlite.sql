-- 0012: which batches ended first: they are removed after a time.

PRAGMA user_version = 12;

CREATE INDEX batch_by_end ON batch (finished_at_us) WHERE finished_at_us > 0;
