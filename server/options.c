#include "server/options.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "pool/supervisor.h"
#include "server/value.h"

#define KIB (INT64_C(1) << 10)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

/* clang-format off */
#define NAMED(key_, flag_, variable_) .key = (key_), .flag = (flag_), .variable = (variable_)
#define AT(member) .offset = offsetof(struct settings, member)

const struct option options[] = {
    { NAMED("listen", "listen", "JOBD_LISTEN"), AT(listen), .kind = OPTION_LIST,
      .arg = "ADDRESS", .otherwise = "127.0.0.1:8080",
      .help = "Where to serve: HOST:PORT, [IPV6]:PORT or unix:PATH; tls: before a host serves it\n"
              "with tls_cert. Port 0 picks a free one. May be given several times\n"
              "(JOBD_LISTEN: separated by commas)." },
    { NAMED("data_dir", "data-dir", "JOBD_DATA_DIR"), AT(data_dir), .kind = OPTION_TEXT,
      .arg = "DIR", .otherwise = "./jobd-data",
      .help = "Where jobs and their output are kept." },
    { NAMED("durability", "durability", "JOBD_DURABILITY"), AT(durability), .kind = OPTION_CHOICE,
      .arg = "WORD", .choices = "full|relaxed", .otherwise = "full",
      .help = "full: an accepted job survives power loss; relaxed: the death of jobd only." },
    { NAMED("workers", "workers", "JOBD_WORKERS"), AT(workers), .kind = OPTION_NUMBER,
      .arg = "N", .min = 0, .max = SUPERVISOR_WORKERS_MAX, .otherwise = "4",
      .help = "Processes for command functions and command jobs; each runs one job at a time." },
    { NAMED("allow_commands", "allow-commands", "JOBD_ALLOW_COMMANDS"), AT(allow_commands),
      .kind = OPTION_BOOL, .otherwise = "false",
      .help = "Let clients send a `command`, an argv of their own, and not only call functions." },
    { NAMED("insecure", "insecure", "JOBD_INSECURE"), AT(insecure),
      .kind = OPTION_BOOL, .otherwise = "false",
      .help = "Serve other addresses than the loopback although nobody is asked for a credential,\n"
              "or although it passes unencrypted." },
    { NAMED("log_level", "log-level", "JOBD_LOG_LEVEL"), AT(log_level), .kind = OPTION_CHOICE,
      .arg = "WORD", .choices = "debug|info|warn|error", .otherwise = "info",
      .help = "The least important lines that are logged: debug, info, warn or error." },
    { NAMED("drain_timeout", "drain-timeout", "JOBD_DRAIN_TIMEOUT"), AT(drain_timeout_us),
      .kind = OPTION_DURATION, .arg = "TIME", .min = 0, .max = 86400 * USEC_PER_SEC, .otherwise = "30s",
      .help = "How long running jobs may take to end when jobd is stopped." },
    { NAMED("long_poll_max", "long-poll-max", "JOBD_LONG_POLL_MAX"), AT(long_poll_max_us),
      .kind = OPTION_DURATION, .arg = "TIME", .min = USEC_PER_SEC, .max = 3600 * USEC_PER_SEC, .otherwise = "55s",
      .help = "The longest that a request may wait for a job." },
    { NAMED("event_heartbeat", "event-heartbeat", "JOBD_EVENT_HEARTBEAT"), AT(event_heartbeat_us),
      .kind = OPTION_DURATION, .arg = "TIME", .min = 100 * USEC_PER_MS, .max = 3600 * USEC_PER_SEC, .otherwise = "15s",
      .help = "How long a stream of events is silent before it says that it is alive." },
    { NAMED("event_retention", "event-retention", "JOBD_EVENT_RETENTION"), AT(event_retention_us),
      .kind = OPTION_DURATION, .arg = "TIME", .min = 0, .max = (usec_t)10 * 366 * 86400 * USEC_PER_SEC, .otherwise = "24h",
      .help = "How long events are kept; 0: as long as max_events allows." },
    { NAMED("max_events", "max-events", "JOBD_MAX_EVENTS"), AT(max_events),
      .kind = OPTION_NUMBER, .arg = "N", .min = 0, .max = INT64_C(1000000000000), .otherwise = "10000000",
      .help = "How many events are kept; 0: any number." },
    { NAMED("require_if_match", "require-if-match", "JOBD_REQUIRE_IF_MATCH"), AT(require_if_match),
      .kind = OPTION_BOOL, .otherwise = "false",
      .help = "Refuse to change a job (PATCH) without If-Match, so that no change is lost." },
    { NAMED("retention", "retention", "JOBD_RETENTION"), AT(retention_us),
      .kind = OPTION_DURATION, .arg = "TIME", .min = 0, .max = INT64_C(3660) * 86400 * USEC_PER_SEC,
      .otherwise = "168h",
      .help = "How long jobs that have ended are kept, with all that they have left; 0: for ever." },
    { NAMED("max_waiting_jobs", "max-waiting-jobs", "JOBD_MAX_WAITING_JOBS"), AT(max_waiting_jobs),
      .kind = OPTION_NUMBER, .arg = "N", .min = 1, .max = INT64_C(1000000000), .otherwise = "1000000",
      .help = "Jobs that may wait to be run; beyond that submits are refused." },
    { NAMED("queue_depths", "queue-depths", "JOBD_QUEUE_DEPTHS"), AT(queue_depths),
      .kind = OPTION_LIST, .arg = "NAME=N",
      .help = "The same for a queue: mail=1000. May be given several times." },
    { NAMED("idempotency_ttl", "idempotency-ttl", "JOBD_IDEMPOTENCY_TTL"), AT(idempotency_ttl_us),
      .kind = OPTION_DURATION, .arg = "TIME", .min = USEC_PER_SEC, .max = (usec_t)31 * 86400 * USEC_PER_SEC,
      .otherwise = "24h",
      .help = "How long the answer to a request with an Idempotency-Key is remembered." },
    { NAMED("require_idempotency_key", "require-idempotency-key", "JOBD_REQUIRE_IDEMPOTENCY_KEY"),
      AT(require_idempotency_key), .kind = OPTION_BOOL, .otherwise = "false",
      .help = "Refuse requests that create something and have no Idempotency-Key." },
    { NAMED("max_body_bytes", "max-body-bytes", "JOBD_MAX_BODY_BYTES"), AT(max_body_bytes),
      .kind = OPTION_BYTES, .arg = "SIZE", .min = KIB, .max = 64 * MIB, .otherwise = "1MiB",
      .help = "The largest body of a request." },
    { NAMED("max_batch_body_bytes", "max-batch-body-bytes", "JOBD_MAX_BATCH_BODY_BYTES"),
      AT(max_batch_body_bytes), .kind = OPTION_BYTES, .arg = "SIZE", .min = KIB, .max = GIB,
      .otherwise = "64MiB",
      .help = "The same for a batch of jobs, each of which may have max_body_bytes. While one is\n"
              "written all other changes wait: some 10 ms for each MiB." },
    { NAMED("max_bodies_bytes", "max-bodies-bytes", "JOBD_MAX_BODIES_BYTES"), AT(max_bodies_bytes),
      .kind = OPTION_BYTES, .arg = "SIZE", .min = MIB, .max = 1024 * GIB, .otherwise = "256MiB",
      .help = "What the bodies of all requests may take in memory together (but never less than\n"
              "one batch); beyond that they are refused until there is room." },
    { NAMED("max_batch_jobs", "max-batch-jobs", "JOBD_MAX_BATCH_JOBS"), AT(max_batch_jobs),
      .kind = OPTION_NUMBER, .arg = "N", .min = 1, .max = 100000, .otherwise = "10000",
      .help = "Jobs that one request may submit." },
    { NAMED("output_max_bytes", "output-max-bytes", "JOBD_OUTPUT_MAX_BYTES"), AT(output_max_bytes),
      .kind = OPTION_BYTES, .arg = "SIZE", .min = 0, .max = 1024 * GIB, .otherwise = "10MiB",
      .help = "What is kept of each output stream of a job: its beginning and its end." },
    { NAMED("artifacts_max_bytes", "artifacts-max-bytes", "JOBD_ARTIFACTS_MAX_BYTES"),
      AT(artifacts_max_bytes), .kind = OPTION_BYTES, .arg = "SIZE", .min = 0, .max = 1024 * GIB,
      .otherwise = "100MiB",
      .help = "What is kept of the files that an attempt leaves in $JOBD_ARTIFACTS." },
    { NAMED("artifacts_max_files", "artifacts-max-files", "JOBD_ARTIFACTS_MAX_FILES"),
      AT(artifacts_max_files), .kind = OPTION_NUMBER, .arg = "N", .min = 0, .max = 100000,
      .otherwise = "1000",
      .help = "How many of these files are kept." },
    { NAMED("max_connections", "max-connections", "JOBD_MAX_CONNECTIONS"), AT(max_connections),
      .kind = OPTION_NUMBER, .arg = "N", .min = 1, .max = 1000000, .otherwise = "4096",
      .help = "Connections of clients that are open at once." },
    { NAMED("http_threads", "http-threads", "JOBD_HTTP_THREADS"), AT(http_threads),
      .kind = OPTION_NUMBER, .arg = "N", .min = 0, .max = 256, .otherwise = "0",
      .help = "Threads that serve HTTP, for each address; 0: four for each CPU." },
    { NAMED("containment", "containment", "JOBD_CONTAINMENT"), AT(containment),
      .kind = OPTION_CHOICE, .arg = "WORD", .choices = "auto|subreaper", .otherwise = "auto",
      .help = "What holds a job's processes together. auto: also control groups, where the host\n"
              "allows it (see jobd doctor); subreaper: never." },
    { NAMED("no_new_privs", "no-new-privs", "JOBD_NO_NEW_PRIVS"), AT(no_new_privs),
      .kind = OPTION_BOOL, .otherwise = "true",
      .help = "Jobs gain no rights from set-user-ID programs such as sudo; =false lets them." },
    { NAMED("quarantine_after", "quarantine-after", "JOBD_QUARANTINE_AFTER"), AT(quarantine_after),
      .kind = OPTION_NUMBER, .arg = "N", .min = 0, .max = 1000, .otherwise = "3",
      .help = "A job that has been the end of so many workers fails, and is not tried again;\n"
              "0: it may go on as long as its retry policy says." },
    { NAMED("trusted_proxies", "trusted-proxies", "JOBD_TRUSTED_PROXIES"), AT(trusted_proxies),
      .kind = OPTION_LIST, .arg = "ADDRESS",
      .help = "Gateways whose Forwarded or X-Forwarded-For says who the client is: an address,\n"
              "a range such as 10.0.0.0/8, or unix. May be given several times." },
    { NAMED("auth", "auth", "JOBD_AUTH"), AT(auth), .kind = OPTION_CHOICE,
      .arg = "WORD", .choices = "auto|none|required", .otherwise = "auto",
      .help = "Whether requests need a credential. auto: once there is a key (jobd key) or an\n"
              "identity is configured; none: never; required: always." },
    { NAMED("api_keys_file", "api-keys-file", "JOBD_API_KEYS_FILE"), AT(api_keys_file),
      .kind = OPTION_TEXT, .arg = "FILE",
      .help = "Keys besides those of jobd key, one a line: jobd_<id>_<secret> and what it grants,\n"
              "tenant=acme scopes=jobs:read,jobs:write; a token alone grants everything." },
    { NAMED("tls_cert", "tls-cert", "JOBD_TLS_CERT"), AT(tls_cert), .kind = OPTION_TEXT,
      .arg = "FILE",
      .help = "The certificate of addresses with tls:, with the chain below its root (PEM)." },
    { NAMED("tls_key", "tls-key", "JOBD_TLS_KEY"), AT(tls_key), .kind = OPTION_TEXT,
      .arg = "FILE", .help = "Its private key (PEM)." },
    { NAMED("tls_client_ca", "tls-client-ca", "JOBD_TLS_CLIENT_CA"), AT(tls_client_ca),
      .kind = OPTION_TEXT, .arg = "FILE",
      .help = "Who signs the certificates of clients (PEM): they are asked for one, and cert: in\n"
              "identities says what it is good for." },
    { NAMED("identity_header", "identity-header", "JOBD_IDENTITY_HEADER"), AT(identity_header),
      .kind = OPTION_TEXT, .arg = "NAME",
      .help = "The header in which a gateway out of trusted_proxies says who its client is." },
    { NAMED("identities", "identities", "JOBD_IDENTITIES"), AT(identities), .kind = OPTION_LIST,
      .arg = "TEXT", .separators = ";",
      .help = "Who needs no key, and what he is granted: header:NAME as a gateway says it,\n"
              "cert:NAME of a client certificate, or uid:NUMBER at a Unix socket, * for all; then\n"
              "tenant=acme scopes=jobs:read,jobs:write. May be given several times\n"
              "(JOBD_IDENTITIES: separated by semicolons)." },
    { NAMED("cors_origins", "cors-origins", "JOBD_CORS_ORIGINS"), AT(cors_origins),
      .kind = OPTION_LIST, .arg = "ORIGIN",
      .help = "Web pages that may call jobd, by their origin (https://ops.example.org);\n"
              "*: all. Cookies are never accepted. May be given several times." },
    { NAMED("max_connections_per_address", "max-connections-per-address",
            "JOBD_MAX_CONNECTIONS_PER_ADDRESS"), AT(max_connections_per_address),
      .kind = OPTION_NUMBER, .arg = "N", .min = 0, .max = 1000000, .otherwise = "0",
      .help = "Of these, what one address may have; 0: half of them, this machine all.\n"
              "Does not hold for trusted_proxies." },
    { NAMED("max_uri_bytes", "max-uri-bytes", "JOBD_MAX_URI_BYTES"), AT(max_uri_bytes),
      .kind = OPTION_BYTES, .arg = "SIZE", .min = KIB, .max = 64 * KIB, .otherwise = "8KiB",
      .help = "The longest target of a request: its path and query." },
    { NAMED("max_header_bytes", "max-header-bytes", "JOBD_MAX_HEADER_BYTES"),
      AT(max_header_bytes), .kind = OPTION_BYTES, .arg = "SIZE", .min = 4 * KIB, .max = 256 * KIB,
      .otherwise = "12KiB",
      .help = "The largest head of a request. Each connection keeps so much memory." },
    { NAMED("header_timeout", "header-timeout", "JOBD_HEADER_TIMEOUT"), AT(header_timeout_us),
      .kind = OPTION_DURATION, .arg = "TIME", .min = 10 * USEC_PER_MS, .max = 3600 * USEC_PER_SEC,
      .otherwise = "20s",
      .help = "How long a client may take to send the head of a request." },
    { NAMED("body_timeout", "body-timeout", "JOBD_BODY_TIMEOUT"), AT(body_timeout_us),
      .kind = OPTION_DURATION, .arg = "TIME", .min = 10 * USEC_PER_MS, .max = 3600 * USEC_PER_SEC,
      .otherwise = "60s",
      .help = "How long it may take to send a request, and longer by one second for each KiB." },
    { NAMED("keepalive_timeout", "keepalive-timeout", "JOBD_KEEPALIVE_TIMEOUT"),
      AT(keepalive_timeout_us), .kind = OPTION_DURATION, .arg = "TIME", .min = USEC_PER_SEC,
      .max = 3600 * USEC_PER_SEC, .otherwise = "75s",
      .help = "How long a connection stays open between requests: longer than a gateway's." },
    { NAMED("rate_limit", "rate-limit", "JOBD_RATE_LIMIT"), AT(rate_limit),
      .kind = OPTION_NUMBER, .arg = "N", .min = 0, .max = 1000000, .otherwise = "0",
      .help = "How many requests each key may make in --rate-period; 0: any number." },
    { NAMED("rate_limit_per_address", "rate-limit-per-address", "JOBD_RATE_LIMIT_PER_ADDRESS"),
      AT(rate_limit_per_address), .kind = OPTION_NUMBER, .arg = "N", .min = 0, .max = 1000000,
      .otherwise = "0",
      .help = "The same for each address that calls without a key." },
    { NAMED("rate_period", "rate-period", "JOBD_RATE_PERIOD"), AT(rate_period_us),
      .kind = OPTION_DURATION, .arg = "TIME", .min = USEC_PER_SEC, .max = 86400 * USEC_PER_SEC,
      .otherwise = "1s",
      .help = "The time that these two are for." },
    { NAMED("rate_burst", "rate-burst", "JOBD_RATE_BURST"), AT(rate_burst),
      .kind = OPTION_NUMBER, .arg = "N", .min = 0, .max = 1000000, .otherwise = "0",
      .help = "How many of them may come at once; 0: all of them." },
    { NAMED("max_pending_submits", "max-pending-submits", "JOBD_MAX_PENDING_SUBMITS"),
      AT(max_pending_submits), .kind = OPTION_NUMBER, .arg = "N", .min = 1, .max = 1000000,
      .otherwise = "1024",
      .help = "Submits that may wait to be written down at once; beyond that they are refused." },
    { NAMED("max_long_polls", "max-long-polls", "JOBD_MAX_LONG_POLLS"), AT(max_long_polls),
      .kind = OPTION_NUMBER, .arg = "N", .min = 0, .max = 1000000, .otherwise = "0",
      .help = "Requests that may wait for a job; 0: three quarters of --max-connections." },
};
/* clang-format on */
const size_t options_count = COUNT_OF(options);
_Static_assert(COUNT_OF(options) <= OPTIONS_MAX, "OPTIONS_MAX is too small");

