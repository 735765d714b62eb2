/* domain/job_spec_inputs.c - the files that a job brings along. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/inputs.h"
#include "domain/job_spec_members.h"
#include "domain/json_text.h"

static const char *const names[] = { "path", "content", "base64" };

static void check_path(struct job_spec_draft *d, const json_t *input, const char *pointer)
{
    const json_t *path = json_object_get(input, "path");
    AUTO(mem) char *at = faults_pointer(pointer, "path");
    const char *fault;

    if (!path) {
        faults_add(d->faults, at, "missing", "an input needs a path");
        return;
    }
    if (!job_spec_want(d, json_is_string(path), path, at, "a string"))
        return;
    fault = input_path_fault(json_string_value(path), json_string_length(path));
    if (fault)
        faults_add(d->faults, at, "invalid-path", "%s", fault);
}

static void check_content(struct job_spec_draft *d, const json_t *input, const char *pointer)
{
    const json_t *content = json_object_get(input, "content");
    const json_t *base64 = json_object_get(input, "base64");
    AUTO(mem) char *content_at = faults_pointer(pointer, "content");
    AUTO(mem) char *base64_at = faults_pointer(pointer, "base64");

    if (!content && !base64)
        faults_add(d->faults, pointer, "missing", "one of content and base64 must be given");
    if (content && base64)
        faults_add(d->faults, base64_at, "conflict",
                   "only one of content and base64 may be given");
    if (content)
        (void)job_spec_want(d, json_is_string(content), content, content_at, "a string");
    if (base64)
        job_spec_base64_decode(d, base64, base64_at);
}

static void decode_input(struct job_spec_draft *d, const json_t *input, const char *pointer)
{
    const char *name;
    json_t *value;

    if (!job_spec_want(d, json_is_object(input), input, pointer, "an object"))
        return;
    check_path(d, input, pointer);
    check_content(d, input, pointer);
    json_object_foreach (json_iterable(input), name, value) {
        bool known = false;

        for (size_t i = 0; i < COUNT_OF(names); i++)
            known = known || text_equal(names[i], name);
        if (!known)
            job_spec_unknown(d, pointer, name, names, COUNT_OF(names));
    }
}

/* What two paths are to each other. */
static const char *conflict_of(const char *a, const char *b)
{
    const char *rest;

    if (text_equal(a, b))
        return "there is an input of this path already";
    if ((text_starts(a, b, &rest) && *rest == '/') ||
        (text_starts(b, a, &rest) && *rest == '/'))
        return "a path before it makes the same name a file, or a folder";
    return NULL;
}

/* At most INPUTS_MAX of them: every pair is looked at. */
static void check_conflicts(struct job_spec_draft *d, const json_t *array, const char *pointer)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *path = json_string_value(json_object_get(json_array_get(array, i), "path"));

        for (size_t k = 0; path && k < i; k++) {
            const char *before =
                json_string_value(json_object_get(json_array_get(array, k), "path"));
            const char *conflict = before ? conflict_of(path, before) : NULL;

            if (conflict) {
                AUTO(mem) char *at = mem_printf("%s/%zu/path", pointer, i);

                faults_add(d->faults, at, "conflict", "%s", conflict);
                break;
            }
        }
    }
}

void job_spec_inputs_decode(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    if (!job_spec_want(d, json_is_array(value), value, pointer, "an array of objects"))
        return;
    if (json_array_size(value) > INPUTS_MAX) {
        faults_add(d->faults, pointer, "too-long", "must have at most %d items", INPUTS_MAX);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        AUTO(mem) char *at = mem_printf("%s/%zu", pointer, i);

        decode_input(d, json_array_get(value, i), at);
    }
    check_conflicts(d, value, pointer);
}
