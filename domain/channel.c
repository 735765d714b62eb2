#include "domain/channel.h"

#include <stdlib.h>

#include "base/mem.h"
#include "domain/json_text.h"

static void invalid(struct channel_line *l, const char *why)
{
    l->kind = CHANNEL_INVALID;
    l->message = mem_str(why);
}

static void decode_progress(const json_t *fraction, const json_t *message,
                            struct channel_line *l)
{
    if (fraction && (!json_is_number(fraction) || !(json_number_value(fraction) >= 0) ||
                     !(json_number_value(fraction) <= 1))) {
        invalid(l, "progress is not a number from 0 to 1");
        return;
    }
    if (message && !json_is_string(message)) {
        invalid(l, "message is not a string");
        return;
    }
    l->kind = CHANNEL_PROGRESS;
    l->fraction = fraction ? json_number_value(fraction) : -1;
    l->message = message ? mem_str(json_string_value(message)) : NULL;
}

static void decode_error(const json_t *error, struct channel_line *l)
{
    const json_t *message = json_is_object(error) ? json_object_get(error, "message") : error;

    l->kind = CHANNEL_ERROR;
    l->message = json_is_string(message) ? mem_str(json_string_value(message))
                                         : json_text_dump(error, &(size_t){ 0 });
}

static void decode_ready(const json_t *concurrency, struct channel_line *l)
{
    json_int_t n = concurrency ? json_integer_value(concurrency) : 1; /* 0 for what is none */

    if (n < 1) {
        invalid(l, "concurrency is not a whole number from 1");
        return;
    }
    l->kind = CHANNEL_READY;
    l->concurrency = n < CHANNEL_CONCURRENCY_MAX ? (unsigned)n : CHANNEL_CONCURRENCY_MAX;
}

static void decode_object(const json_t *object, struct channel_line *l)
{
    const json_t *id = json_object_get(object, "id");
    const json_t *result = json_object_get(object, "result");
    const json_t *error = json_object_get(object, "error");
    const json_t *progress = json_object_get(object, "progress");
    const json_t *message = json_object_get(object, "message");

    if (id && !json_is_string(id)) {
        invalid(l, "id is not a string");
        return;
    }
    l->id = id ? mem_str(json_string_value(id)) : NULL;
    if (error && !json_is_null(error)) {
        decode_error(error, l);
    } else if (result) {
        l->kind = CHANNEL_RESULT;
        l->result = json_text_dump(result, &l->result_len);
    } else if (progress || message) {
        decode_progress(progress, message, l);
    } else if (json_is_true(json_object_get(object, "ready"))) {
        decode_ready(json_object_get(object, "concurrency"), l);
    } else {
        invalid(l, "none of result, error, progress, message and ready is there");
    }
}

void channel_decode(const char *line, size_t len, struct channel_line *ret_line)
{
    AUTO(json) json_t *json = NULL;
    struct errinfo e;

    *ret_line = (struct channel_line){ .fraction = -1 };
    if (json_text_parse(line, len, &json, &e) < 0)
        invalid(ret_line, e.text);
    else if (!json_is_object(json))
        invalid(ret_line, "the line is not a JSON object");
    else
        decode_object(json, ret_line);
}

void channel_line_fini(struct channel_line *l)
{
    free(l->id);
    free(l->message);
    free(l->result);
    *l = (struct channel_line){ 0 };
}
