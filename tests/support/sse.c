#include "tests/support/sse.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/text.h"
#include "tests/support/test.h"

#define PATIENCE_SECONDS 60

/* -- what comes in --------------------------------------------------------------------------
 */

static void dispatch_locked(struct sse *s)
{
    if (!s->next.kind[0])
        return; /* retry: stands alone */
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 64;
        s->events = mem_resize(s->events, s->room, sizeof *s->events);
    }
    s->next.at_us = clock_mono_us();
    s->events[s->count++] = s->next;
    s->last_seen = s->next.id;
    s->next = (struct sse_event){ .id = s->next.id };
}

static void take_line_locked(struct sse *s, const char *line)
{
    const char *rest;

    if (line[0] == '\0')
        dispatch_locked(s);
    else if (line[0] == ':')
        s->beats++;
    else if (text_starts(line, "id: ", &rest))
        s->next.id = strtoll(rest, NULL, 10);
    else if (text_starts(line, "event: ", &rest))
        (void)text_copy(s->next.kind, sizeof s->next.kind, rest);
    else if (text_starts(line, "data: ", &rest))
        s->next.data = mem_str(rest);
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
    struct sse *s = ctx;
    bool stop;

    (void)pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < size * count; i++) {
        if (bytes[i] != '\n') {
            buf_add_char(&s->line, bytes[i]);
            continue;
        }
        take_line_locked(s, s->line.data ? s->line.data : "");
        buf_clear(&s->line);
    }
    stop = s->stop;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->mutex);
    return stop ? 0 : size * count;
}

/* -- the connection -------------------------------------------------------------------------
 */

static int on_tick(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct sse *s = ctx;
    bool stop;

    (void)a, (void)b, (void)c, (void)d;
    (void)pthread_mutex_lock(&s->mutex);
    stop = s->stop;
    (void)pthread_mutex_unlock(&s->mutex);
    return stop;
}

static struct curl_slist *request_headers(struct sse *s)
{
    struct curl_slist *list = curl_slist_append(NULL, "Accept: text/event-stream");
    char header[128];

    if (s->token) {
        (void)snprintf(header, sizeof header, "Authorization: Bearer %s", s->token);
        list = curl_slist_append(list, header);
    }
    (void)pthread_mutex_lock(&s->mutex);
    if (s->last_seen > 0) {
        (void)snprintf(header, sizeof header, "Last-Event-ID: %lld", (long long)s->last_seen);
        list = curl_slist_append(list, header);
    } else if (s->last_id) {
        (void)snprintf(header, sizeof header, "Last-Event-ID: %s", s->last_id);
        list = curl_slist_append(list, header);
    }
    s->connections++;
    buf_clear(&s->line);
    free(s->next.data); /* the rest of an event that was cut off never comes */
    s->next = (struct sse_event){ .id = s->last_seen };
    (void)pthread_mutex_unlock(&s->mutex);
    return list;
}

static void connect_once(struct sse *s, CURL *curl)
{
    struct curl_slist *list = request_headers(s);
    CURLcode code;
    long status = 0;

    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(list);
    (void)pthread_mutex_lock(&s->mutex);
    s->code = (int)code;
    s->status = status;
    s->done = s->stop || !s->comes_back || status == 204 || (status >= 400 && status < 500);
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->mutex);
}

static void *read_stream(void *arg)
{
    struct sse *s = arg;
    CURL *curl = curl_easy_init();

    (void)curl_easy_setopt(curl, CURLOPT_URL, s->url);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, s);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_tick);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, s);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, 120L);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    while (!s->done)
        connect_once(s, curl);
    curl_easy_cleanup(curl);
    return NULL;
}

void sse_start(struct sse *s, const struct api *a, const char *path)
{
    s->url = mem_printf("%s%s", a->base, path);
    (void)pthread_mutex_init(&s->mutex, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    assert_int_equal(pthread_create(&s->thread, NULL, read_stream, s), 0);
}

/* -- waiting --------------------------------------------------------------------------------
 */

static bool has_events(const struct sse *s, int64_t count)
{
    return s->count >= (size_t)count;
}

static bool has_beats(const struct sse *s, int64_t count)
{
    return s->beats >= (size_t)count;
}

static bool is_done(const struct sse *s, int64_t unused)
{
    (void)unused;
    return s->done;
}

static void await(struct sse *s, bool (*holds)(const struct sse *, int64_t), int64_t number,
                  const char *what)
{
    struct timespec until;
    bool there;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_SECONDS;
    (void)pthread_mutex_lock(&s->mutex);
    while (!holds(s, number) && !s->done)
        if (pthread_cond_timedwait(&s->changed, &s->mutex, &until) != 0)
            break;
    there = holds(s, number);
    if (!there)
        print_error("%zu events, %zu heartbeats, status %ld, curl %d\n", s->count, s->beats,
                    s->status, s->code);
    (void)pthread_mutex_unlock(&s->mutex);
    if (!there)
        fail_msg("no %s %lld", what, (long long)number);
}

void sse_await_events(struct sse *s, size_t count)
{
    await(s, has_events, (int64_t)count, "events");
}

void sse_await_beats(struct sse *s, size_t count)
{
    await(s, has_beats, (int64_t)count, "heartbeats");
}

struct sse_event sse_event_at(struct sse *s, size_t index)
{
    struct sse_event event = { 0 };
    bool there;

    (void)pthread_mutex_lock(&s->mutex);
    there = index < s->count;
    if (there)
        event = s->events[index];
    (void)pthread_mutex_unlock(&s->mutex);
    assert_true(there);
    return event;
}

static size_t read_locked(struct sse *s, const size_t *number)
{
    size_t value;

    (void)pthread_mutex_lock(&s->mutex);
    value = *number;
    (void)pthread_mutex_unlock(&s->mutex);
    return value;
}

size_t sse_count(struct sse *s)
{
    return read_locked(s, &s->count);
}

size_t sse_beats(struct sse *s)
{
    return read_locked(s, &s->beats);
}

void sse_await_end(struct sse *s)
{
    await(s, is_done, 0, "end");
    assert_int_equal(pthread_join(s->thread, NULL), 0);
}

void sse_stop(struct sse *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    s->stop = true;
    (void)pthread_mutex_unlock(&s->mutex);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
}

void sse_fini(struct sse *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->events[i].data);
    free(s->events);
    free(s->next.data);
    free(s->url);
    buf_fini(&s->line);
    (void)pthread_mutex_destroy(&s->mutex);
    (void)pthread_cond_destroy(&s->changed);
    *s = (struct sse){ 0 };
}
