/*
 * The rules of retention, as those who use restic know them: a rule with a count
 * keeps the newest point of each period until the count is used up, and the oldest
 * point of all if it is not.
 */
#include "backup_rules.h"

#include <time.h>

#include "err.h"

#define US_PER_SECOND 1000000
#define HOUR_SECONDS 3600
#define DAY_SECONDS 86400

static bool has_within(const struct aedb_keep *keep)
{
	return keep->within.years || keep->within.months || keep->within.days ||
	       keep->within.hours;
}

int backup_rules_check(const struct aedb_keep *keep)
{
	if (keep->within.years > BACKUP_WITHIN_MAX ||
	    keep->within.months > BACKUP_WITHIN_MAX ||
	    keep->within.days > BACKUP_WITHIN_MAX ||
	    keep->within.hours > BACKUP_WITHIN_MAX)
		return err_set(AEDB_INVALID, "a part of \"within\" is above %d",
			       BACKUP_WITHIN_MAX);
	if (keep->last || keep->hourly || keep->daily || keep->weekly ||
	    keep->monthly || keep->yearly || has_within(keep))
		return 0;
	return err_set(AEDB_INVALID, "no rule says which backups to keep");
}

/* The number of the period that a point lies in; none is 0 twice. */
enum period {
	PERIOD_NONE,	/* each point is one */
	PERIOD_HOUR,
	PERIOD_DAY,
	PERIOD_WEEK,
	PERIOD_MONTH,
	PERIOD_YEAR,
};

static uint64_t period_of(enum period period, uint64_t time_us, size_t place)
{
	uint64_t seconds = time_us / US_PER_SECOND;
	time_t t = (time_t)seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	switch (period) {
	case PERIOD_NONE:
		return place;
	case PERIOD_HOUR:
		return seconds / HOUR_SECONDS;
	case PERIOD_DAY:
		return seconds / DAY_SECONDS;
	case PERIOD_WEEK:	/* 1970 began on a Thursday */
		return (seconds / DAY_SECONDS + 3) / 7;
	case PERIOD_MONTH:
		return (uint64_t)tm.tm_year * 12 + (uint64_t)tm.tm_mon;
	case PERIOD_YEAR:
		return (uint64_t)tm.tm_year;
	}
	return 0;
}

static void rule_apply(enum period period, uint32_t count, unsigned reason,
		       struct backup_point *points, size_t n)
{
	uint64_t last = UINT64_MAX;

	for (size_t i = 0; i < n && count; i++) {
		uint64_t number = period_of(period, points[i].time_us, i);

		if (number == last && i + 1 < n)
			continue;
		points[i].reasons |= reason;
		last = number;
		if (count != AEDB_KEEP_ALL)
			count--;
	}
}

/* Everything that began later than so long before the newest. */
static void within_apply(const struct aedb_keep *keep, struct backup_point *points,
			 size_t n)
{
	time_t newest = (time_t)(points[0].time_us / US_PER_SECOND);
	int64_t bound_us;
	struct tm tm;

	gmtime_r(&newest, &tm);
	tm.tm_year -= (int)keep->within.years;
	tm.tm_mon -= (int)keep->within.months;
	tm.tm_mday -= (int)keep->within.days;
	bound_us = ((int64_t)timegm(&tm) -
		    (int64_t)keep->within.hours * HOUR_SECONDS) * US_PER_SECOND +
		   (int64_t)(points[0].time_us % US_PER_SECOND);
	for (size_t i = 0; i < n; i++)
		if ((int64_t)points[i].time_us > bound_us)
			points[i].reasons |= AEDB_KEPT_WITHIN;
}

void backup_rules_apply(const struct aedb_keep *keep, struct backup_point *points,
			size_t n)
{
	rule_apply(PERIOD_NONE, keep->last, AEDB_KEPT_LAST, points, n);
	rule_apply(PERIOD_HOUR, keep->hourly, AEDB_KEPT_HOURLY, points, n);
	rule_apply(PERIOD_DAY, keep->daily, AEDB_KEPT_DAILY, points, n);
	rule_apply(PERIOD_WEEK, keep->weekly, AEDB_KEPT_WEEKLY, points, n);
	rule_apply(PERIOD_MONTH, keep->monthly, AEDB_KEPT_MONTHLY, points, n);
	rule_apply(PERIOD_YEAR, keep->yearly, AEDB_KEPT_YEARLY, points, n);
	if (n && has_within(keep))
		within_apply(keep, points, n);
}
