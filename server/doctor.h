/* server/doctor.h - `jobd doctor`: what this host or container allows, found by doing it, what
 * follows for jobs, and which setting would better it. One thread; nothing of jobd runs in this
 * process. What it makes it removes.
 */
#ifndef JOBD_SERVER_DOCTOR_H
#define JOBD_SERVER_DOCTOR_H

#include "domain/checkup.h"
#include "server/options.h"

void doctor_examine(const struct settings *s, struct checkup *ret_checkup);

#endif
