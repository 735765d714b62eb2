/* The configuration file. */
#include "tests/fuzz/fuzz.h"

#include "server/config.h"

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO_FINI(settings) struct settings settings = { 0 };
    AUTO_FINI(buf) struct buf faults = { 0 };
    struct errinfo e;

    /* It may name files to read: not any file of this machine. */
    if (size > 0 && memmem(data, size, "args_schema", 11))
        return 0;
    settings_init(&settings);
    if (config_load_text("fuzz", (const char *)data, size, &settings, &faults)) {
        assert(faults.len == 0);
        (void)config_check(&settings, &e);
    } else {
        assert(faults.len > 0);
    }
    return 0;
}
