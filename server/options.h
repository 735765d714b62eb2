/* server/options.h - everything that can be set, in one table: its flag, its variable, its key
 * in the file, its bounds, its default and its help. The command line, the environment and the
 * file are read by it, and --help is written from it.
 *
 * A value comes from the flag, else the environment, else the file, else the default. Plain
 * data; one thread, before anything is started.
 */
#ifndef JOBD_SERVER_OPTIONS_H
#define JOBD_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clean.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/function.h"

struct text_list {
    char **items;
    size_t count;
};
void text_list_add(struct text_list *list, const char *text);
void text_list_fini(struct text_list *list);

/* `containment`, in the order of its choices. */
enum containment_choice { CONTAIN_AUTO, CONTAIN_SUBREAPER };

/* `auth`, in the order of its choices. */
enum auth_choice { AUTH_AUTO, AUTH_NONE, AUTH_REQUIRED };

/* What jobd runs with. Zeroed is empty; settings_init() gives it the defaults. */
struct settings {
    struct text_list listen;
    char *data_dir;
    int64_t durability; /* enum store_durability */
    int64_t workers;    /* for command functions and command jobs */
    bool allow_commands;
    bool insecure;
    int64_t log_level; /* enum log_level */
    usec_t drain_timeout_us;
    usec_t long_poll_max_us;
    usec_t event_heartbeat_us;
    usec_t event_retention_us;
    int64_t max_events;
    bool require_if_match;
    usec_t retention_us; /* 0: for ever */
    int64_t max_waiting_jobs;
    usec_t idempotency_ttl_us;
    bool require_idempotency_key;
    int64_t max_body_bytes;
    int64_t max_batch_body_bytes;
    int64_t max_bodies_bytes;
    int64_t max_batch_jobs;
    int64_t output_max_bytes;
    int64_t artifacts_max_bytes;
    int64_t artifacts_max_files;
    int64_t max_connections;
    int64_t http_threads; /* 0: four for each CPU */
    int64_t containment;  /* enum containment_choice */
    bool no_new_privs;
    int64_t quarantine_after;
    struct text_list trusted_proxies; /* server/http/peer.h */
    int64_t auth;                     /* enum auth_choice */
    char *identity_header;            /* NULL: none */
    struct text_list identities;      /* server/identities.h */
    char *api_keys_file;              /* NULL: none */
    struct text_list cors_origins;
    int64_t max_connections_per_address; /* 0: server/http/connections.h says */
    int64_t max_uri_bytes;
    int64_t max_header_bytes;
    usec_t header_timeout_us;
    usec_t body_timeout_us;
    usec_t keepalive_timeout_us;
    char *tls_cert; /* files; NULL: none */
    char *tls_key;
    char *tls_client_ca;
    int64_t rate_limit;             /* requests of a key in rate_period_us; 0: any number */
    int64_t rate_limit_per_address; /* of an address without a key; 0: any number */
    usec_t rate_period_us;
    int64_t rate_burst;            /* 0: as many as the limit */
    struct text_list queue_depths; /* NAME=N: see config_queue_depth() */
    int64_t max_pending_submits;   /* that wait for the ledger */
    int64_t max_long_polls;        /* 0: three quarters of the connections */
    struct function_table functions;
};

enum option_kind {
    OPTION_TEXT,     /* char * */
    OPTION_LIST,     /* struct text_list */
    OPTION_BOOL,     /* bool */
    OPTION_NUMBER,   /* int64_t, like all that follow */
    OPTION_BYTES,    /* server/value.h */
    OPTION_DURATION, /* the same */
    OPTION_CHOICE,   /* the index of a word in choices */
};

struct option {
    const char *key;      /* in the file */
    const char *flag;     /* without "--"; NULL: in the file only */
    const char *variable; /* in the environment; NULL with flag */
    const char *arg;      /* what --help calls its value; NULL for OPTION_BOOL */
    const char *help;     /* one line, or more separated by \n */
    enum option_kind kind;
    size_t offset;          /* of the value in struct settings */
    int64_t min, max;       /* of numbers, sizes and times */
    const char *choices;    /* "full|relaxed" */
    const char *separators; /* of a list's items in the variable; NULL: comma and blank */
    const char *otherwise;  /* the default as text; NULL: none */
};

#define OPTIONS_MAX 64
extern const struct option options[];
extern const size_t options_count;

/* Check text and put it at base + o->offset: a list grows by it, anything else is replaced.
 * ERR_CONFIG: the text says what it must be, without naming the option. */
int option_set(const struct option *o, void *base, const char *text, struct errinfo *e);
/* What option_set() takes, for people: "a whole number from 1 to 512". */
char *option_wants(const struct option *o);
/* Forget what a list holds, so that a source of higher rank replaces it as a whole. */
void option_clear(const struct option *o, void *base);

void settings_init(struct settings *s);
void settings_fini(struct settings *s);
DEFINE_AUTO_FINI(settings, struct settings)

#endif
