#include "domain/array_args.h"

#include <stdbool.h>

#include "base/text.h"
#include "domain/json_text.h"

#define NAME "array_index"

static bool has_placeholder(const struct function *fn)
{
    AUTO(json) json_t *names = function_parameters(fn);

    for (size_t i = 0; i < json_array_size(names); i++)
        if (text_equal(json_string_value(json_array_get(names, i)), NAME))
            return true;
    return false;
}

json_t *array_args(const struct function *fn, const json_t *args, int64_t index)
{
    json_t *with_index;

    if ((args && !json_is_object(args)) || json_object_get(args, NAME) || !has_placeholder(fn))
        return args ? json_deep_copy(args) : NULL;
    with_index = args ? json_copy((json_t *)(uintptr_t)args) : json_object();
    (void)json_object_set_new(with_index, NAME, json_integer(index));
    return with_index;
}