/* -- lists -------------------------------------------------------------------------------- */

void text_list_add(struct text_list *list, const char *text)
{
    list->items = mem_resize(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = mem_str(text);
}

void text_list_fini(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){ 0 };
}

/* -- one value ---------------------------------------------------------------------------- */

/* The index of text among the words of "a|b|c", or -1. */
static int choice_index(const char *choices, const char *text)
{
    size_t len = strlen(text);

    for (int i = 0;; i++) {
        size_t n = strcspn(choices, "|");

        if (n == len && memcmp(choices, text, len) == 0)
            return i;
        if (choices[n] == '\0')
            return -1;
        choices += n + 1;
    }
}

static bool read_number(const struct option *o, const char *text, int64_t *ret_number)
{
    switch (o->kind) {
    case OPTION_NUMBER:
        return text_to_i64(text, o->min, o->max, ret_number);
    case OPTION_BYTES:
        return value_bytes(text, ret_number) && *ret_number >= o->min && *ret_number <= o->max;
    case OPTION_DURATION:
        return value_duration(text, ret_number) && *ret_number >= o->min &&
               *ret_number <= o->max;
    case OPTION_CHOICE:
        *ret_number = choice_index(o->choices, text);
        return *ret_number >= 0;
    case OPTION_TEXT:
    case OPTION_LIST:
    case OPTION_BOOL:
        break;
    }
    return false;
}

