#include "server/cmdline.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "domain/suggest.h"

/* What is not a setting: it has no key in the file. */
static const struct {
    const char *flag;
    const char *arg;
    const char *help;
} others[] = {
    { "config", "FILE", "Read settings and functions from a YAML file." },
    { "check-config", NULL, "Say whether the configuration is right, and stop." },
    { "json", NULL, "With doctor and key: print JSON." },
    { "version", NULL, "Print the version and stop." },
    { "help", NULL, "Print this and stop." },
};

static const struct {
    const char *word;
    enum cmdline_action action;
} commands[] = {
    { "healthcheck", CMDLINE_HEALTHCHECK },
    { "doctor", CMDLINE_DOCTOR },
    { "key", CMDLINE_KEY },
};

/* -- reading ------------------------------------------------------------------------------ */

/* Goes along argv. */
struct words {
    int argc;
    char *const *argv;
    int at;           /* the word in hand */
    const char *name; /* of the flag in hand, its length is name_len */
    size_t name_len;
    const char *value; /* after "=", or NULL */
};

static bool is_named(const struct words *w, const char *flag)
{
    return strlen(flag) == w->name_len && memcmp(flag, w->name, w->name_len) == 0;
}

static int take_value(struct words *w, const char *arg, const char **ret_value,
                      struct errinfo *e)
{
    if (w->value) {
        *ret_value = w->value;
        return 0;
    }
    if (w->at + 1 >= w->argc)
        return err_set(e, ERR_CONFIG, "--%.*s needs a value: --%.*s %s", (int)w->name_len,
                       w->name, (int)w->name_len, w->name, arg);
    *ret_value = w->argv[++w->at];
    return 0;
}

static int refuse_value(const struct words *w, struct errinfo *e)
{
    if (!w->value)
        return 0;
    return err_set(e, ERR_CONFIG, "--%.*s takes no value", (int)w->name_len, w->name);
}

static int unknown_flag(const struct words *w, struct errinfo *e)
{
    AUTO(mem) char *word = mem_dup(w->name, w->name_len);
    struct suggestion s = { .word = word };

    for (size_t i = 0; i < options_count; i++)
        suggest_consider(&s, options[i].flag);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        suggest_consider(&s, others[i].flag);
    if (s.nearest)
        return err_set(e, ERR_CONFIG, "there is no option --%.100s; did you mean --%s?", word,
                       s.nearest);
    return err_set(e, ERR_CONFIG, "there is no option --%.100s; see jobd --help", word);
}

/* A setting's flag. */
static int take_option(struct words *w, struct cmdline *line, struct errinfo *e)
{
    for (size_t i = 0; i < options_count; i++) {
        const char *value = w->value;
        int r = 0;

        if (!is_named(w, options[i].flag))
            continue;
        if (options[i].kind != OPTION_BOOL)
            r = take_value(w, options[i].arg, &value, e);
        if (r < 0)
            return r;
        text_list_add(&line->flags[i], value ? value : "true");
        return 0;
    }
    return unknown_flag(w, e);
}

/* A flag of `jobd key create`: 1 when it is one, 0 when not. */
static int take_key_flag(struct words *w, struct cmdline *line, struct errinfo *e)
{
    const char *part = key_flag_part(w->name, w->name_len);
    const char *value = NULL;
    int r;

    if (!part && !is_named(w, "name") && !is_named(w, "expires"))
        return 0;
    r = take_value(w, "TEXT", &value, e);
    if (r < 0)
        return r;
    if (part) {
        AUTO(mem) char *text = mem_printf("%s=%s", part, value);

        text_list_add(&line->key.parts, text);
    } else if (is_named(w, "name")) {
        line->key.name = value;
    } else {
        line->key.expires = value;
    }
    return 1;
}

