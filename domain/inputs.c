#include "domain/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"

static bool is_dots(const char *segment, size_t len)
{
    return len <= 2 && strspn(segment, ".") >= len;
}

const char *input_path_fault(const char *path, size_t len)
{
    if (len == 0)
        return "must name a file";
    if (len > INPUT_PATH_MAX_BYTES)
        return "must have at most 1024 bytes";
    if (memchr(path, '\0', len))
        return "must not hold a NUL character";
    if (path[0] == '/')
        return "must be relative: it is below the attempt's working directory";
    for (const char *segment = path; segment <= path + len;) {
        size_t n = strcspn(segment, "/");

        if (n == 0)
            return "must have no empty segment";
        if (is_dots(segment, n))
            return "must not have . or .. as a segment";
        if (n > INPUT_SEGMENT_MAX_BYTES)
            return "must have at most 255 bytes between two slashes";
        segment += n + 1;
    }
    return NULL;
}

static int decode_one(const json_t *json, struct input *input, struct errinfo *e)
{
    const json_t *path = json_object_get(json, "path");
    const json_t *content = json_object_get(json, "content");
    const json_t *base64 = json_object_get(json, "base64");
    AUTO_FINI(buf) struct buf b = { 0 };

    if (!json_is_string(path) ||
        input_path_fault(json_string_value(path), json_string_length(path)))
        return err_set(e, ERR_VALIDATION, "an input has no path that is allowed");
    if (json_is_string(base64)) {
        if (!base64_decode(json_string_value(base64), json_string_length(base64), &b))
            return err_set(e, ERR_VALIDATION, "an input is not base64");
    } else if (json_is_string(content)) {
        buf_add(&b, json_string_value(content), json_string_length(content));
    } else {
        return err_set(e, ERR_VALIDATION, "an input has no content");
    }
    input->path = mem_str(json_string_value(path));
    input->len = b.len;
    input->data = b.len > 0 ? buf_steal(&b) : mem_str("");
    return 0;
}

static int decode_all(const json_t *array, struct inputs *in, struct errinfo *e)
{
    size_t count = json_array_size(array);

    in->items = count > 0 ? mem_array0(count, sizeof *in->items) : NULL;
    for (; in->count < count; in->count++) {
        int r = decode_one(json_array_get(array, in->count), &in->items[in->count], e);

        if (r < 0)
            return r;
    }
    return 0;
}

int inputs_decode(const json_t *array, struct inputs *ret_inputs, struct errinfo *e)
{
    struct inputs in = { 0 };
    int r;

    if (array && (!json_is_array(array) || json_array_size(array) > INPUTS_MAX))
        return err_set(e, ERR_VALIDATION, "inputs is no array of at most %d", INPUTS_MAX);
    r = decode_all(array, &in, e);
    if (r < 0)
        inputs_fini(&in);
    else
        *ret_inputs = in;
    return r;
}

void inputs_fini(struct inputs *in)
{
    for (size_t i = 0; i < in->count; i++) {
        free(in->items[i].path);
        free(in->items[i].data);
    }
    free(in->items);
    *in = (struct inputs){ 0 };
}
