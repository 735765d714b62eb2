#include "domain/merge_patch.h"

#include "domain/json_text.h"

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than JSON_DEPTH_MAX */
json_t *merge_patch(const json_t *target, const json_t *patch)
{
    const char *name;
    json_t *result;
    json_t *value;

    if (!json_is_object(patch))
        return json_incref(json_iterable(patch));
    result = json_is_object(target) ? json_copy(json_iterable(target)) : json_object();
    json_object_foreach (json_iterable(patch), name, value) {
        if (json_is_null(value))
            (void)json_object_del(result, name);
        else
            (void)json_object_set_new_nocheck(
                result, name, merge_patch(json_object_get(result, name), value));
    }
    return result;
}
