/*
 * Retention: the rules against a simple model, chains that are never broken, and
 * power cuts while backups are removed.
 */
#include "backup_prune.h"
#include "backup_rules.h"
#include "check.h"
#include "err.h"
#include "make_backup.h"
#include "simdisk.h"

#define SECOND_US UINT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)
#define DAY_US (24 * HOUR_US)
#define POINTS_MAX 1200

/* The model: periods are texts, and a rule looks at all points each time. */
struct model_rule {
	const char *format;	/* of strftime; NULL: every point by itself */
	uint32_t count;
	unsigned reason;
};

static void period_text(const char *format, uint64_t us, size_t i, char ret[40])
{
	time_t seconds = (time_t)(us / SECOND_US);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	if (!format || !strftime(ret, 40, format, &tm))
		snprintf(ret, 40, "%zu", i);
}

/* Whether point i is the newest of its period and how many newer periods there
 * are. */
static bool is_newest(const char *format, const uint64_t *times, size_t i,
		      size_t *ret_newer)
{
	char own[40], before[40] = "", text[40];

	*ret_newer = 0;
	period_text(format, times[i], i, own);
	for (size_t k = 0; k < i; k++) {
		period_text(format, times[k], k, text);
		*ret_newer += strcmp(text, before) != 0;
		strcpy(before, text);
	}
	return strcmp(own, before) != 0;
}

static bool model_keeps(const struct model_rule *rule, const uint64_t *times,
			size_t n, size_t i)
{
	size_t newer;
	bool newest;

	if (!rule->count)
		return false;
	newest = is_newest(rule->format, times, i, &newer);
	if (!newest && i + 1 < n)
		return false;
	return rule->count == AEDB_KEEP_ALL || newer < rule->count;
}

static bool model_within(const struct aedb_keep *keep, uint64_t newest, uint64_t us)
{
	time_t seconds = (time_t)(newest / SECOND_US);
	struct tm tm;

	if (!keep->within.years && !keep->within.months && !keep->within.days &&
	    !keep->within.hours)
		return false;
	gmtime_r(&seconds, &tm);
	tm.tm_year -= (int)keep->within.years;
	tm.tm_mon -= (int)keep->within.months;
	tm.tm_mday -= (int)keep->within.days;
	tm.tm_hour -= (int)keep->within.hours;
	return (int64_t)us >
	       (int64_t)timegm(&tm) * 1000000 + (int64_t)(newest % SECOND_US);
}

static unsigned model_reasons(const struct aedb_keep *keep, const uint64_t *times,
			      size_t n, size_t i)
{
	const struct model_rule rules[] = {
		{ NULL, keep->last, AEDB_KEPT_LAST },
		{ "%Y-%m-%d %H", keep->hourly, AEDB_KEPT_HOURLY },
		{ "%Y-%m-%d", keep->daily, AEDB_KEPT_DAILY },
		{ "%G-%V", keep->weekly, AEDB_KEPT_WEEKLY },
		{ "%Y-%m", keep->monthly, AEDB_KEPT_MONTHLY },
		{ "%Y", keep->yearly, AEDB_KEPT_YEARLY },
	};
	unsigned reasons = 0;

	for (size_t k = 0; k < sizeof(rules) / sizeof(*rules); k++)
		if (model_keeps(&rules[k], times, n, i))
			reasons |= rules[k].reason;
	if (model_within(keep, times[0], times[i]))
		reasons |= AEDB_KEPT_WITHIN;
	return reasons;
}

static void rules_compare(const struct aedb_keep *keep, const uint64_t *times,
			  size_t n)
{
	struct backup_point points[POINTS_MAX];

	for (size_t i = 0; i < n; i++)
		points[i] = (struct backup_point){ times[i], 0 };
	backup_rules_apply(keep, points, n);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(points[i].reasons, model_reasons(keep, times, n, i));
}

static uint32_t count_random(void)
{
	uint64_t r = check_random();

	if (r % 2)
		return 0;
	return r % 16 == 0 ? AEDB_KEEP_ALL : 1 + (uint32_t)(r >> 32) % 12;
}

static struct aedb_keep keep_random(void)
{
	struct aedb_keep keep;

