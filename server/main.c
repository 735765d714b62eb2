/* server/main.c - jobd: read what it is told, take the data directory, bind, and become the
 * supervisor. No thread is started and no database is opened here: that is the front's part. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "pool/paths.h"
#include "pool/successor.h"
#include "pool/supervisor.h"
#include "server/cmdline.h"
#include "server/config.h"
#include "server/doctor.h"
#include "server/front.h"
#include "server/healthcheck.h"
#include "server/image.h"
#include "server/key_command.h"
#include "server/listen.h"
#include "server/options.h"

#define HEALTHCHECK_TIMEOUT_US (3 * USEC_PER_SEC)
/* Beyond drain_timeout: for jobs that are told to stop then, and for the last commit. */
#define STOP_MARGIN_US (15 * USEC_PER_SEC)

static const char *get_variable(const char *name)
{
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

static int complain(int exit_code, const struct errinfo *e)
{
    (void)fprintf(stderr, "jobd: %s\n", e->text);
    return exit_code;
}

/* Each line of faults is one. */
static int complain_of_file(const struct buf *faults)
{
    for (const char *p = faults->data; p && *p; p += strcspn(p, "\n") + 1)
        (void)fprintf(stderr, "jobd: %.*s\n", (int)strcspn(p, "\n"), p);
    return EX_CONFIG;
}

/* Defaults, file, environment, flags: each over the one before. 0, or the exit code. */
static int load_settings(const struct cmdline *line, struct settings *s)
{
    AUTO_FINI(buf) struct buf faults = { 0 };
    struct errinfo e = { 0 };

    settings_init(s);
    if (line->config_path && !config_load(line->config_path, s, &faults))
        return complain_of_file(&faults);
    if (cmdline_apply_environment(get_variable, s, &e) < 0)
        return complain(EX_CONFIG, &e);
    if (cmdline_apply_flags(line, s, &e) < 0)
        return complain(EX_USAGE, &e);
    return 0;
}

static int check_config(const struct settings *s, const struct image *image)
{
    struct errinfo e = { 0 };

    if (config_check(s, &e) < 0 || image_check(image, s, &e) < 0)
        return complain(EX_CONFIG, &e);
    (void)printf("The configuration is right: %zu function%s, %zu address%s, data in %s\n",
                 s->functions.count, s->functions.count == 1 ? "" : "s", s->listen.count,
                 s->listen.count == 1 ? "" : "es", s->data_dir);
    return 0;
}

static int exit_code_of(const struct errinfo *e)
{
    switch (e->code) {
    case ERR_LOCKED:
        return EX_TEMPFAIL;
    case ERR_CONFIG:
        return EX_CONFIG;
    default:
        return EXIT_FAILURE;
    }
}

/* What the next image will be executed with. */
static void describe_successor(const struct image *image, const struct listeners *listeners,
                               struct handover_listener list[LISTEN_MAX],
                               struct successor_conf *ret_conf)
{
    for (size_t i = 0; i < listeners->count; i++)
        list[i] = (struct handover_listener){ listeners->fds[i], listeners->addresses[i],
                                              listeners->names[i] };
    *ret_conf = (struct successor_conf){
        .path = image->path,
        .argv = image->argv,
        .check_argv = image->check_argv,
        .listeners = list,
        .listener_count = listeners->count,
    };
}

static int run(const struct settings *s, const struct image *image,
               const struct listeners *listeners, int lock_fd)
{
    struct handover_listener list[LISTEN_MAX];
    struct successor_conf successor;
    struct front_conf front = { .settings = s, .listeners = listeners };
    const struct supervisor_conf conf = {
        .data_dir = s->data_dir,
        .lock_fd = lock_fd,
        .functions = &s->functions,
        .command_workers = (unsigned)s->workers,
        .output_max_bytes = s->output_max_bytes,
        .artifacts = { s->artifacts_max_bytes, s->artifacts_max_files },
        .use_cgroups = s->containment == CONTAIN_AUTO,
        .no_new_privs = s->no_new_privs,
        .stop_timeout_us = s->drain_timeout_us + STOP_MARGIN_US,
        .front_fds = listeners->fds,
        .front_fd_count = listeners->count,
        .front_main = front_main,
        .ctx = &front,
        .successor = &successor,
        .handover = image->inherits ? &image->handover : NULL,
    };

    describe_successor(image, listeners, list, &successor);
    log_info("jobd.start", LSTR("version", JOBD_VERSION), LSTR("data_dir", s->data_dir),
             LI64("functions", s->functions.count), LBOOL("insecure", s->insecure));
    if (s->functions.count == 0 && !s->allow_commands)
        log_warn("jobd.nothing_to_run",
                 LSTR("remedy", "declare functions in a file (--config), or --allow-commands"));
    return supervisor_run(&conf);
}

static int serve(const struct settings *s, struct image *image)
{
    AUTO_FINI(listeners) struct listeners listeners = { 0 };
    struct errinfo e = { 0 };
    int lock_fd = -1, exit_code;

    log_set_level((enum log_level)s->log_level);
    if (config_check(s, &e) < 0 || paths_prepare(s->data_dir, &e) < 0 ||
        image_lock(image, s, &lock_fd, &e) < 0)
        return complain(exit_code_of(&e), &e);
    /* The lock is ours until the process ends; so are the files of an earlier jobd. */
    if (!image->inherits)
        listeners_unpublish(s->data_dir);
    if (image_listen(image, s, &listeners, &e) < 0)
        return complain(exit_code_of(&e), &e);
    exit_code = run(s, image, &listeners, lock_fd);
    listeners_unpublish(s->data_dir);
    return exit_code;
}

static int print(const char *text)
{
    return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? EX_IOERR : 0;
}

static int examine(const struct settings *s, bool json)
{
    AUTO_FINI(checkup) struct checkup checkup = { 0 };
    AUTO_FINI(buf) struct buf text = { 0 };
    int r;

    log_set_level(LOG_WARN); /* the report is on stdout */
    doctor_examine(s, &checkup);
    if (json)
        checkup_print_json(&checkup, &text);
    else
        checkup_print(&checkup, &text);
    r = print(text.data);
    if (r != 0)
        return r;
    return checkup_state(&checkup) == CHECK_OK ? 0 : EXIT_FAILURE;
}

static int act(const struct cmdline *line, struct image *image)
{
    AUTO_FINI(settings) struct settings settings = { 0 };
    struct errinfo e = { 0 };
    int r = load_settings(line, &settings);

    if (r != 0)
        return r;
    if (line->action == CMDLINE_CHECK_CONFIG)
        return check_config(&settings, image);
    if (line->action == CMDLINE_DOCTOR)
        return examine(&settings, line->json);
    if (line->action == CMDLINE_KEY)
        return key_command(&line->key, &settings);
    if (line->action == CMDLINE_SERVE)
        return serve(&settings, image);
    if (healthcheck(line->target, settings.data_dir, HEALTHCHECK_TIMEOUT_US, &e) < 0)
        return complain(e.code == ERR_CONFIG ? EX_USAGE : EXIT_FAILURE, &e);
    return 0;
}

int main(int argc, char **argv)
{
    AUTO_FINI(cmdline) struct cmdline line = { 0 };
    AUTO_FINI(buf) struct buf help = { 0 };
    AUTO_FINI(image) struct image image;
    struct errinfo e = { 0 };

    crash_init();
    image_init(&image, argc, argv);
    if (cmdline_parse(argc, argv, get_variable("JOBD_CONFIG"), &line, &e) < 0)
        return complain(EX_USAGE, &e);
    switch (line.action) {
    case CMDLINE_VERSION:
        return print("jobd " JOBD_VERSION "\n");
    case CMDLINE_HELP:
        cmdline_help(&help);
        return print(help.data);
    case CMDLINE_SERVE:
    case CMDLINE_CHECK_CONFIG:
    case CMDLINE_HEALTHCHECK:
    case CMDLINE_DOCTOR:
    case CMDLINE_KEY:
        break;
    }
    return act(&line, &image);
}
