#include "tests/support/har.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

/* The line "Name: value" as an entry; its end is at the first line break. */
static void add_header(json_t *list, const char *line)
{
    size_t len = strcspn(line, "\r\n");
    size_t name_len = strcspn(line, ":");
    const char *value = line + name_len + 1;

    if (name_len >= len) /* the status line, or the empty one at the end */
        return;
    value += strspn(value, " ");
    (void)json_array_append_new(list, json_pack("{s:s%, s:s%}", "name", line, name_len, "value",
                                                value, (size_t)(line + len - value)));
}

static json_t *request_headers(const struct api_request *q)
{
    json_t *list = json_array();
    bool has_type = false;

    for (size_t i = 0; i < COUNT_OF(q->headers) && q->headers[i]; i++) {
        has_type = has_type || strncasecmp(q->headers[i], "Content-Type:", 13) == 0;
        add_header(list, q->headers[i]);
    }
    if (q->body && !has_type)
        add_header(list, "Content-Type: application/json");
    return list;
}

static json_t *response_headers(const struct api_reply *r)
{
    json_t *list = json_array();

    for (const char *line = r->headers; line && *line;) {
        const char *end = strchr(line, '\n');

        if (strncmp(line, "HTTP/", 5) != 0)
            add_header(list, line);
        line = end ? end + 1 : NULL;
    }
    return list;
}

static json_t *encode_request(const char *url, const struct api_request *q)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:o, s:[], s:[], s:i, s:i}", "method",
                             q->method ? q->method : (q->body ? "POST" : "GET"), "url", url,
                             "httpVersion", "HTTP/1.1", "headers", request_headers(q),
                             "queryString", "cookies", "headersSize", -1, "bodySize", -1);
    json_t *text =
        q->body ? json_stringn(q->body, q->body_len ? q->body_len : strlen(q->body)) : NULL;

    if (text)
        (void)json_object_set_new(
            json, "postData",
            json_pack("{s:s, s:o}", "mimeType", "application/json", "text", text));
    return json;
}

static json_t *encode_response(const struct api_reply *r)
{
    const char *type = api_header(r, "Content-Type");
    json_t *text = json_stringn(r->body, r->body_len);
    json_t *content =
        json_pack("{s:i, s:s}", "size", (int)r->body_len, "mimeType", type ? type : "");

    if (text)
        (void)json_object_set_new(content, "text", text);
    return json_pack("{s:i, s:s, s:s, s:o, s:[], s:o, s:s, s:i, s:i}", "status", (int)r->status,
                     "statusText", "", "httpVersion", "HTTP/1.1", "headers",
                     response_headers(r), "cookies", "content", content, "redirectURL", "",
                     "headersSize", -1, "bodySize", -1);
}

void har_record(const char *url, const struct api_request *q, const struct api_reply *r)
{
    const char *path = getenv("JOBD_API_TRAFFIC"); // NOLINT(concurrency-mt-unsafe)
    AUTO_FINI(fd) int fd = -1;
    AUTO_FINI(buf) struct buf b = { 0 };
    AUTO(json) json_t *entry = NULL;
    char now[CLOCK_TEXT_SIZE];
    struct errinfo e;

    if (!path)
        return;
    entry = json_pack("{s:s, s:i, s:o, s:o, s:{}, s:{s:i, s:i, s:i}}", "startedDateTime",
                      clock_format(clock_wall_us(), now), "time", 0, "request",
                      encode_request(url, q), "response", encode_response(r), "cache",
                      "timings", "send", 0, "wait", 0, "receive", 0);
    if (!entry)
        return;
    json_text_add(&b, entry);
    buf_add_char(&b, '\n');
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)fd_write_all(fd, b.data, b.len, &e);
}
