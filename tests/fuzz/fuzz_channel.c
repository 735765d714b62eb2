/* A line that a program writes to descriptor 3. */
#include "tests/fuzz/fuzz.h"

#include "domain/channel.h"
#include "domain/json_text.h"

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO_FINI(channel_line) struct channel_line line = { 0 };
    AUTO(json) json_t *result = NULL;

    channel_decode((const char *)data, size, &line);
    assert(line.kind < CHANNEL_KIND_MAX_);
    if (line.kind == CHANNEL_INVALID || line.kind == CHANNEL_ERROR)
        assert(line.message);
    if (line.kind == CHANNEL_READY)
        assert(line.concurrency >= 1 && line.concurrency <= CHANNEL_CONCURRENCY_MAX);
    if (line.kind == CHANNEL_PROGRESS)
        assert(line.fraction <= 1);
    if (line.kind == CHANNEL_RESULT)
        assert(json_text_parse(line.result, line.result_len, &result, NULL) == 0);
    return 0;
}