static int take_flag(struct words *w, struct cmdline *line, struct errinfo *e)
{
    int r = line->action == CMDLINE_KEY ? take_key_flag(w, line, e) : 0;

    if (r != 0)
        return r < 0 ? r : 0;
    if (is_named(w, "config"))
        return take_value(w, "FILE", &line->config_path, e);
    if (is_named(w, "check-config"))
        line->action = CMDLINE_CHECK_CONFIG;
    else if (is_named(w, "json"))
        line->json = line->key.json = true;
    else if (is_named(w, "version"))
        line->action = CMDLINE_VERSION;
    else if (is_named(w, "help"))
        line->action = CMDLINE_HELP;
    else
        return take_option(w, line, e);
    return refuse_value(w, e);
}

static int take_word(const char *word, struct cmdline *line, struct errinfo *e)
{
    struct suggestion s = { .word = word };

    if (line->action == CMDLINE_HEALTHCHECK && !line->target) {
        line->target = word;
        return 0;
    }
    if (line->action == CMDLINE_KEY && !line->key.id) {
        *(line->key.verb ? &line->key.id : &line->key.verb) = word;
        return 0;
    }
    for (size_t i = 0; line->action == CMDLINE_SERVE && i < COUNT_OF(commands); i++)
        if (text_equal(word, commands[i].word)) {
            line->action = commands[i].action;
            return 0;
        }
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        suggest_consider(&s, commands[i].word);
    if (s.nearest)
        return err_set(e, ERR_CONFIG, "there is no command \"%.100s\"; did you mean %s?", word,
                       s.nearest);
    return err_set(e, ERR_CONFIG, "there is no command \"%.100s\"; see jobd --help", word);
}

static int take_next(struct words *w, struct cmdline *line, struct errinfo *e)
{
    const char *word = w->argv[w->at];

    if (text_equal(word, "-h"))
        word = "--help";
    if (text_equal(word, "-V"))
        word = "--version";
    if (word[0] != '-')
        return take_word(word, line, e);
    if (word[1] != '-' || word[2] == '\0')
        return err_set(e, ERR_CONFIG, "there is no option %.100s; see jobd --help", word);
    w->name = word + 2;
    w->name_len = strcspn(w->name, "=");
    w->value = w->name[w->name_len] == '=' ? w->name + w->name_len + 1 : NULL;
    return take_flag(w, line, e);
}

int cmdline_parse(int argc, char *const *argv, const char *config_variable,
                  struct cmdline *ret_line, struct errinfo *e)
{
    AUTO_FINI(cmdline) struct cmdline line = { .action = CMDLINE_SERVE };
    struct words w = { .argc = argc, .argv = argv };
    int r;

    if (config_variable && *config_variable != '\0')
        line.config_path = config_variable;
    for (w.at = 1; w.at < argc; w.at++) {
        r = take_next(&w, &line, e);
        if (r < 0)
            return r;
        if (line.action == CMDLINE_HELP || line.action == CMDLINE_VERSION)
            break;
    }
    *ret_line = line;
    line = (struct cmdline){ 0 };
    return 0;
}

void cmdline_fini(struct cmdline *line)
{
    for (size_t i = 0; i < OPTIONS_MAX; i++)
        text_list_fini(&line->flags[i]);
    text_list_fini(&line->key.parts);
}

/* -- applying ----------------------------------------------------------------------------- */

/* "a, b" to a list. */
static void set_list(const struct option *o, const char *text, struct settings *s)
{
    const char *separators = o->separators ? o->separators : ", ";

    option_clear(o, s);
    while (*text != '\0') {
        size_t n = strcspn(text, separators);
        AUTO(mem) char *item = mem_dup(text, n);

        if (n > 0)
            (void)option_set(o, s, item, NULL); /* a list takes every text */
        text += n + (text[n] != '\0');
    }
}

