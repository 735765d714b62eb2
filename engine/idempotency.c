/* Answers that are remembered for requests with an Idempotency-Key. */
#include "engine/turn.h"

int idempotency_remember(struct turn *t, struct engine_request *rq)
{
    struct idempotency_record *record = &rq->idempotency->record;
    int r;

    record->created_at_us = t->now_us;
    rq->idempotency->encode(rq, record);
    r = store_idempotency_insert(t->en->conf.store, record, &t->err);
    if (r < 0)
        return r;
    housekeeping_note(t, SWEEP_ANSWERS, t->now_us + t->en->conf.idempotency_ttl_us + 1);
    return 0;
}

int idempotency_sweep(struct turn *t, size_t portion, usec_t *ret_next_us)
{
    usec_t ttl_us = t->en->conf.idempotency_ttl_us;
    usec_t oldest_us = 0;
    int r;

    r = store_idempotency_expire(t->en->conf.store, t->now_us - ttl_us, portion, &oldest_us,
                                 &t->err);
    if (r < 0)
        return r;
    if (oldest_us != 0)
        *ret_next_us = oldest_us + ttl_us + 1;
    return 0;
}
