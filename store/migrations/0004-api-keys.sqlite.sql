-- 0004: bearer keys. Of a secret only its SHA-256 is here.
--
-- The version of the set rises with every key that is made, changed or revoked, also by another process
-- (jobd key): whoever keeps the set in memory sees by it that it is out of date. A use does not raise it.

PRAGMA user_version = 4;

CREATE TABLE api_key (
    id TEXT NOT NULL PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    name TEXT NOT NULL,
    tenant TEXT NOT NULL,
    scopes TEXT NOT NULL, -- names separated by commas, as in functions and queues
    functions TEXT,       -- NULL: all
    queues TEXT,          -- NULL: all
    rate INTEGER NOT NULL, -- requests in each rate_seconds; 0: as the settings say
    rate_seconds INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL, -- 0: never
    revoked_at_us INTEGER NOT NULL, -- 0: is good
    last_used_at_us INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE api_key_set (
    one INTEGER PRIMARY KEY CHECK (one = 1), -- this table has one row
    version INTEGER NOT NULL
) STRICT;
INSERT INTO api_key_set VALUES (1, 0);
