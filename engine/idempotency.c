/* Answers that are remembered for requests with an Idempotency-Key. */
#include "engine/turn.h"

#define FORGET_MAX 100 /* rows a turn */

int idempotency_remember(struct turn *t, struct engine_request *rq)
{
    struct idempotency_record *record = &rq->idempotency->record;
    int r;

    record->created_at_us = t->now_us;
    rq->idempotency->encode(rq, record);
    r = store_idempotency_insert(t->en->conf.store, record, &t->err);
    if (r < 0)
        return r;
    if (t->oldest_answer_us == 0)
        t->oldest_answer_us = t->now_us;
    return 0;
}

int idempotency_forget(struct turn *t)
{
    usec_t until_us = t->now_us - t->en->conf.idempotency_ttl_us;
    int r;

    if (t->oldest_answer_us == 0 || t->oldest_answer_us > until_us)
        return 0;
    r = store_idempotency_expire(t->en->conf.store, until_us, FORGET_MAX, &t->oldest_answer_us,
                                 &t->err);
    return r < 0 ? r : 0;
}
