/* store/backend.h - what a backend gives to store/store.c: one function for each of
 * store/store.h.
 *
 * A backend embeds `struct store` (and `struct store_reader`) as the first member of its own
 * and fills in the table; the functions have the contracts of their namesakes in store/store.h.
 */
#ifndef JOBD_STORE_BACKEND_H
#define JOBD_STORE_BACKEND_H

#include "store/store.h"
#include "store/store_batch.h"

struct store_backend {
    const char *name;
    int (*open)(const struct store_conf *conf, struct store **ret_store, struct errinfo *e);
    void (*close)(struct store *st);
    int (*schema_version)(const struct store *st);
    int (*begin)(struct store *st, struct errinfo *e);
    int (*commit)(struct store *st, struct errinfo *e);
    void (*rollback)(struct store *st);
    void (*touch)(struct store *st);
    int (*job_insert)(struct store *st, struct job *job, struct errinfo *e);
    int (*take_batch_moves)(struct store *st, struct store_batch_move **ret_moves);
    int (*batch_insert)(struct store *st, const struct batch *b, struct errinfo *e);
    int (*batch_update)(struct store *st, struct batch *b, struct errinfo *e);
    int (*batch_get)(struct store *st, struct uuid7 id, struct batch *ret_batch,
                     struct errinfo *e);
    int (*batch_spec_put)(struct store *st, struct uuid7 id, enum batch_spec kind,
                          const struct batch_job *bj, struct errinfo *e);
    int (*batch_spec_get)(struct store *st, struct uuid7 id, enum batch_spec kind,
                          struct batch_job *ret_bj, struct errinfo *e);
    int (*batch_members)(struct store *st, struct uuid7 id, int64_t after_key,
                         struct store_member *items, size_t max, struct errinfo *e);
    int (*batches_busy)(struct store *st, struct uuid7 **ret_ids, int64_t *ret_pending,
                        struct errinfo *e);
    int (*batch_remove)(struct store *st, struct uuid7 id, struct errinfo *e);
    int (*batches_forget)(struct store *st, usec_t before_us, size_t max, usec_t *ret_oldest_us,
                          struct errinfo *e);
    int (*failure_add)(struct store *st, const struct failure_group *g, struct errinfo *e);
    int (*failure_insert)(struct store *st, const struct failure_group *g, struct errinfo *e);
    int (*failure_count)(struct store *st, const char *tenant, int64_t *ret_count,
                         struct errinfo *e);
    int (*failure_forget_oldest)(struct store *st, const char *tenant, struct errinfo *e);
    int (*read_batch)(struct store_reader *rd, struct uuid7 id, struct batch *ret_batch,
                      struct errinfo *e);
    int (*read_batches)(struct store_reader *rd, const struct store_batch_filter *filter,
                        struct store_batches *ret_batches, struct errinfo *e);
    int (*read_failures)(struct store_reader *rd, const struct store_failure_filter *filter,
                         struct store_failures *ret_failures, struct errinfo *e);
    int (*job_insert_claimed)(struct store *st, const struct job *job, int64_t worker_id,
                              int worker_pid, struct errinfo *e);
    int (*job_get)(struct store *st, struct uuid7 id, struct job *ret_job, struct errinfo *e);
    int (*job_claim)(struct store *st, const char *pool, int64_t worker_id, int worker_pid,
                     usec_t now_us, struct job *ret_job, struct errinfo *e);
    int (*jobs_due)(struct store *st, usec_t now_us, struct uuid7 *ids, size_t max,
                    struct errinfo *e);
    int (*next_due)(struct store *st, usec_t *ret_at_us, struct errinfo *e);
    int (*job_cancel_waiting)(struct store *st, struct uuid7 id, const char *reason,
                              usec_t now_us, struct errinfo *e);
    int (*job_cancel_running)(struct store *st, struct uuid7 id, const char *reason,
                              usec_t now_us, struct errinfo *e);
    int (*job_finish)(struct store *st, const struct outcome *o, enum job_state to,
                      usec_t now_us, struct errinfo *e);
    int (*job_retry)(struct store *st, const struct outcome *o, usec_t due_at_us, usec_t now_us,
                     struct errinfo *e);
    int (*count_attempts)(struct store *st, struct uuid7 id, enum cause cause,
                          int64_t *ret_count, struct errinfo *e);
    int (*job_release)(struct store *st, struct uuid7 id, int attempt, const char *reason,
                       usec_t now_us, struct errinfo *e);
    int (*job_progress)(struct store *st, struct uuid7 id, int attempt, int ppm,
                        const char *message, usec_t now_us, struct errinfo *e);
    int (*jobs_repool)(struct store *st, const char *function, const char *pool,
                       struct errinfo *e);
    int (*jobs_owned)(struct store *st, struct store_owned **ret_items, struct errinfo *e);
    int (*unique_find)(struct store *st, const unsigned char digest[SHA256_BYTES],
                       struct store_alike *items, size_t max, struct errinfo *e);
    int (*unique_of)(struct store *st, struct uuid7 id, unsigned char ret_digest[SHA256_BYTES],
                     struct errinfo *e);
    int (*unique_insert)(struct store *st, struct uuid7 id,
                         const unsigned char digest[SHA256_BYTES], struct uuid7 oldest,
                         struct errinfo *e);
    int (*idempotency_insert)(struct store *st, const struct idempotency_record *record,
                              struct errinfo *e);
    int (*idempotency_expire)(struct store *st, usec_t until_us, size_t max,
                              usec_t *ret_oldest_at_us, struct errinfo *e);
    int (*count_waiting)(struct store *st, int64_t *ret_count, struct errinfo *e);
    int (*count_waiting_in)(struct store *st, const char *queue, int64_t *ret_count,
                            struct errinfo *e);
    int (*last_key)(struct store *st, int64_t *ret_key, struct errinfo *e);
    int (*api_key_insert)(struct store *st, const struct api_key *key, struct errinfo *e);
    int (*api_key_revoke)(struct store *st, const char *tenant, const char *id, usec_t now_us,
                          struct errinfo *e);
    int (*api_key_rotate)(struct store *st, const char *tenant, const struct api_key *key,
                          struct errinfo *e);
    int (*api_key_used)(struct store *st, const char *id, usec_t at_us, struct errinfo *e);
    int (*api_keys)(struct store *st, struct api_keys *ret_keys, int64_t *ret_version,
                    struct errinfo *e);
    int (*job_rewrite)(struct store *st, const struct job *job, int64_t version, usec_t now_us,
                       struct errinfo *e);
    int (*job_requeue)(struct store *st, const struct job *job, int64_t version, usec_t now_us,
                       struct errinfo *e);
    int (*job_doom)(struct store *st, struct uuid7 id, usec_t now_us, struct errinfo *e);
    int (*job_remove)(struct store *st, struct uuid7 id, bool has_files, usec_t now_us,
                      int *ret_attempts, struct errinfo *e);
    int (*jobs_expired)(struct store *st, usec_t now_us, struct store_ended *items, size_t max,
                        struct errinfo *e);
    int (*next_expiry)(struct store *st, usec_t *ret_at_us, struct errinfo *e);
    int (*jobs_from)(struct store *st, int64_t after_key, struct store_ended *items, size_t max,
                     struct errinfo *e);
    int (*tombstone_get)(struct store *st, struct uuid7 id, const char *tenant,
                         struct store_tombstone *ret_tombstone, struct errinfo *e);
    int (*tombstones_with_files)(struct store *st, struct store_tombstone *items, size_t max,
                                 struct errinfo *e);
    int (*tombstone_cleared)(struct store *st, struct uuid7 id, struct errinfo *e);
    int (*tombstones_forget)(struct store *st, usec_t before_us, size_t max, struct errinfo *e);
    int (*oldest_tombstone)(struct store *st, usec_t *ret_at_us, struct errinfo *e);
    int (*reader_get)(struct store *st, struct store_reader **ret_reader, struct errinfo *e);
    void (*reader_put)(struct store *st, struct store_reader *rd);
    void (*reader_see)(struct store_reader *rd, const char *tenant);
    int (*read_job)(struct store_reader *rd, struct uuid7 id, size_t result_max_bytes,
                    struct job *ret_job, struct errinfo *e);
    int (*read_version)(struct store_reader *rd, struct uuid7 id, int64_t *ret_version,
                        enum job_state *ret_state, struct errinfo *e);
    int (*read_jobs)(struct store_reader *rd, const struct store_query *query,
                     struct store_page *ret_page, struct errinfo *e);
    int (*read_job_count)(struct store_reader *rd, const struct store_filter *filter,
                          int64_t *ret_count, bool *ret_exact, struct errinfo *e);
    int (*read_result)(struct store_reader *rd, struct uuid7 id, enum result_kind *ret_kind,
                       char **ret_bytes, size_t *ret_len, struct errinfo *e);
    int (*read_capture)(struct store_reader *rd, struct uuid7 id, int attempt,
                        enum stream stream, struct capture *ret_capture, struct errinfo *e);
    int (*read_attempts)(struct store_reader *rd, struct uuid7 id, int number,
                         struct attempts *ret_attempts, struct errinfo *e);
    int (*read_api_key_version)(struct store_reader *rd, int64_t *ret_version,
                                struct errinfo *e);
    int (*read_api_keys)(struct store_reader *rd, struct api_keys *ret_keys,
                         int64_t *ret_version, struct errinfo *e);
    int (*read_idempotency)(struct store_reader *rd, const unsigned char scope[SHA256_BYTES],
                            struct idempotency_record *ret_record, struct errinfo *e);
    int (*read_ping)(struct store_reader *rd, struct errinfo *e);
    int64_t (*change_seq)(const struct store *st);
    int64_t (*finished_version)(const struct store *st);
    int (*events_expire)(struct store *st, usec_t before_us, int64_t max_events,
                         size_t max_blocks, usec_t *ret_oldest_us, struct errinfo *e);
    int (*read_events)(struct store_reader *rd, const struct store_event_query *query,
                       struct store_events *ret_events, struct errinfo *e);
    int (*read_batch_events)(struct store_reader *rd, struct uuid7 id, int64_t after_seq,
                             size_t limit, struct store_events *ret_events, struct errinfo *e);
    int (*read_job_events)(struct store_reader *rd, struct uuid7 id, int64_t after_seq,
                           size_t limit, struct store_events *ret_events, struct errinfo *e);
};

struct store {
    const struct store_backend *backend;
    bool in_transaction; /* kept by store/store.c, which checks the bracket for every backend */
};

struct store_reader {
    const struct store_backend *backend;
};

extern const struct store_backend store_sqlite;

#endif
