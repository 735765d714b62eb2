#include "tests/support/test.h"

#include "tests/support/certs.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define WORDS_MAX 32

/* Words are separated by blanks. Returns the exit code. */
static int run(const char *words)
{
    AUTO(mem) char *copy = mem_str(words);
    char *argv[WORDS_MAX + 1] = { NULL };
    posix_spawn_file_actions_t actions;
    int status = -1;
    size_t argc = 0;
    pid_t pid;
    int r;

    for (char *w = copy; *w && argc < WORDS_MAX; argc++) {
        char *end = w + strcspn(w, " ");

        if (*end)
            *end++ = '\0';
        argv[argc] = w;
        w = end;
    }
    if (!argv[0])
        return -1;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (r != 0)
        return -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool certs_can_be_made(void)
{
    return run("openssl version") == 0;
}

static void must_run(char *take_words)
{
    AUTO(mem) char *words = take_words;

    if (run(words) != 0)
        fail_msg("failed: %s", words);
}

void certs_make_ca(const char *dir, const char *name)
{
    must_run(
        mem_printf("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
                   " -days 2 -subj /CN=%s -keyout %s/%s.key -out %s/%s.pem",
                   name, dir, name, dir, name));
}

void certs_make(const char *dir, const char *ca, const char *name)
{
    AUTO(mem) char *ext = mem_printf("%s/%s.ext", dir, name);
    FILE *f = fopen(ext, "w");

    assert_non_null(f);
    (void)fprintf(f, "subjectAltName=DNS:%s.example,DNS:localhost,IP:127.0.0.1\n", name);
    assert_int_equal(fclose(f), 0);
    must_run(
        mem_printf("openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
                   " -subj /CN=%s -keyout %s/%s.key -out %s/%s.csr",
                   name, dir, name, dir, name));
    must_run(
        mem_printf("openssl x509 -req -in %s/%s.csr -CA %s/%s.pem -CAkey %s/%s.key"
                   " -CAcreateserial -days 2 -extfile %s -out %s/%s.pem",
                   dir, name, dir, ca, dir, ca, ext, dir, name));
}