int cmdline_apply_environment(const char *(*get)(const char *name), struct settings *s,
                              struct errinfo *e)
{
    for (size_t i = 0; i < options_count; i++) {
        const struct option *o = &options[i];
        const char *text = get(o->variable);
        struct errinfo why = { 0 };

        if (!text || *text == '\0')
            continue;
        if (o->kind == OPTION_LIST)
            set_list(o, text, s);
        else if (option_set(o, s, text, &why) < 0)
            return err_set(e, ERR_CONFIG, "the environment's %s: %s", o->variable, why.text);
    }
    return 0;
}

int cmdline_apply_flags(const struct cmdline *line, struct settings *s, struct errinfo *e)
{
    for (size_t i = 0; i < options_count; i++) {
        const struct text_list *given = &line->flags[i];
        struct errinfo why = { 0 };

        if (given->count > 0)
            option_clear(&options[i], s);
        for (size_t j = 0; j < given->count; j++)
            if (option_set(&options[i], s, given->items[j], &why) < 0)
                return err_set(e, ERR_CONFIG, "--%s: %s", options[i].flag, why.text);
    }
    return 0;
}

/* -- help --------------------------------------------------------------------------------- */

static void add_indented(struct buf *out, const char *text)
{
    for (;;) {
        size_t n = strcspn(text, "\n");

        buf_printf(out, "        %.*s\n", (int)n, text);
        if (text[n] == '\0')
            return;
        text += n + 1;
    }
}

static void add_option(struct buf *out, const struct option *o)
{
    buf_printf(out, "  --%s%s%s\n", o->flag, o->arg ? " " : "", o->arg ? o->arg : "");
    add_indented(out, o->help);
    buf_printf(out, "        [default %s; %s; %s]\n", o->otherwise ? o->otherwise : "none",
               o->variable, o->key);
}

void cmdline_help(struct buf *out)
{
    buf_add_str(
        out,
        "jobd runs programs for HTTP clients as durable jobs.\n"
        "\n"
        "usage: jobd [OPTION]...                          serve\n"
        "       jobd healthcheck [OPTION]... [ADDRESS]    ask a running jobd whether it"
        " takes jobs\n"
        "       jobd doctor [OPTION]... [--json]          say what this host allows, and what"
        " would better it\n"
        "       jobd key create [OPTION]... --scope NAMES [--name TEXT] [--tenant NAME]\n"
        "                [--function NAMES] [--queue NAMES] [--rate N/SECONDS] [--expires "
        "TIME]\n"
        "       jobd key list | rotate ID | revoke ID [OPTION]... [--json]\n"
        "\n"
        "A value comes from the option, else from the environment, else from the file.\n"
        "In brackets: its default, its variable in the environment, its key in the"
        " file.\n"
        "\n");
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        buf_printf(out, "  --%s%s%s\n", others[i].flag, others[i].arg ? " " : "",
                   others[i].arg ? others[i].arg : "");
        add_indented(out, others[i].help);
        if (text_equal(others[i].flag, "config"))
            buf_add_str(out, "        [default none; JOBD_CONFIG]\n");
    }
    for (size_t i = 0; i < options_count; i++)
        add_option(out, &options[i]);
    buf_add_str(out,
                "\n"
                "healthcheck asks ADDRESS (http://HOST:PORT, HOST:PORT or unix:PATH), or else"
                " the first\n"
                "address in run/listen of the data directory, and exits with 0 when jobd takes"
                " jobs.\n"
                "\n"
                "doctor exits with 0 when all works, with 1 when something could be better.\n"
                "\n"
                "key works in --data-dir, whether jobd runs there or not. create and rotate"
                " print the token,\n"
                "which is not kept anywhere, alone on standard output. NAMES are separated by"
                " commas; '*' is all.\n"
                "\n"
                "Exit codes: 0 stopped as asked, 1 failed, 64 wrong usage, 75 another jobd has"
                " the data\n"
                "directory, 78 wrong configuration. Logs are lines of JSON on standard error.\n"
                "See jobd(1) for the file and for the functions that it declares.\n");
}
