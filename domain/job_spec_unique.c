/* domain/job_spec_unique.c - what a job says of others like it. */
#include "base/mem.h"
#include "base/text.h"
#include "domain/job_spec_members.h"
#include "domain/json_digest.h"
#include "domain/json_text.h"

enum scope_part { IN_QUEUE = 1, IN_FUNCTION = 2, ANYWHERE = 4 };

static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static void decode_key(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *key = json_string_value(value);
    size_t len;

    if (!job_spec_want(d, key != NULL, value, pointer, "a string") || !key)
        return;
    len = characters(key);
    if (len == 0 || len > UNIQUE_KEY_MAX)
        faults_add(d->faults, pointer, len ? "too-long" : "too-short",
                   "must have from 1 to %d characters", UNIQUE_KEY_MAX);
    d->unique_key = key;
}

static int parse_scope(const char *name)
{
    if (text_equal(name, "queue"))
        return IN_QUEUE;
    if (text_equal(name, "function"))
        return IN_FUNCTION;
    return text_equal(name, "global") ? ANYWHERE : 0;
}

static void decode_scope(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    static const char want[] = "must be queue, function or both, or global alone";
    unsigned scope = 0;

    if (!job_spec_want(d, json_is_array(value), value, pointer, "an array of strings"))
        return;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *name = json_string_value(json_array_get(value, i));
        unsigned part = name ? (unsigned)parse_scope(name) : 0;

        if (part == 0 || scope & part) {
            AUTO(mem) char *at = mem_printf("%s/%zu", pointer, i);

            faults_add(d->faults, at, "invalid-value", "%s", want);
            return;
        }
        scope |= part;
    }
    if (scope == 0 || (scope & ANYWHERE && scope != ANYWHERE))
        faults_add(d->faults, pointer, "invalid-value", "%s", want);
    d->unique_scope = scope;
}

static void decode_window(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    job_spec_seconds_decode(d, value, pointer, false, UNIQUE_WINDOW_MAX_SECONDS,
                            &d->spec->unique.window_us);
}

static void decode_states(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    unsigned states = 0;

    if (!job_spec_want(d, json_is_array(value), value, pointer, "an array of strings"))
        return;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *name = json_string_value(json_array_get(value, i));
        int state = name ? job_state_parse(name) : -1;
        AUTO(mem) char *at = NULL;

        if (state >= 0) {
            states |= 1u << state;
            continue;
        }
        at = mem_printf("%s/%zu", pointer, i);
        faults_add(d->faults, at, "unknown-value", "there is no such state");
        return;
    }
    if (states == 0)
        faults_add(d->faults, pointer, "too-short", "must name a state");
    d->spec->unique.states = states;
}

static void decode_conflict(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *name = json_string_value(value);
    int conflict;

    if (!job_spec_want(d, name != NULL, value, pointer, "a string"))
        return;
    conflict = unique_conflict_parse(name);
    if (conflict >= 0)
        d->spec->unique.on_conflict = (enum unique_conflict)conflict;
    else
        faults_add(d->faults, pointer, "unknown-value",
                   "must be reject, use_existing or replace");
}

static const struct unique_member {
    const char *name;
    void (*decode)(struct job_spec_draft *d, const json_t *value, const char *pointer);
} members[] = {
    { "key", decode_key },
    { "scope", decode_scope },
    { "window_seconds", decode_window },
    { "states", decode_states },
    { "on_conflict", decode_conflict },
};

static const struct unique_member *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (text_equal(members[i].name, name))
            return &members[i];
    return NULL;
}

void job_spec_unique_decode(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    const char *names[COUNT_OF(members)];
    const char *name;
    json_t *member;

    if (!job_spec_want(d, json_is_object(value), value, pointer, "an object"))
        return;
    d->spec->unique.states = UNIQUE_STATES_DEFAULT;
    d->unique_scope = ANYWHERE;
    for (size_t i = 0; i < COUNT_OF(members); i++)
        names[i] = members[i].name;
    json_object_foreach (json_iterable(value), name, member) {
        const struct unique_member *known = find(name);
        AUTO(mem) char *at = faults_pointer(pointer, name);

        if (known)
            known->decode(d, member, at);
        else
            job_spec_unknown(d, pointer, name, names, COUNT_OF(names));
    }
}

/* What follows a name is a part, so that no two of them can be taken for others. */
void job_spec_unique_fill(struct job_spec_draft *d)
{
    const struct job_spec *spec = d->spec;
    struct sha256 h;

    if (!d->sent[SPEC_UNIQUE])
        return;
    sha256_init(&h);
    if (d->unique_scope & IN_QUEUE) {
        sha256_add_text(&h, "queue");
        sha256_add_text(&h, spec->queue);
    }
    if (d->unique_scope & IN_FUNCTION) {
        sha256_add_text(&h, spec->fn ? "function" : "command");
        sha256_add_text(&h, spec->fn ? spec->fn->name : "");
    }
    if (d->unique_key) {
        sha256_add_text(&h, "key");
        sha256_add_text(&h, d->unique_key);
    } else {
        sha256_add_text(&h, "what it does");
        sha256_add_text(&h, spec->fn ? spec->fn->name : "");
        json_digest_add(&h, d->sent[SPEC_COMMAND]);
        json_digest_add(&h, d->sent[SPEC_ARGS]);
    }
    d->spec->has_unique = true;
    sha256_end(&h, d->spec->unique.digest);
}