	do {
		keep = (struct aedb_keep){
			.last = count_random(), .hourly = count_random(),
			.daily = count_random(), .weekly = count_random(),
			.monthly = count_random(), .yearly = count_random(),
		};
		if (check_random() % 4 == 0) {
			keep.within.years = (uint32_t)(check_random() % 2);
			keep.within.months = (uint32_t)(check_random() % 3);
			keep.within.days = (uint32_t)(check_random() % 40);
			keep.within.hours = (uint32_t)(check_random() % 30);
		}
	} while (backup_rules_check(&keep) < 0);
	return keep;
}

TEST(rules, "random rules keep of random points what a simple model keeps")
{
	for (unsigned round = 0; round < check_times(60); round++) {
		static const uint64_t steps[] = { HOUR_US / 4, 5 * HOUR_US, DAY_US,
						  9 * DAY_US, 70 * DAY_US };
		uint64_t step = steps[check_random() % 5];
		uint64_t times[120], at = 30000 * DAY_US + check_random() % DAY_US;
		size_t n = 1 + check_random() % 120;
		struct aedb_keep keep = keep_random();

		for (size_t i = 0; i < n; i++) {
			times[i] = at;
			at -= check_random() % step;
		}
		rules_compare(&keep, times, n);
	}
}

TEST(examples, "a year of daily backups: what each rule keeps of it")
{
	/* 2024-12-31 12:00, a Tuesday, and the 365 days before */
	uint64_t times[366], newest = UINT64_C(1735646400) * SECOND_US;
	struct backup_point points[366];
	static const struct {
		struct aedb_keep keep;
		unsigned kept, oldest_day;	/* days before the newest */
	} cases[] = {
		{ { .last = 3 }, 3, 2 },
		{ { .last = AEDB_KEEP_ALL }, 366, 365 },
		{ { .hourly = 24 }, 24, 23 },
		{ { .daily = 7 }, 7, 6 },
		{ { .weekly = 4 }, 4, 16 },	/* Sundays the 29th, 22nd, 15th */
		{ { .monthly = 12 }, 12, 335 },	/* 31 January */
		{ { .monthly = 14 }, 13, 365 },	/* and the oldest of all */
		{ { .yearly = 1 }, 1, 0 },
		{ { .yearly = 2 }, 2, 365 },
		{ { .within = { .days = 10 } }, 10, 9 },
		{ { .within = { .months = 1 } }, 30, 29 },	/* 1 December on */
		{ { .within = { .hours = 25 } }, 2, 1 },
		{ { .last = 2, .weekly = 2 }, 3, 2 },
	};

	for (size_t i = 0; i < 366; i++)
		times[i] = newest - i * DAY_US;
	for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
		unsigned kept = 0, oldest = 0;

		for (size_t i = 0; i < 366; i++)
			points[i] = (struct backup_point){ times[i], 0 };
		backup_rules_apply(&cases[k].keep, points, 366);
		for (unsigned i = 0; i < 366; i++)
			if (points[i].reasons) {
				kept++;
				oldest = i;
			}
		CHECK_THAT(kept == cases[k].kept && oldest == cases[k].oldest_day,
			   "case %zu: %u kept, the oldest of day %u", k, kept,
			   oldest);
		rules_compare(&cases[k].keep, times, 366);
	}
}

TEST(no_rules, "without any rule nothing is pruned, and absurd numbers are refused")
{
	struct aedb_prune_options options = { .is_dry_run = false };
	struct simdisk *disk = simdisk_new(1);
	struct aedb_prune_item *items;
	size_t n;

	CHECK_EQ(backup_prune_in(simdisk_vfs(disk), &options, &items, &n),
		 AEDB_INVALID);
	options.keep.within.years = BACKUP_WITHIN_MAX + 1;
	CHECK_EQ(backup_prune_in(simdisk_vfs(disk), &options, &items, &n),
		 AEDB_INVALID);
	options.keep.within.years = BACKUP_WITHIN_MAX;
	CHECK_OK(backup_prune_in(simdisk_vfs(disk), &options, &items, &n));
	CHECK_EQ(n, 0);
	aedb_prune_free(items);
	simdisk_free(disk);
}

/* A directory of backups made daily, a full one each week, on one disk, of which
 * every test prunes a clone. */
static struct simdisk *year;

