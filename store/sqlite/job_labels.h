/* store/sqlite/job_labels.h - the table of labels, by which lists find jobs.
 *
 * Internal to store/sqlite/. What a job's labels are its payload says; job_label repeats them,
 * and whoever writes, changes or deletes a payload says so here, in the same transaction.
 */
#ifndef JOBD_STORE_SQLITE_JOB_LABELS_H
#define JOBD_STORE_SQLITE_JOB_LABELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/sqlite/db.h"

/* Add the labels of this payload (JSON) for the job with this key. Costs next to nothing where
 * there are none. */
int job_labels_add(struct db *db, int64_t key, const char *payload, size_t len,
                   struct errinfo *e);
/* Take them away: payload is what they were added with (NULL: without any). */
int job_labels_remove(struct db *db, int64_t key, const char *payload, size_t len,
                      struct errinfo *e);
/* The payload of the job as it is now: a heap copy, NULL when it has no labels. For
 * job_labels_remove() once it has been changed. */
int job_labels_source(struct db *db, int64_t key, char **ret_payload, size_t *ret_len,
                      struct errinfo *e);
/* Whether the job has this label: 1 or 0. */
int job_labels_have(struct db *db, int64_t key, const char *name, const char *value,
                    struct errinfo *e);

#endif
