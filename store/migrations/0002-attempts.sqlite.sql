-- 0002: more about an attempt: who ran it, what held it together, what it was allowed, how it failed.
--
-- Attempts that ended before have zeros: not known. Sets of limits are bits in the order of
-- domain/limits.def.

PRAGMA user_version = 2;

ALTER TABLE attempt ADD COLUMN worker_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN worker_pid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN voluntary_switches INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN involuntary_switches INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN containment INTEGER NOT NULL DEFAULT 0; -- enum containment
ALTER TABLE attempt ADD COLUMN limits_enforced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN limits_by_cgroup INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN limits_exceeded INTEGER NOT NULL DEFAULT 0;
-- Of the kept bytes, those from the start; the others are from the end. 0: all are from the start.
ALTER TABLE attempt ADD COLUMN stdout_head_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN stderr_head_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN spawn_errno INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN spawn_stage TEXT;
