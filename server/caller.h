/* server/caller.h - a principal with what it owns, counted by its users.
 *
 * A request holds one from when it is recognized until it ends, which may be long after the key
 * was revoked. Any thread.
 */
#ifndef JOBD_SERVER_CALLER_H
#define JOBD_SERVER_CALLER_H

#include "base/clean.h"
#include "domain/grant.h"
#include "domain/principal.h"

struct caller;

/* One user, who has it. id and name are copied, name may be NULL; the grant is copied. */
struct caller *caller_new(enum principal_via via, const char *id, const char *name,
                          const struct grant *grant, int64_t expires_at_us);
struct caller *caller_ref(struct caller *c);
/* Returns NULL; so it does for NULL. */
struct caller *caller_unref(struct caller *c);

const struct principal *caller_principal(const struct caller *c);
/* The caller of a principal that came from caller_principal(). */
struct caller *caller_of(const struct principal *p);
/* From now on principal_is_good() says no: its key is revoked. */
void caller_withdraw(struct caller *c);

#endif
