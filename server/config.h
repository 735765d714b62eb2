/* server/config.h - the configuration file: YAML, checked against a schema made from the tables
 * in server/options.c and here. Every fault says file, line, key and what would be right; as
 * many as can be found are told at once. One thread, at the start of main().
 */
#ifndef JOBD_SERVER_CONFIG_H
#define JOBD_SERVER_CONFIG_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "server/http/peer.h"
#include "server/options.h"

#define CONFIG_FILE_MAX_BYTES (1 << 20)

/* Put what the file says into s, which holds the defaults. False when there are faults; each is
 * a line "FILE:LINE: KEY: what is wrong" in faults. */
bool config_load(const char *path, struct settings *s, struct buf *faults);
/* The same from a text; name stands for the file in the faults. */
bool config_load_text(const char *name, const char *text, size_t len, struct settings *s,
                      struct buf *faults);

/* The addresses in trusted_proxies; the list is the caller's. ERR_CONFIG. */
int config_trusted_proxies(const struct settings *s, struct trusted_proxies *ret_proxies,
                           struct errinfo *e);

/* "NAME=N"; *ret_name_len is that of NAME. ERR_CONFIG. */
int config_queue_depth(const char *text, size_t *ret_name_len, int64_t *ret_max,
                       struct errinfo *e);

/* What must hold between settings, wherever they come from. ERR_CONFIG. */
int config_check(const struct settings *s, struct errinfo *e);

#endif
