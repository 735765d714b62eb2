-- 0003: whose job it is, and which API key submitted it.
--
-- NULL stands for the default tenant, the owner of all jobs so far.

PRAGMA user_version = 3;

ALTER TABLE job ADD COLUMN tenant TEXT;
ALTER TABLE job ADD COLUMN created_by TEXT;
