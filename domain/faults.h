/* domain/faults.h - every fault of a request at once, each with its place.
 *
 * A decoder adds what it finds and goes on; the caller asks faults->count at the end.
 * Bounded: beyond FAULTS_MAX further ones are only counted. One thread.
 */
#ifndef JOBD_DOMAIN_FAULTS_H
#define JOBD_DOMAIN_FAULTS_H

#include <stddef.h>

#include "base/clean.h"
#include "base/err.h"

#define FAULTS_MAX               100
#define FAULTS_POINTER_MAX_BYTES 1024

struct fault {
    char *pointer;    /* JSON pointer (RFC 6901) in URI fragment form: "#/env/PATH"; or, for a
                         query parameter, "?" and its name */
    const char *code; /* constant slug: "unknown-field", "wrong-type", "out-of-range", ... */
    char *detail;     /* what is wrong and what would be right */
};

struct faults {
    struct fault *items;
    size_t count; /* entries in items */
    size_t total; /* found altogether */
    /* Where what is being decoded is, in the form of a pointer without "/" at its end: it
     * stands for the "#" of pointers that are added from now on. Borrowed; NULL: it is the
     * body. */
    const char *at;
};

/* Add one; pointer is copied. One that is too long is cut back to a place around it. */
__attribute__((format(printf, 4, 5))) void
faults_add(struct faults *f, const char *pointer, const char *code, const char *format, ...);
/* 0 when there are not more than `before`; ERR_VALIDATION says how many more. */
int faults_judge(const struct faults *f, size_t before, struct errinfo *e);
/* pointer + "/" + member, the member escaped by RFC 6901 and RFC 3986; the caller frees it. */
char *faults_pointer(const char *pointer, const char *member);
void faults_fini(struct faults *f);
DEFINE_AUTO_FINI(faults, struct faults)

#endif