static void days_make(struct simdisk *disk, unsigned days, uint8_t database)
{
	struct backup_manifest before = { .id = "" }, now;

	for (unsigned day = 0; day < days; day++) {
		char name[40];
		struct make_backup how = {
			.name = name,
			.parent = day % 7 ? &before : NULL,
			.form = day % 7 && day % 3 ? AEDB_BACKUP_LOG :
						     AEDB_BACKUP_FILES,
			.began_us = 20000 * DAY_US + day * DAY_US + database * HOUR_US,
			.seed = day + 1000 * database,
			.database = database,
		};

		snprintf(name, sizeof(name), "day-%u-%u", database, day);
		make_backup(simdisk_vfs(disk), &how, &now);
		backup_manifest_release(&before);
		before = now;
	}
	backup_manifest_release(&before);
}

static struct simdisk *year_disk(void)
{
	if (!year) {
		year = simdisk_new(1);
		days_make(year, 366, 0);
	}
	return simdisk_clone(year);
}

/* Whether the directory has a backup of that name. */
static bool has_backup(struct simdisk *disk, const char *name)
{
	enum vfs_kind kind;

	return vfs_kind(simdisk_vfs(disk), name, &kind) == 0;
}

/* Every backup there has all its parents, and no name is left of others. */
static size_t chains_check(struct simdisk *disk)
{
	struct backup_set set;
	size_t n;

	CHECK_OK(backup_set_load(simdisk_vfs(disk), NULL, &set));
	n = set.n;
	for (size_t i = 0; i < n; i++)
		CHECK_THAT(set.at[i].state == AEDB_BACKUP_FINISHED, "%s: %s",
			   set.at[i].name, set.at[i].reason);
	backup_set_release(&set);
	return n;
}

/* What the rules keep, and what that needs, is what is left. */
static void year_prune(struct simdisk *disk, const struct aedb_keep *keep)
{
	struct aedb_prune_options options = { .keep = *keep };
	bool is_needed[366] = { false };
	struct aedb_prune_item *items;
	uint64_t times[366];
	size_t n, kept = 0;

	CHECK_OK(backup_prune_in(simdisk_vfs(disk), &options, &items, &n));
	CHECK_EQ(n, 366);
	for (size_t i = 0; i < n; i++)
		times[n - 1 - i] = (uint64_t)items[i].info.began_ns / 1000;
	for (size_t i = n; i-- > 0;) {
		unsigned want = model_reasons(keep, times, n, n - 1 - i);

		if (is_needed[i])
			want |= AEDB_KEPT_FOR_CHILD;
		CHECK_EQ(items[i].reasons, want);
		CHECK_EQ(has_backup(disk, items[i].info.name), want != 0);
		kept += want != 0;
		if (want && i % 7)
			is_needed[i - 1] = true;
	}
	aedb_prune_free(items);
	CHECK_EQ(chains_check(disk), kept);
	CHECK(kept > 0);
}

TEST(single_rules, "a year of weekly full and daily incremental backups is pruned by every rule")
{
	static const struct aedb_keep keeps[] = {
		{ .last = 1 }, { .last = 10 }, { .last = AEDB_KEEP_ALL },
		{ .hourly = 3 }, { .daily = 1 }, { .daily = 14 }, { .weekly = 1 },
		{ .weekly = 8 }, { .monthly = 6 }, { .monthly = 24 },
		{ .yearly = 1 }, { .yearly = 5 }, { .within = { .months = 2 } },
		{ .within = { .years = 1 } }, { .within = { .hours = 1 } },
		{ .daily = 7, .weekly = 4, .monthly = 12, .yearly = 10 },
	};

	for (size_t i = 0; i < sizeof(keeps) / sizeof(*keeps); i++) {
		struct simdisk *disk = year_disk();

		year_prune(disk, &keeps[i]);
		simdisk_free(disk);
	}
}

TEST(combined_rules, "random combinations of rules leave what they say, and no chain is broken")
{
	for (unsigned round = 0; round < check_times(15); round++) {
		struct aedb_keep keep = keep_random();
		struct simdisk *disk = year_disk();

		year_prune(disk, &keep);
		simdisk_free(disk);
	}
}

static struct simdisk *small_disk(void)
{
	struct simdisk *disk = simdisk_new(1);

	days_make(disk, 12, 0);
	return disk;
}

