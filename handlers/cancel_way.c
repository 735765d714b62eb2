#include "handlers/cancel_way.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

struct member {
    const char *name;
    const char *pointer;
    void (*decode)(struct cancel_way *way, const json_t *value, const char *pointer,
                   struct faults *f);
};

static void decode_reason(struct cancel_way *way, const json_t *value, const char *pointer,
                          struct faults *f)
{
    const char *text = json_string_value(value);
    size_t characters = 0;

    if (!text) {
        faults_add(f, pointer, "wrong-type", "must be a string");
        return;
    }
    for (const char *c = text; *c; c++)
        characters += ((unsigned char)*c & 0xC0) != 0x80;
    if (characters == 0)
        faults_add(f, pointer, "too-short", "must have from 1 to %d characters",
                   JOB_REASON_MAX);
    else if (characters > JOB_REASON_MAX)
        faults_add(f, pointer, "too-long", "must have from 1 to %d characters", JOB_REASON_MAX);
    else
        way->reason = mem_str(text);
}

static void decode_mode(struct cancel_way *way, const json_t *value, const char *pointer,
                        struct faults *f)
{
    const char *text = json_string_value(value);

    if (!text)
        faults_add(f, pointer, "wrong-type", "must be a string");
    else if (text_equal(text, "force"))
        way->mode = CANCEL_FORCE;
    else if (!text_equal(text, "graceful"))
        faults_add(f, pointer, "unknown-value", "must be graceful or force");
}

static void decode_grace(struct cancel_way *way, const json_t *value, const char *pointer,
                         struct faults *f)
{
    if (!json_is_number(value))
        faults_add(f, pointer, "wrong-type", "must be a number");
    else if (!clock_seconds_to_us(json_number_value(value), JOB_GRACE_MAX_SECONDS,
                                  &way->grace_us))
        faults_add(f, pointer, "out-of-range", "must be from 0 to %d", JOB_GRACE_MAX_SECONDS);
}

static const struct member members[] = {
    { "reason", "#/reason", decode_reason },
    { "mode", "#/mode", decode_mode },
    { "grace_period_seconds", "#/grace_period_seconds", decode_grace },
};

void cancel_way_init(struct cancel_way *way)
{
    *way = (struct cancel_way){ .mode = CANCEL_GRACEFUL, .grace_us = -1 };
}

void cancel_way_fini(struct cancel_way *way)
{
    free(way->reason);
    *way = (struct cancel_way){ 0 };
}

const char *cancel_way_member(size_t i)
{
    return i < COUNT_OF(members) ? members[i].name : NULL;
}

bool cancel_way_decode(struct cancel_way *way, const char *name, const json_t *value,
                       struct faults *f)
{
    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (text_equal(members[i].name, name)) {
            members[i].decode(way, value, members[i].pointer, f);
            return true;
        }
    return false;
}
