/* server/cmdline.h - the command line and the environment. One thread, at the start of main().
 */
#ifndef JOBD_SERVER_CMDLINE_H
#define JOBD_SERVER_CMDLINE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/clean.h"
#include "base/err.h"
#include "server/key_command.h"
#include "server/options.h"

enum cmdline_action {
    CMDLINE_SERVE,
    CMDLINE_CHECK_CONFIG,
    CMDLINE_HEALTHCHECK,
    CMDLINE_DOCTOR,
    CMDLINE_KEY,
    CMDLINE_HELP,
    CMDLINE_VERSION,
};

/* What was asked for. Texts are borrowed from argv and the environment. */
struct cmdline {
    enum cmdline_action action;
    const char *config_path;             /* NULL: no file */
    const char *target;                  /* HEALTHCHECK: an address, or NULL */
    bool json;                           /* DOCTOR, KEY: for machines */
    struct key_order key;                /* KEY */
    struct text_list flags[OPTIONS_MAX]; /* of options[i], in the order given */
};

/* ERR_CONFIG: an unknown option or word (the text names the nearest), a value missing or one
 * too many. config_variable: $JOBD_CONFIG or NULL. */
int cmdline_parse(int argc, char *const *argv, const char *config_variable,
                  struct cmdline *ret_line, struct errinfo *e);
void cmdline_fini(struct cmdline *line);
DEFINE_AUTO_FINI(cmdline, struct cmdline)

/* Put the values of the variables into s. An empty variable counts as not set. ERR_CONFIG. */
int cmdline_apply_environment(const char *(*get)(const char *name), struct settings *s,
                              struct errinfo *e);
/* Put the values of the flags into s. ERR_CONFIG. */
int cmdline_apply_flags(const struct cmdline *line, struct settings *s, struct errinfo *e);

/* The text of --help. */
void cmdline_help(struct buf *out);

#endif
