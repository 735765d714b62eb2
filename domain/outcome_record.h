/* domain/outcome_record.h - how an attempt ended, in few bytes: what the ledger keeps with the
 * job whose last attempt it was.
 *
 *     record  format (1 byte), slug of the cause, result_kind
 *             started_at_us, finished_at_us as the difference to it
 *             exit_code, signal, pid, user and system CPU, memory, switches
 *             containment, limits (3 x), leftovers_killed
 *             spawn_errno, spawn_stage, message ("": none)
 *             the result to the end, with RESULT_JSON
 *
 * Numbers and texts are as in base/packed.h. Pure, any thread.
 */
#ifndef JOBD_DOMAIN_OUTCOME_RECORD_H
#define JOBD_DOMAIN_OUTCOME_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "domain/outcome.h"

/* Whether a record holds all of it: one has no captures, and knows neither the job, nor the
 * number of the attempt, nor its fingerprint, which are the job's. */
bool outcome_record_suits(const struct outcome *o);
/* Append the record of such an outcome. */
void outcome_record_add(struct buf *b, const struct outcome *o);
/* Into a zeroed outcome, which the caller ends. False: the bytes are no record. */
bool outcome_record_read(const void *bytes, size_t len, struct outcome *o);

#endif
