#include "tests/support/test.h"

#include "base/random.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clean.h"

#define WORDS 200 /* more than one block */

static void draw(uint64_t words[WORDS])
{
    for (size_t i = 0; i < WORDS; i++)
        words[i] = random_u64();
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* By chance two of 200,000 64-bit words are equal once in 10^9 runs. */
static void assert_all_differ(uint64_t *words, size_t count)
{
    qsort(words, count, sizeof *words, compare);
    for (size_t i = 1; i < count; i++)
        assert_true(words[i - 1] != words[i]);
}

static void words_do_not_repeat(void **state)
{
    static uint64_t words[20 * WORDS];

    (void)state;
    for (size_t i = 0; i < 20; i++)
        draw(words + i * WORDS);
    assert_all_differ(words, COUNT_OF(words));
}

/* fork(3) runs atfork handlers, the system call does not: both must be safe. */
static pid_t library_fork(void)
{
    return fork();
}

static pid_t bare_fork(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static void draw_in_child(pid_t (*fork_way)(void), uint64_t words[WORDS])
{
    int fds[2];
    int status;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork_way();
    assert_true(pid >= 0);
    if (pid == 0) {
        draw(words);
        _exit(write(fds[1], words, WORDS * sizeof *words) != WORDS * sizeof *words);
    }
    (void)close(fds[1]);
    assert_int_equal(read(fds[0], words, WORDS * sizeof *words), WORDS * sizeof *words);
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_child_shares_no_word_with_its_parent_or_sibling(void **state)
{
    static pid_t (*const ways[])(void) = { library_fork, bare_fork };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        uint64_t words[3 * WORDS];

        (void)random_u64(); /* the block is there, and in part unused */
        draw_in_child(ways[i], words);
        draw_in_child(ways[i], words + WORDS);
        draw(words + 2 * WORDS);
        assert_all_differ(words, COUNT_OF(words));
    }
}

static void a_grandchild_shares_no_word_with_a_child(void **state)
{
    uint64_t words[2 * WORDS];
    int fds[2];
    int status;
    pid_t pid;

    (void)state;
    (void)random_u64();
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)random_u64(); /* the child's own block */
        draw_in_child(bare_fork, words);
        draw(words + WORDS);
        _exit(write(fds[1], words, sizeof words) != (ssize_t)sizeof words);
    }
    (void)close(fds[1]);
    assert_int_equal(read(fds[0], words, sizeof words), sizeof words);
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_all_differ(words, COUNT_OF(words));
}

#define THREADS      4
#define THREAD_WORDS 50000

static pthread_barrier_t all_are_there;

static void *draw_in_thread(void *arg)
{
    uint64_t *words = arg;

    (void)pthread_barrier_wait(&all_are_there); /* says which thread is told so, no error */
    for (size_t i = 0; i < THREAD_WORDS; i++)
        words[i] = random_u64();
    return NULL;
}

static void threads_share_no_word(void **state)
{
    static uint64_t words[THREADS * THREAD_WORDS];
    pthread_t threads[THREADS];

    (void)state;
    assert_int_equal(pthread_barrier_init(&all_are_there, NULL, THREADS), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, draw_in_thread, words + i * THREAD_WORDS), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(pthread_barrier_destroy(&all_are_there), 0);
    assert_all_differ(words, COUNT_OF(words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_do_not_repeat),
        cmocka_unit_test(a_child_shares_no_word_with_its_parent_or_sibling),
        cmocka_unit_test(a_grandchild_shares_no_word_with_a_child),
        cmocka_unit_test(threads_share_no_word),
    };

    return cmocka_run_group_tests_name("base/random", tests, NULL, NULL);
}
