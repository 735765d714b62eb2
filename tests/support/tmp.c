#include "tests/support/tmp.h"

#include "tests/support/test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

char *tmp_dir_make(char room[TMP_SIZE])
{
    (void)text_copy(room, TMP_SIZE, "/tmp/jobd-test-XXXXXX");
    assert_non_null(mkdtemp(room));
    return room;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void tmp_dir_remove(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
