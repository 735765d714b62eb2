-- 0005: the event log: what has happened to each job, in the order of the commits.
--
-- A row holds several events as domain/event_block.h writes them: those of one transaction, or a part
-- of them. One row for each event would cost a submit, claim and finish a tenth of their time. An event
-- is found by its number: in the row with the smallest last_seq that is not smaller. The events of a
-- job are a chain from job.change_seq backwards.

PRAGMA user_version = 5;

CREATE TABLE event_block (
    last_seq INTEGER PRIMARY KEY, -- the number of its last event
    last_at_us INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

-- Events up to this number are not kept any more. There are none of the changes made so far.
ALTER TABLE ledger ADD COLUMN events_gone_seq INTEGER NOT NULL DEFAULT 0;
UPDATE ledger SET events_gone_seq = change_seq;
