/* A warm program in C: cc shout.c -ljansson. jobd starts it once and gives it one job after
 * another: a line of JSON on standard input. Its answers are lines of JSON on descriptor 3. */
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>

static FILE *answers;

static void say(json_t *message)
{
    json_dumpf(message, answers, JSON_COMPACT);
    fputc('\n', answers);
    fflush(answers);
    json_decref(message);
}

int main(void)
{
    json_t *job;
    answers = fdopen(atoi(getenv("JOBD_FD")), "w");
    /* What takes long to set up is set up here, once. */
    say(json_pack("{s:b}", "ready", 1));
    while ((job = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL))) {
        const char *id = NULL, *text = NULL;
        char shout[1000];

        if (json_unpack(job, "{s:s, s:{s:s}}", "id", &id, "args", "text", &text) < 0) {
            say(json_pack("{s:s, s:s}", "id", id, "error", "args has no text"));
        } else {
            snprintf(shout, sizeof shout, "%s!", text);
            for (char *c = shout; *c; c++)
                *c = (char)toupper((unsigned char)*c);
            printf("shouting %s\n", text); /* the job's log */
            fflush(stdout);
            say(json_pack("{s:s, s:{s:s}}", "id", id, "result", "shout", shout));
        }
        json_decref(job);
    }
}
