/* handlers/cancel_way.h - how a request wants jobs to be stopped: members of its body. */
#ifndef JOBD_HANDLERS_CANCEL_WAY_H
#define JOBD_HANDLERS_CANCEL_WAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clean.h"
#include "domain/faults.h"
#include "engine/requests.h"

/* What holds when nothing is said. */
void cancel_way_init(struct cancel_way *way);
void cancel_way_fini(struct cancel_way *way);

/* "reason", "mode" and "grace_period_seconds"; NULL for i beyond them. */
const char *cancel_way_member(size_t i);
/* Decode the member of that name; false: it is none of these. */
bool cancel_way_decode(struct cancel_way *way, const char *name, const json_t *value,
                       struct faults *f);

#endif
