/* base/err.h - one result type for the whole tree.
 *
 * A function that can fail returns int: 0 (or a count) on success, a negative ERR_* on failure,
 * and leaves the text in the caller's struct errinfo, its last parameter. The text is set where
 * the fault is seen and passed up unchanged; it is logged or answered once, at the top.
 *
 * Threads: an errinfo belongs to one thread; the functions have no shared state.
 */
#ifndef JOBD_BASE_ERR_H
#define JOBD_BASE_ERR_H

#include <stdbool.h>

enum err_index {
#define ERR(symbol, status, slug, title) ERR_INDEX_##symbol,
#include "base/err.def"
#undef ERR
    ERR_INDEX_MAX_
};

/* clang-format off */
enum err_code {
#define ERR(symbol, status, slug, title) ERR_##symbol = -(ERR_INDEX_##symbol + 1),
#include "base/err.def"
#undef ERR
    ERR_NONE_ = 0
};
/* clang-format on */

#define ERR_TEXT_SIZE 512
#define ERR_FACT_SIZE 64

struct errinfo {
    int code;              /* the ERR_* that was returned; 0 while nothing has failed */
    int sys_errno;         /* errno behind an ERR_SYS or ERR_DATABASE, else 0 */
    const char *fact_name; /* a constant; NULL: there is none. See err_fact() */
    char fact[ERR_FACT_SIZE];
    char text[ERR_TEXT_SIZE];
};

/* What a code means to an HTTP client. */
struct err_meta {
    const char *symbol; /* "JOB_NOT_FOUND" */
    int http_status;
    const char *slug;  /* "job-not-found" */
    const char *title; /* constant per slug */
};

/* Record a fault and return `code`, so that `return err_set(e, ERR_X, "...")` reads well.
 * e may be NULL where the caller does not want the text. Text beyond ERR_TEXT_SIZE is cut off
 * between two characters. An argument may be e->text itself, to put words around an older
 * fault. */
__attribute__((format(printf, 3, 4))) int err_set(struct errinfo *e, int code,
                                                  const char *format, ...);

/* Record a failed system call: "<what>: <strerror(errno)>". Returns ERR_SYS and keeps errno. */
__attribute__((format(printf, 2, 3))) int err_sys(struct errinfo *e, const char *format, ...);

/* Add to the fault just recorded what a program can use of it: "state", "succeeded". It becomes
 * a member of the problem that the client is sent, and goes with the next err_set(). name is a
 * constant; value is cut off at ERR_FACT_SIZE. Returns code, so that
 * `return err_fact(e, err_set(e, ERR_X, "..."), "state", name)` reads well. */
int err_fact(struct errinfo *e, int code, const char *name, const char *value);

/* Whether it failed for want of descriptors, processes, memory or room on the disk: the same
 * may succeed later. */
bool err_is_shortage(const struct errinfo *e);

/* The metadata of a negative ERR_* code; never NULL (an unknown code reads as INTERNAL). */
const struct err_meta *err_meta(int code);

/* The first entry with this slug, or NULL. For /problems/{slug}. */
const struct err_meta *err_meta_by_slug(const char *slug);

#endif