static void prune_items(struct simdisk *disk, bool is_dry_run, uint32_t last,
			struct aedb_prune_item **ret, size_t *ret_n)
{
	struct aedb_prune_options options = { .is_dry_run = is_dry_run,
					      .keep = { .last = last } };

	CHECK_OK(backup_prune_in(simdisk_vfs(disk), &options, ret, ret_n));
}

TEST(dry_run, "a dry run says what would go, and changes nothing")
{
	struct aedb_prune_item *dry, *items;
	struct simdisk *disk = small_disk();
	struct vfs_file *lock;
	size_t dry_n, n;
	char **names;

	CHECK_OK(simdisk_vfs(disk)->ops->mkdir(simdisk_vfs(disk), ".x.partial"));
	prune_items(disk, true, 2, &dry, &dry_n);
	CHECK_OK(simdisk_vfs(disk)->ops->list(simdisk_vfs(disk), ".", &names, &n));
	CHECK_EQ(n, 13);
	vfs_free_names(names, n);
	prune_items(disk, false, 2, &items, &n);
	CHECK_EQ(dry_n, n);
	CHECK_EQ(n, 13);
	for (size_t i = 0; i < n; i++) {
		CHECK_STR(dry[i].info.name, items[i].info.name);
		CHECK_EQ(dry[i].reasons, items[i].reasons);
	}
	CHECK_STR(items[12].info.name, "x");
	CHECK_EQ(items[12].reasons, 0);
	aedb_prune_free(dry);
	aedb_prune_free(items);
	CHECK_EQ(chains_check(disk), 5);	/* 11 and 10, and 9, 8, 7 for them */

	CHECK_OK(backup_dir_lock(simdisk_vfs(disk), &lock));
	for (int is_dry_run = 0; is_dry_run < 2; is_dry_run++) {
		struct aedb_prune_options options = { .is_dry_run = is_dry_run,
						      .keep = { .last = 1 } };

		CHECK_EQ(backup_prune_in(simdisk_vfs(disk), &options, &items, &n),
			 AEDB_BUSY);
	}
	vfs_file_close(lock);
	simdisk_free(disk);
}

TEST(one, "a single backup is removed, unless another one needs it")
{
	struct simdisk *disk = small_disk();

	CHECK_EQ(backup_remove_in(simdisk_vfs(disk), "day-0-10"), AEDB_NOT_EMPTY);
	CHECK_EQ(backup_remove_in(simdisk_vfs(disk), "day-0-12"), AEDB_NOT_FOUND);
	CHECK_EQ(chains_check(disk), 12);
	CHECK_OK(backup_remove_in(simdisk_vfs(disk), "day-0-11"));
	CHECK_OK(backup_remove_in(simdisk_vfs(disk), "day-0-10"));
	CHECK_EQ(chains_check(disk), 10);
	CHECK(!has_backup(disk, "day-0-10"));
	simdisk_free(disk);
}

TEST(databases, "backups of several databases in one directory are counted apart")
{
	struct aedb_prune_item *items;
	struct simdisk *disk = small_disk();
	size_t n;

	days_make(disk, 10, 1);
	prune_items(disk, false, 1, &items, &n);
	CHECK_EQ(n, 22);
	aedb_prune_free(items);
	/* 11 with its parents 7 to 10; of the other 9 with 7 and 8 */
	CHECK_EQ(chains_check(disk), 5 + 3);
	CHECK(has_backup(disk, "day-0-11") && has_backup(disk, "day-1-9"));
	simdisk_free(disk);
}

TEST(broken, "a broken backup stays, and so do its parents")
{
	struct aedb_prune_item *items;
	struct simdisk *disk = small_disk();
	struct vfs_file *file;
	size_t n;

	CHECK_OK(vfs_file_open(simdisk_vfs(disk), "day-0-3/backup.json", VFS_WRITE,
			       &file));
	CHECK_OK(vfs_file_truncate(file, 100));
	vfs_file_close(file);
	prune_items(disk, false, 1, &items, &n);
	CHECK_EQ(n, 12);
	aedb_prune_free(items);
	/* 3 cannot be read; 4, 5 and 6 lead to it, and not beyond */
	for (unsigned day = 0; day < 12; day++) {
		char name[40];

		snprintf(name, sizeof(name), "day-0-%u", day);
		CHECK_EQ(has_backup(disk, name), day >= 3);
	}
	simdisk_free(disk);
}

