#include "server/key_file.h"

#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)

/* Returns NULL, or what is wrong with the line. */
static const char *parse_line(char *line, struct api_key *key)
{
    size_t n = strcspn(line, " \t");
    char *words = line + n + (line[n] != '\0');

    line[n] = '\0';
    if (!api_key_parse(line, key->id, key->secret_hash))
        return "it does not begin with a token, jobd_<id>_<secret>";
    key->name = mem_str("");
    if (words[strspn(words, " \t")] == '\0') {
        key->grant.scopes = GRANT_ALL_SCOPES;
        return NULL;
    }
    if (grant_parse(&key->grant, words, NULL) < 0)
        return "what follows the token is not like tenant=acme scopes=jobs:read,jobs:write";
    return NULL;
}

static bool is_there(const struct api_keys *keys, const char *id)
{
    for (size_t i = 0; i + 1 < keys->count; i++)
        if (text_equal(keys->items[i].id, id))
            return true;
    return false;
}

static const char *add_line(char *line, struct api_keys *keys)
{
    const char *fault;
    struct api_key *key;

    line += strspn(line, " \t");
    line[strcspn(line, "\r")] = '\0';
    if (*line == '\0' || *line == '#')
        return NULL;
    keys->items = mem_resize(keys->items, keys->count + 1, sizeof *keys->items);
    key = &keys->items[keys->count++];
    *key = (struct api_key){ 0 };
    fault = parse_line(line, key);
    if (!fault && is_there(keys, key->id))
        fault = "the id of this key is there already";
    return fault;
}

int key_file_read(const char *path, struct api_keys *ret_keys, struct errinfo *e)
{
    AUTO_FINI(api_keys) struct api_keys keys = { 0 };
    AUTO_FINI(buf) struct buf text = { 0 };
    struct errinfo why = { 0 };
    const char *fault = NULL;
    size_t number = 0;

    if (fd_read_file(path, FILE_MAX_BYTES, &text, &why) < 0)
        return err_set(e, ERR_CONFIG, "api_keys_file: %s: %s", path, why.text);
    for (char *line = text.data; line && *line != '\0' && !fault;) {
        size_t n = strcspn(line, "\n");
        char *next = line + n + (line[n] != '\0');

        line[n] = '\0';
        number++;
        fault = add_line(line, &keys);
        line = next;
    }
    if (text.data)
        secret_wipe(text.data, text.len);
    if (fault)
        return err_set(e, ERR_CONFIG, "api_keys_file: %s:%zu: %s", path, number, fault);
    *ret_keys = keys;
    keys = (struct api_keys){ 0 };
    return 0;
}