static void describe_choices(const char *choices, struct buf *b)
{
    for (;;) {
        size_t n = strcspn(choices, "|");

        buf_add(b, choices, n);
        if (choices[n] == '\0')
            return;
        choices += n + 1;
        buf_add_str(b, strchr(choices, '|') ? ", " : " or ");
    }
}

char *option_wants(const struct option *o)
{
    struct buf b = { 0 };
    char min[VALUE_TEXT_SIZE], max[VALUE_TEXT_SIZE];

    switch (o->kind) {
    case OPTION_TEXT:
        buf_add_str(&b, "a text");
        break;
    case OPTION_LIST:
        buf_add_str(&b, "a list of texts, [like, this]");
        break;
    case OPTION_BOOL:
        buf_add_str(&b, "true or false");
        break;
    case OPTION_NUMBER:
        buf_printf(&b, "a whole number from %" PRId64 " to %" PRId64, o->min, o->max);
        break;
    case OPTION_BYTES:
        buf_printf(&b, "a size from %s to %s (65536, 64KiB, 10MiB)",
                   value_bytes_format(o->min, min), value_bytes_format(o->max, max));
        break;
    case OPTION_DURATION:
        buf_printf(&b, "a time from %s to %s (500ms, 30s, 5m, 1h, or a number of seconds)",
                   value_duration_format(o->min, min), value_duration_format(o->max, max));
        break;
    case OPTION_CHOICE:
        describe_choices(o->choices, &b);
        break;
    }
    return buf_steal(&b);
}

