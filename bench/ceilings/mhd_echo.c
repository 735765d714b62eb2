/* bench/ceilings/mhd_echo.c - the ceiling for one HTTP request: libmicrohttpd and jansson
 * alone.
 *
 * POST a small JSON body; it is parsed, and a new id comes back as JSON. No route, no checks,
 * no request id, no store. Like jobd it answers in the access handler's later call, so that the
 * connection is kept alive.
 *
 *     mhd_echo PORT [THREADS [turbo]]      runs until its standard input ends
 */
#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_MAX 65536

struct body {
    size_t len;
    size_t capacity;
    char *bytes;
};

static bool body_add(struct body *b, const char *part, size_t len)
{
    if (len > BODY_MAX - b->len)
        return false;
    if (b->len + len > b->capacity) {
        b->capacity = b->len + len + 512;
        b->bytes = realloc(b->bytes, b->capacity);
        if (!b->bytes)
            abort();
    }
    memcpy(b->bytes + b->len, part, len);
    b->len += len;
    return true;
}

static enum MHD_Result answer(struct MHD_Connection *connection, const struct body *b)
{
    static _Thread_local uint64_t last_id;
    json_t *json = json_loadb(b->len > 0 ? b->bytes : "", b->len, JSON_REJECT_DUPLICATES, NULL);
    struct MHD_Response *response;
    enum MHD_Result queued;
    char *text = malloc(64);
    int len;

    if (!text)
        abort();
    len = snprintf(text, 64, "{\"id\":\"%016llx\"}", (unsigned long long)++last_id);
    response = MHD_create_response_from_buffer((size_t)len, text, MHD_RESPMEM_MUST_FREE);
    (void)MHD_add_response_header(response, "Content-Type", "application/json");
    queued = MHD_queue_response(connection, json ? 202 : 400, response);
    MHD_destroy_response(response);
    json_decref(json);
    return queued;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *part,
                                 size_t *part_len, void **con_cls)
{
    struct body *b = *con_cls;

    (void)cls;
    (void)url;
    (void)method;
    (void)version;
    if (!b) {
        *con_cls = calloc(1, sizeof *b);
        return *con_cls ? MHD_YES : MHD_NO;
    }
    if (*part_len > 0) {
        bool fits = body_add(b, part, *part_len);

        *part_len = 0;
        return fits ? MHD_YES : MHD_NO;
    }
    return answer(connection, b);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode toe)
{
    struct body *b = *con_cls;

    (void)cls;
    (void)connection;
    (void)toe;
    if (b)
        free(b->bytes);
    free(b);
}

int main(int argc, char **argv)
{
    unsigned port = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    unsigned threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    unsigned turbo = argc > 3 && strcmp(argv[3], "turbo") == 0 ? MHD_USE_TURBO : 0;
    struct MHD_Daemon *daemon;
    char c;

    daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | turbo, (uint16_t)port, NULL, NULL, on_access, NULL,
        MHD_OPTION_THREAD_POOL_SIZE, threads > 1 ? threads : 0, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT, 4096, MHD_OPTION_END);
    if (!daemon) {
        perror("mhd_echo");
        return 1;
    }
    printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    (void)fflush(stdout);
    while (read(0, &c, 1) > 0)
        continue;
    MHD_stop_daemon(daemon);
    return 0;
}
