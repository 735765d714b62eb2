#include "server/http/bodies.h"

#include "server/http/request.h"

#define SMALL_BYTES 4096

int bodies_hold(struct request *r, size_t bytes)
{
    struct bodies *b = r->thread->bodies;
    size_t more;

    if (!b || b->max == 0 || bytes <= SMALL_BYTES || bytes <= r->held_bytes)
        return 0;
    more = bytes - r->held_bytes;
    if (atomic_fetch_add(&b->bytes, more) + more > b->max) {
        (void)atomic_fetch_sub(&b->bytes, more);
        return err_set(
            &r->rs.err, ERR_NOT_READY,
            "the bodies of other requests take all the memory that there is for them");
    }
    r->held_bytes = bytes;
    return 0;
}

void bodies_release(struct request *r)
{
    if (r->held_bytes > 0)
        (void)atomic_fetch_sub(&r->thread->bodies->bytes, r->held_bytes);
    r->held_bytes = 0;
}
