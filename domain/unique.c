#include "domain/unique.h"

#include "base/clean.h"
#include "base/text.h"

static const char *const names[UNIQUE_CONFLICT_MAX_] = {
    [UNIQUE_REJECT] = "reject",
    [UNIQUE_USE_EXISTING] = "use_existing",
    [UNIQUE_REPLACE] = "replace",
};

const char *unique_conflict_name(enum unique_conflict conflict)
{
    return names[conflict];
}

int unique_conflict_parse(const char *name)
{
    for (int i = 0; i < UNIQUE_CONFLICT_MAX_; i++)
        if (text_equal(names[i], name))
            return i;
    return -1;
}

bool unique_counts(const struct unique_rule *rule, enum job_state state, usec_t created_at_us,
                   usec_t now_us)
{
    if (!(rule->states & 1u << state))
        return false;
    return rule->window_us == 0 || created_at_us > now_us - rule->window_us;
}
