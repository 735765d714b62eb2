/* domain/job_spec_env.c - the environment that a client may give to its job. */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/job_spec_members.h"
#include "domain/json_text.h"

#define RESERVED_PREFIX "JOBD_"

static bool is_env_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char rest[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

    return name[0] != '\0' && strchr(letters, name[0]) && name[strspn(name, rest)] == '\0';
}

static void decode_variable(struct job_spec_draft *d, const char *name, const json_t *value,
                            const char *env_pointer)
{
    AUTO(mem) char *pointer = faults_pointer(env_pointer, name);

    if (!is_env_name(name))
        faults_add(d->faults, pointer, "invalid-name",
                   "the name must be a letter or _, then letters, digits or _ (ASCII)");
    else if (text_starts(name, RESERVED_PREFIX, NULL))
        faults_add(d->faults, pointer, "reserved-name",
                   "names that start with " RESERVED_PREFIX " are set by jobd");
    if (!job_spec_want(d, json_is_string(value), value, pointer, "a string"))
        return;
    if (strlen(name) + 1 + json_string_length(value) > JOB_ARG_MAX_BYTES)
        faults_add(d->faults, pointer, "too-long",
                   "the name and the value must have at most %d bytes", JOB_ARG_MAX_BYTES - 1);
}

void job_spec_env_decode(struct job_spec_draft *d, const json_t *value, const char *pointer)
{
    size_t total_bytes = 0;
    const char *name;
    json_t *variable;

    if (!job_spec_want(d, json_is_object(value), value, pointer, "an object"))
        return;
    if (json_object_size(value) > JOB_ENV_MAX) {
        faults_add(d->faults, pointer, "too-long", "must have at most %d members", JOB_ENV_MAX);
        return;
    }
    json_object_foreach (json_iterable(value), name, variable) {
        decode_variable(d, name, variable, pointer);
        total_bytes += strlen(name) + json_string_length(variable) + 2; /* = and NUL */
    }
    if (total_bytes > JOB_ARGS_MAX_BYTES)
        faults_add(d->faults, pointer, "too-long", "must have at most %d bytes altogether",
                   JOB_ARGS_MAX_BYTES);
}

/*
 * A server without allow_commands runs its configured programs only. These variables make a
 * program (the loader, a shell, an interpreter, a tool that starts others) run code of the
 * client's choice, so that they would undo that. No list is complete: it is a second line, like
 * the one of sudo; what a function reads from its environment stays its author's care.
 */
static const char *const unsafe_names[] = {
    "BASHOPTS",    "BASH_ENV",  "CLASSPATH",    "EDITOR",
    "ENV",         "IFS",       "LESSCLOSE",    "LESSOPEN",
    "LOCPATH",     "MAKEFLAGS", "MALLOC_TRACE", "PAGER",
    "PATH",        "PERLLIB",   "PHPRC",        "PHP_INI_SCAN_DIR",
    "PS4",         "RSYNC_RSH", "SHELLOPTS",    "SSH_ASKPASS",
    "TAR_OPTIONS", "VISUAL",    "ZDOTDIR",      "_JAVA_OPTIONS",
};
static const char *const unsafe_prefixes[] = {
    "GCONV_",  "GIT_",  "GLIBC_",   "JAVA_", "JDK_",   "LD_",  "LUA_",
    "MAGICK_", "NODE_", "OPENSSL_", "PERL5", "PYTHON", "RUBY",
};

static bool is_unsafe(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(unsafe_names); i++)
        if (text_equal(name, unsafe_names[i]))
            return true;
    for (size_t i = 0; i < COUNT_OF(unsafe_prefixes); i++)
        if (text_starts(name, unsafe_prefixes[i], NULL))
            return true;
    return false;
}

void job_spec_env_check_function(struct job_spec_draft *d)
{
    const json_t *env = d->sent[SPEC_ENV];
    const char *name;
    json_t *variable;

    if (d->rules->allow_commands)
        return;
    json_object_foreach (json_iterable(env), name, variable) {
        AUTO(mem) char *pointer = NULL;

        if (!is_unsafe(name))
            continue;
        pointer = faults_pointer("#/env", name);
        faults_add(d->faults, pointer, "unsafe-name",
                   "it can make the function run other programs, which needs allow_commands: "
                   "true in the server's configuration");
    }
}
