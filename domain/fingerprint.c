#include "domain/fingerprint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* FNV-1a, 64 bits (draft-eastlake-fnv), with the NUL of each text, so that what ends one cannot
 * begin the next. Whoever makes up a collision has two of his own failures counted as one. */
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t mix(uint64_t hash, const char *text)
{
    do {
        hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
    } while (*text++);
    return hash;
}

/* What the program itself has to say: the exit code alone says little. */
static bool find_words(const struct outcome *o, char room[FAILURE_TEXT_SIZE])
{
    const struct capture *err = &o->captures[STREAM_STDERR];
    const char *line;
    size_t len;

    if ((o->cause != CAUSE_EXIT_CODE && o->cause != CAUSE_SIGNAL) || !err->data)
        return false;
    line = failure_text_last_line(err->data, (size_t)err->kept_bytes, &len);
    return failure_text_general(line, len, room)[0] != '\0';
}

static void find_message(const struct outcome *o, char room[FAILURE_TEXT_SIZE])
{
    const char *text = o->message ? o->message : "";

    if (find_words(o, room))
        return;
    if (failure_text_general(text, strlen(text), room)[0] == '\0')
        (void)snprintf(room, FAILURE_TEXT_SIZE, "%s", cause_meta(o->cause)->message);
}

static int64_t hash_of(const struct failure_kind *k, const char *function, const char *queue)
{
    char numbers[32];
    uint64_t hash = FNV_BASIS;

    (void)snprintf(numbers, sizeof numbers, "%d %d", k->exit_code, k->signal);
    hash = mix(hash, function ? function : "");
    hash = mix(hash, queue);
    hash = mix(hash, cause_meta(k->cause)->slug);
    hash = mix(hash, numbers);
    hash = mix(hash, k->message);
    hash &= INT64_MAX;
    return (int64_t)hash > FINGERPRINT_OTHER ? (int64_t)hash : FINGERPRINT_OTHER + 1;
}

void failure_kind_of(const struct outcome *o, const char *function, const char *queue,
                     struct failure_kind *ret_kind)
{
    ret_kind->cause = o->cause;
    ret_kind->exit_code = o->exit_code;
    ret_kind->signal = o->signal;
    find_message(o, ret_kind->message);
    ret_kind->fingerprint = hash_of(ret_kind, function, queue);
}

char *fingerprint_format(int64_t fingerprint, char text[FINGERPRINT_TEXT_SIZE])
{
    (void)snprintf(text, FINGERPRINT_TEXT_SIZE, "%016" PRIx64, (uint64_t)fingerprint);
    return text;
}

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;

    return digit ? (int)(digit - digits) : -1;
}

bool fingerprint_parse(const char *text, int64_t *ret_fingerprint)
{
    uint64_t number = 0;
    size_t len;

    for (len = 0; len < FINGERPRINT_TEXT_SIZE - 1; len++) {
        int value = hex_value(text[len]);

        if (value < 0)
            return false;
        number = number << 4 | (unsigned)value;
    }
    if (text[len] != '\0' || number == 0 || number > INT64_MAX)
        return false;
    *ret_fingerprint = (int64_t)number;
    return true;
}