TEST(unreadable, "nothing goes while a backup cannot be read whose parents are not known then")
{
	static const struct aedb_backup_key key = { "0123456789abcdef", 16 };
	struct aedb_prune_options options = { .keep = { .last = 1 }, .key = key };
	struct aedb_prune_item *items;
	struct simdisk *disk = small_disk();
	size_t n;

	CHECK_EQ(backup_prune_in(simdisk_vfs(disk), &options, &items, &n),
		 AEDB_ACCESS);
	CHECK(strstr(err_message(), "day-0-0") && strstr(err_message(), "not signed"));
	CHECK_EQ(chains_check(disk), 12);
	simdisk_free(disk);
}

static int cancel(void *arg, const struct aedb_transfer *progress)
{
	CHECK_STR(progress->phase, "remove");
	CHECK(progress->done_bytes <= progress->all_bytes);
	return ++*(int *)arg == 3;
}

TEST(canceled, "a pruning that is canceled has removed some, and chains are whole")
{
	int calls = 0;
	struct aedb_prune_options options = { .keep = { .last = 1 },
					      .watch = { cancel, &calls } };
	struct aedb_prune_item *items;
	struct simdisk *disk = small_disk();
	size_t n;

	CHECK_EQ(backup_prune_in(simdisk_vfs(disk), &options, &items, &n),
		 AEDB_CANCELED);
	CHECK_EQ(chains_check(disk), 10);
	simdisk_free(disk);
}

/* After a power cut what is there is whole, and pruning again ends as it should
 * have. */
static void cut_check(struct simdisk *disk)
{
	struct aedb_prune_item *items;
	struct backup_set set;
	size_t n;

	CHECK_OK(backup_set_load(simdisk_vfs(disk), NULL, &set));
	for (size_t i = 0; i < set.n; i++)
		CHECK_THAT(set.at[i].state != AEDB_BACKUP_BROKEN, "%s: %s",
			   set.at[i].name, set.at[i].reason);
	backup_set_release(&set);
	prune_items(disk, false, 1, &items, &n);
	aedb_prune_free(items);
	CHECK_EQ(chains_check(disk), 5);
}

TEST(power_cuts, "a power cut in any call of a pruning leaves whole chains; the rest goes later")
{
	struct aedb_prune_options options = { .keep = { .last = 1 } };
	struct simdisk *first = small_disk();
	uint64_t from = simdisk_calls(first);
	bool was_cut = true;

	for (uint64_t call = 1; was_cut; call++) {
		struct simdisk *disk = simdisk_clone(first);
		struct aedb_prune_item *items = NULL;
		size_t n;

		simdisk_cut_at(disk, from + call);
		if (backup_prune_in(simdisk_vfs(disk), &options, &items, &n) == 0)
			aedb_prune_free(items);
		was_cut = simdisk_is_cut(disk);
		simdisk_crash(disk, check_random(), SIMDISK_RANDOM);
		cut_check(disk);
		simdisk_free(disk);
	}
	simdisk_free(first);
}

TEST(failed_calls, "a call that fails ends a pruning with its error, and chains are whole")
{
	struct aedb_prune_options options = { .keep = { .last = 1 } };
	struct simdisk *first = small_disk();
	uint64_t from = simdisk_calls(first), calls;
	struct simdisk *disk = simdisk_clone(first);
	struct aedb_prune_item *items = NULL;
	size_t n;

	prune_items(disk, false, 1, &items, &n);
	aedb_prune_free(items);
	calls = simdisk_calls(disk) - from;
	simdisk_free(disk);
	for (uint64_t call = 1; call <= calls; call++) {
		disk = simdisk_clone(first);
		simdisk_fail_at(disk, from + call, SIMDISK_EIO);
		if (backup_prune_in(simdisk_vfs(disk), &options, &items, &n) == 0)
			aedb_prune_free(items);
		CHECK_EQ(simdisk_open_files(disk), 0);
		simdisk_crash(disk, 1, SIMDISK_KILL);
		cut_check(disk);
		simdisk_free(disk);
	}
	simdisk_free(first);
}

int main(int argc, char **argv)
{
	int status = check_main(argc, argv);

	simdisk_free(year);
	return status;
}
