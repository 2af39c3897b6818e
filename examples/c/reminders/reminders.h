/* reminders.h - somebody is reminded of something, later. */
#ifndef REMINDERS_H
#define REMINDERS_H

#include <statefun/statefun.h>

/* Text, for reminders/reminder, whose id is the reminder's name: "SECONDS WHAT", "SECONDS", "". */
extern const struct sf_type remind_type, snooze_type, cancel_type;

bool reminders_configure(struct sf_module *module, struct sf_status *status);

#endif
