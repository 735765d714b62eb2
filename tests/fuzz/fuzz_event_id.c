/* Last-Event-ID and ?after (a whole number), and what else is read from short texts: ids and
 * times. What is written back reads the same. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/uuid7.h"

int fuzz_one(const uint8_t *data, size_t size)
{
    AUTO(mem) char *text = fuzz_text(data, size);
    char room[64];
    struct uuid7 id;
    struct uuid7 same_id;
    int64_t number;
    usec_t at_us;
    usec_t same_us;

    if (text_to_i64(text, 0, INT64_MAX, &number)) {
        const char *digits = text + strspn(text, "0");

        (void)snprintf(room, sizeof room, "%lld", (long long)number);
        assert(strcmp(room, *digits ? digits : "0") == 0);
    }
    if (uuid7_parse(text, &id)) {
        assert(uuid7_parse(uuid7_format(id, room), &same_id) && uuid7_equal(id, same_id));
    }
    if (clock_parse(text, &at_us)) {
        assert(at_us >= 0);
        assert(clock_parse(clock_format_us(at_us, room), &same_us) && same_us == at_us);
    }
    return 0;
}
