#include "tests/support/test.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void new_memory_is_zeroed_whatever_its_size(void **state)
{
    static const size_t sizes[] = { 0, 1, 7, 64, 4096, 100000 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        AUTO(mem) char *block = mem_new0(sizes[i]);
        AUTO(mem) char *array = mem_array0(sizes[i], 3);

        for (size_t at = 0; at < sizes[i]; at++)
            assert_int_equal(block[at], 0);
        for (size_t at = 0; at < sizes[i] * 3; at++)
            assert_int_equal(array[at], 0);
    }
}

static void resizing_keeps_the_content(void **state)
{
    AUTO(mem) uint32_t *numbers = NULL;

    (void)state;
    for (uint32_t count = 1; count < 200; count++) {
        numbers = mem_resize(numbers, count, sizeof *numbers);
        numbers[count - 1] = count;
    }
    for (uint32_t i = 0; i < 199; i++)
        assert_int_equal(numbers[i], i + 1);
}

static void shrinking_to_nothing_is_still_memory(void **state)
{
    AUTO(mem) char *block = mem_new0(10);

    (void)state;
    block = mem_resize(block, 0, 8);
    assert_non_null(block);
}

static void a_copy_has_the_bytes_and_a_nul(void **state)
{
    AUTO(mem) char *bytes = mem_dup("a\0b", 3);
    AUTO(mem) char *none = mem_dup(NULL, 0);
    AUTO(mem) char *text = mem_str("hello");
    AUTO(mem) char *maybe = mem_str_or_null("there");

    (void)state;
    assert_memory_equal(bytes, "a\0b", 4);
    assert_string_equal(none, "");
    assert_string_equal(text, "hello");
    assert_string_equal(maybe, "there");
    assert_null(mem_str_or_null(NULL));
}

static void printed_memory_fits_any_text(void **state)
{
    AUTO(mem) char *small = mem_printf("%d-%s", 7, "x");
    AUTO(mem) char *large = mem_printf("%5000d", 1);

    (void)state;
    assert_string_equal(small, "7-x");
    assert_int_equal(strlen(large), 5000);
}

static void ask_for_an_overflowing_array(void)
{
    size_t half = SIZE_MAX / 2 + 1; /* twice that is 0 */

    free(mem_array0(half, 2));
}

static void ask_for_an_overflowing_resize(void)
{
    size_t half = SIZE_MAX / 2 + 1; /* twice that is 0 */

    free(mem_resize(NULL, half, 2));
}

static void ask_for_an_endless_copy(void)
{
    size_t endless = SIZE_MAX;

    free(mem_dup("", endless));
}

static bool comes_back(void (*ask)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

        (void)dup2(null_fd, STDERR_FILENO); /* keep the last words out of the test's output */
        ask();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void a_size_that_overflows_ends_the_process(void **state)
{
    (void)state;
    assert_false(comes_back(ask_for_an_overflowing_array));
    assert_false(comes_back(ask_for_an_overflowing_resize));
    assert_false(comes_back(ask_for_an_endless_copy));
}

static void take_lets_a_pointer_go(void **state)
{
    char *kept;

    (void)state;
    {
        AUTO(mem) char *text = mem_str("kept");

        kept = TAKE(text);
        assert_null(text);
    }
    assert_string_equal(kept, "kept");
    kept = mem_free(kept);
    assert_null(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zeroed_whatever_its_size),
        cmocka_unit_test(resizing_keeps_the_content),
        cmocka_unit_test(shrinking_to_nothing_is_still_memory),
        cmocka_unit_test(a_copy_has_the_bytes_and_a_nul),
        cmocka_unit_test(printed_memory_fits_any_text),
        cmocka_unit_test(a_size_that_overflows_ends_the_process),
        cmocka_unit_test(take_lets_a_pointer_go),
    };

    return cmocka_run_group_tests_name("base/mem", tests, NULL, NULL);
}
