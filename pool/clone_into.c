#include "pool/clone_into.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>

/* In the child nothing of ours is on the new stack, so it never returns from here. */
#if defined(__x86_64__)

static long clone3_call(struct clone_args *args, int (*child)(void *arg), void *arg)
{
    register int (*fn)(void *) __asm__("r12") = child;
    register void *fn_arg __asm__("r13") = arg;
    long result;

    __asm__ volatile(
        "syscall\n\t"
        "test %%rax, %%rax\n\t"
        "jnz 1f\n\t"
        "xor %%ebp, %%ebp\n\t"
        "mov %[arg], %%rdi\n\t"
        "call *%[fn]\n\t"
        "mov %%eax, %%edi\n\t"
        "mov %[exit], %%eax\n\t"
        "syscall\n\t"
        "hlt\n"
        "1:"
        : "=a"(result)
        : "0"((long)SYS_clone3), "D"(args),
          "S"(sizeof *args), [fn] "r"(fn), [arg] "r"(fn_arg), [exit] "i"(SYS_exit)
        : "rcx", "r11", "memory", "cc");
    return result;
}

#elif defined(__aarch64__)

static long clone3_call(struct clone_args *args, int (*child)(void *arg), void *arg)
{
    register long number __asm__("x8") = SYS_clone3;
    register long x0 __asm__("x0") = (long)(uintptr_t)args;
    register long x1 __asm__("x1") = sizeof *args;
    register int (*fn)(void *) __asm__("x19") = child;
    register void *fn_arg __asm__("x20") = arg;

    __asm__ volatile(
        "svc #0\n\t"
        "cbnz x0, 1f\n\t"
        "mov x29, xzr\n\t"
        "mov x0, %[arg]\n\t"
        "blr %[fn]\n\t"
        "mov x8, %[exit]\n\t"
        "svc #0\n"
        "1:"
        : "+r"(x0)
        : "r"(number), "r"(x1), [fn] "r"(fn), [arg] "r"(fn_arg), [exit] "i"(SYS_exit)
        : "memory", "cc");
    return x0;
}

#else

static long clone3_call(struct clone_args *args, int (*child)(void *arg), void *arg)
{
    (void)args;
    (void)child;
    (void)arg;
    return -ENOSYS;
}

#endif

/* NOLINTNEXTLINE(readability-non-const-parameter): the child writes there */
pid_t clone_into(int group_dir, char *stack, size_t stack_size, int (*child)(void *arg),
                 void *arg)
{
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP,
        .exit_signal = SIGCHLD,
        .stack = (uintptr_t)stack,
        .stack_size = stack_size,
        .cgroup = (unsigned)group_dir,
    };
    long result = clone3_call(&args, child, arg);

    if (result >= 0)
        return (pid_t)result;
    errno = (int)-result;
    return -1;
}
