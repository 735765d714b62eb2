/* Ceiling: durable jobs a second through raw SQLite, with nothing of jobd around it.
 *
 *     sqlite_rows [-i] [JOBS [PER_TRANSACTION [DIRECTORY]]]      100000 100 .
 *
 * One plain table; each transaction inserts, claims and finishes PER_TRANSACTION jobs, as a
 * turn of the ledger does: it finishes what the one before it has claimed. WAL,
 * synchronous=FULL. With -i it only inserts. Prints jobs a second.
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define PAYLOAD                                                                                \
    "{\"args\":{\"n\":1},\"labels\":{\"team\":\"bench\"},\"env\":{\"A\":\"a value of some "    \
    "length\"}}"

/* A row is then as large as one of jobd's (237 bytes): that of the job which bench/run inserts,
 * whose payload has 146 bytes, next to some thirty columns that are mostly empty. */
#define INSERTED_BYTES 230

static sqlite3 *db;

static void check(int rc, const char *what)
{
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
        return;
    (void)fprintf(stderr, "sqlite_rows: %s: %s\n", what, db ? sqlite3_errmsg(db) : "no memory");
    exit(1);
}

static void run(const char *sql)
{
    check(sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *s = NULL;

    check(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL), sql);
    return s;
}

static void step(sqlite3_stmt *s)
{
    check(sqlite3_step(s), sqlite3_sql(s));
    check(sqlite3_reset(s), sqlite3_sql(s));
}

static void set_up(const char *path)
{
    check(sqlite3_open(path, &db), path);
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = FULL");
    run("PRAGMA secure_delete = OFF");
    run("PRAGMA wal_autocheckpoint = 4000");
    run("PRAGMA cache_size = -32768");
    run("CREATE TABLE job (id INTEGER PRIMARY KEY, state INTEGER, started_at_us INTEGER,"
        " finished_at_us INTEGER, payload TEXT, result TEXT) STRICT");
    run("CREATE INDEX job_ready ON job (id) WHERE state = 0");
}

static void finalize_all(void)
{
    for (sqlite3_stmt *s; (s = sqlite3_next_stmt(db, NULL));)
        (void)sqlite3_finalize(s); /* nothing failed before */
}

/* Returns microseconds. */
static usec_t measure(int64_t jobs, int64_t per_transaction)
{
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE");
    sqlite3_stmt *commit = prepare("COMMIT");
    sqlite3_stmt *insert = prepare("INSERT INTO job VALUES (?1, 0, 0, 0, ?2, NULL)");
    sqlite3_stmt *next = prepare(
        "SELECT id, payload FROM job INDEXED BY job_ready"
        " WHERE state = 0 ORDER BY id LIMIT 1");
    sqlite3_stmt *claim = prepare(
        "UPDATE job SET state = 1, started_at_us = ?2"
        " WHERE id = ?1 AND state = 0");
    sqlite3_stmt *finish = prepare(
        "UPDATE job SET state = 2, finished_at_us = ?2, result = '{}'"
        " WHERE id = ?1 AND state = 1");
    usec_t began_us = clock_mono_us();
    int64_t base = clock_wall_us();
    int64_t running = 0; /* from base on: first and count of those claimed before */
    int64_t inserted = 0;

    while (running < jobs) {
        int64_t claimed = inserted;

        step(begin);
        for (; running < claimed; running++) {
            check(sqlite3_bind_int64(finish, 1, base + running), "bind");
            check(sqlite3_bind_int64(finish, 2, base), "bind");
            step(finish);
        }
        for (int64_t i = 0; i < per_transaction && inserted < jobs; i++, inserted++) {
            check(sqlite3_bind_int64(insert, 1, base + inserted), "bind");
            check(sqlite3_bind_text(insert, 2, PAYLOAD, -1, SQLITE_STATIC), "bind");
            step(insert);
        }
        for (; claimed < inserted; claimed++) {
            check(sqlite3_step(next), "next");
            check(sqlite3_bind_int64(claim, 1, sqlite3_column_int64(next, 0)), "bind");
            check(sqlite3_bind_int64(claim, 2, base), "bind");
            check(sqlite3_reset(next), "next");
            step(claim);
        }
        step(commit);
    }
    began_us = clock_mono_us() - began_us;
    finalize_all();
    return began_us;
}

/* Returns microseconds. */
static usec_t measure_inserts(int64_t jobs, int64_t per_transaction)
{
    static char payload[INSERTED_BYTES];
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE");
    sqlite3_stmt *commit = prepare("COMMIT");
    sqlite3_stmt *insert = prepare("INSERT INTO job VALUES (?1, 0, 0, 0, ?2, NULL)");
    usec_t began_us = clock_mono_us();

    memset(payload, 'x', sizeof payload);
    check(sqlite3_bind_text(insert, 2, payload, sizeof payload, SQLITE_STATIC), "bind");
    for (int64_t inserted = 0; inserted < jobs;) {
        step(begin);
        for (int64_t i = 0; i < per_transaction && inserted < jobs; i++, inserted++) {
            check(sqlite3_bind_int64(insert, 1, began_us + inserted), "bind");
            step(insert);
        }
        step(commit);
    }
    began_us = clock_mono_us() - began_us;
    finalize_all();
    return began_us;
}

int main(int argc, char **argv)
{
    bool insert_only = argc > 1 && strcmp(argv[1], "-i") == 0;
    int64_t jobs;
    int64_t per_transaction;
    char dir[4096];
    char path[4200];
    usec_t took_us;

    argc -= insert_only;
    argv += insert_only;
    jobs = argc > 1 ? strtoll(argv[1], NULL, 10) : 100000;
    per_transaction = argc > 2 ? strtoll(argv[2], NULL, 10) : 100;
    (void)snprintf(dir, sizeof dir, "%s/sqlite_rows.XXXXXX", argc > 3 ? argv[3] : ".");
    if (jobs < 1 || per_transaction < 1 || !mkdtemp(dir)) {
        (void)fprintf(stderr, "usage: sqlite_rows [-i] [JOBS [PER_TRANSACTION [DIRECTORY]]]\n");
        return 64;
    }
    (void)snprintf(path, sizeof path, "%s/rows.db", dir);
    set_up(path);
    took_us =
        insert_only ? measure_inserts(jobs, per_transaction) : measure(jobs, per_transaction);
    check(sqlite3_close(db), "close");
    (void)unlink(path);
    (void)rmdir(dir);
    printf("%.0f\n", (double)jobs * 1e6 / (double)took_us);
    return 0;
}
