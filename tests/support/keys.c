#include "tests/support/keys.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define WORDS_MAX 24

static const char *program(void)
{
    const char *path = getenv("JOBD_BIN"); /* NOLINT(concurrency-mt-unsafe) */

    return path ? path : "build/release/jobd";
}

static int run(const char *const *argv, const char *out_path)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_path,
                                           O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(
        posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int keys_run(const struct api *a, const char *words, char *ret_out, size_t room)
{
    const char *out_path = api_path(a, "key-out");
    const char *argv[WORDS_MAX + 5] = { program(), "key" };
    AUTO(mem) char *copy = mem_str(words);
    size_t argc = 2, n;
    int exit_code;
    FILE *f;

    for (char *w = copy; *w && argc < WORDS_MAX; argc++) {
        char *end = w + strcspn(w, " ");

        if (*end)
            *end++ = '\0';
        argv[argc] = w;
        w = end;
    }
    argv[argc++] = "--data-dir";
    argv[argc++] = api_path(a, "data");
    exit_code = run(argv, out_path);
    f = fopen(out_path, "r");
    assert_non_null(f);
    n = fread(ret_out, 1, room - 1, f);
    ret_out[n] = '\0';
    (void)fclose(f);
    return exit_code;
}

char *keys_make(const struct api *a, const char *words, char token[KEYS_TOKEN_SIZE])
{
    AUTO(mem) char *all = mem_printf("create %s", words);

    assert_int_equal(keys_run(a, all, token, KEYS_TOKEN_SIZE), 0);
    token[strcspn(token, "\n")] = '\0';
    return token;
}

void keys_send(const struct api *a, const char *token, const char *method, const char *path,
               const char *body, struct api_reply *ret_reply)
{
    AUTO(mem) char *header = token ? mem_printf("Authorization: Bearer %s", token) : NULL;
    struct api_request q = { .method = method, .path = path, .body = body };

    q.headers[0] = header;
    api_send(a, &q, ret_reply);
}

char *keys_submit(const struct api *a, const char *token, const char *body,
                  char id[API_ID_SIZE])
{
    AUTO_FINI(api_reply) struct api_reply r = { 0 };

    keys_send(a, token, "POST", "/v1/jobs", body, &r);
    assert_status(&r, 202);
    (void)snprintf(id, API_ID_SIZE, "%s", api_text(&r, "id"));
    return id;
}
