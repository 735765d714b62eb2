-- How the last attempt of a job that has ended did, as domain/outcome_record.h has it, when that is all there
-- is to tell: then the attempt has no row in the table attempt. NULL: it has one there, as all that ended
-- before this version have, or the job was never started.
PRAGMA user_version = 13;

ALTER TABLE job ADD COLUMN outcome BLOB;
