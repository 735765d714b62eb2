/* handlers/bulk_body.h - the body of an operation on many jobs: which they are, by their ids or
 * by a filter, and how. HTTP threads.
 */
#ifndef JOBD_HANDLERS_BULK_BODY_H
#define JOBD_HANDLERS_BULK_BODY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/clean.h"
#include "engine/requests.h"
#include "server/http/http.h"
#include "store/store.h"

#define BULK_IDS_MAX 10000

/* Texts are borrowed from the body. Zeroed is empty. */
struct bulk_body {
    bool dry_run;
    struct cancel_way way;   /* of a cancel */
    struct bulk_item *items; /* NULL: there is a filter */
    size_t count;
    struct store_filter filter;
    struct store_label *labels; /* filter.labels */
};

/* ERR_VALIDATION: all faults were told. */
int bulk_body_decode(struct bulk_body *b, const json_t *body, enum bulk_change change,
                     const struct http_req *rq, struct http_resp *rs);
void bulk_body_fini(struct bulk_body *b);
DEFINE_AUTO_FINI(bulk_body, struct bulk_body)

#endif