static int refuse(const struct option *o, const char *text, struct errinfo *e)
{
    AUTO(mem) char *wants = option_wants(o);

    return err_set(e, ERR_CONFIG, "\"%.100s\" is not %s", text, wants);
}

int option_set(const struct option *o, void *base, const char *text, struct errinfo *e)
{
    void *at = (char *)base + o->offset;
    int64_t number;

    switch (o->kind) {
    case OPTION_TEXT:
        if (*text == '\0')
            return err_set(e, ERR_CONFIG, "it must not be empty");
        free(*(char **)at);
        *(char **)at = mem_str(text);
        return 0;
    case OPTION_LIST:
        text_list_add(at, text);
        return 0;
    case OPTION_BOOL:
        return value_bool(text, at) ? 0 : refuse(o, text, e);
    case OPTION_NUMBER:
    case OPTION_BYTES:
    case OPTION_DURATION:
    case OPTION_CHOICE:
        if (!read_number(o, text, &number))
            return refuse(o, text, e);
        *(int64_t *)at = number;
        return 0;
    }
    return err_set(e, ERR_INTERNAL, "option %s has no kind", o->key);
}

void option_clear(const struct option *o, void *base)
{
    if (o->kind == OPTION_LIST)
        text_list_fini((struct text_list *)(void *)((char *)base + o->offset));
}

/* -- all of them -------------------------------------------------------------------------- */

void settings_init(struct settings *s)
{
    *s = (struct settings){ 0 };
    for (size_t i = 0; i < options_count; i++) {
        struct errinfo e = { 0 };
        int r = options[i].otherwise ? option_set(&options[i], s, options[i].otherwise, &e) : 0;

        assert(r == 0); /* a default is a valid value; a test walks the table */
        (void)r;
    }
}

void settings_fini(struct settings *s)
{
    text_list_fini(&s->listen);
    text_list_fini(&s->trusted_proxies);
    text_list_fini(&s->identities);
    free(s->identity_header);
    free(s->api_keys_file);
    text_list_fini(&s->cors_origins);
    text_list_fini(&s->queue_depths);
    free(s->tls_cert);
    free(s->tls_key);
    free(s->tls_client_ca);
    free(s->data_dir);
    function_table_fini(&s->functions);
    *s = (struct settings){ 0 };
}
