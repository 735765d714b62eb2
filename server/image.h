/* server/image.h - this program as one of a row of images of the same process: what the one
 * before has left (pool/handover.h), and how the next one is executed (pool/successor.h).
 *
 * One thread, at the start of main().
 */
#ifndef JOBD_SERVER_IMAGE_H
#define JOBD_SERVER_IMAGE_H

#include <stdbool.h>

#include "base/clean.h"
#include "base/err.h"
#include "pool/handover.h"
#include "server/listen.h"
#include "server/options.h"

struct image {
    char *path; /* of this program, as it is to be found again */
    char *const *argv;
    char **check_argv;        /* argv and --check-config */
    bool inherits;            /* the image before this one has executed us */
    bool checks;              /* the running one asks whether we would start */
    struct handover handover; /* in both cases */
};

/* argv is borrowed. Takes what an earlier image has left out of the environment. */
void image_init(struct image *im, int argc, char *const *argv);
void image_fini(struct image *im);
DEFINE_AUTO_FINI(image, struct image)

/* Whether this program could take over with these settings, where the running image asks.
 * ERR_CONFIG: the text says why not. */
int image_check(const struct image *im, const struct settings *s, struct errinfo *e);

/* The lock of the data directory: inherited, or taken. Errors: supervisor_lock()'s. */
int image_lock(const struct image *im, const struct settings *s, int *ret_lock_fd,
               struct errinfo *e);
/* The sockets: inherited where the address is still wanted, else bound. An inheriting image
 * that cannot bind a new one goes on with what there was, and logs why. */
int image_listen(struct image *im, const struct settings *s, struct listeners *ret_listeners,
                 struct errinfo *e);

#endif
