/*
 * The options a database is opened with: their defaults, and what is wrong with
 * them.
 */
#include "open_options.h"

#include <inttypes.h>

#include "db.h"
#include "err.h"

void aedb_options_init(struct aedb_options *ret)
{
	*ret = (struct aedb_options){
		.mode = AEDB_OPEN_EXISTING,
		.durability = AEDB_FULL,
		.recovery = AEDB_STRICT,
		.sync_interval_ms = 10,
		.key_bytes_max = 1024,
		.txn_bytes_max = UINT64_C(64) << 20,
		.txn_ops_max = 1000000,
		.queue_commits_max = 100000,
		.queue_bytes_max = UINT64_C(1) << 30,
		.batches_max = 1000,
		.inline_bytes_max = 1024,
		.memory_bytes = UINT64_C(256) << 20,
		.checkpoint_log_bytes = UINT64_C(64) << 20,
		.checkpoint_ops = 250000,
		.checkpoint_interval_s = 300,
		.compaction_rate = UINT64_C(64) << 20,
		.wal_file_bytes = UINT64_C(64) << 20,
		.once_keep_s = 300,
		.backup_log_bytes = UINT64_C(256) << 20,
	};
}

int aedb_options_profile(enum aedb_profile profile, struct aedb_options *options)
{
	switch (profile) {
	case AEDB_PROFILE_DEFAULT:
		return 0;
	case AEDB_PROFILE_PRODUCTION:
		options->durability = AEDB_FULL;
		options->recovery = AEDB_STRICT;
		options->must_have_key = true;
		return 0;
	case AEDB_PROFILE_DEVELOPMENT:
		options->durability = AEDB_OS;
		options->recovery = AEDB_PERMISSIVE;
		return 0;
	case AEDB_PROFILE_LOW_LATENCY:
		options->durability = AEDB_BATCH;
		options->sync_interval_ms = 2;
		return 0;
	}
	return err_set(AEDB_INVALID, "profile %u: there is none such",
		       (unsigned)profile);
}

static int check_range(const char *name, uint64_t value, uint64_t low,
		       uint64_t high)
{
	if (value < low || value > high)
		return err_set(AEDB_INVALID,
			       "option %s is %" PRIu64 ", it must be from %" PRIu64
			       " to %" PRIu64, name, value, low, high);
	return 0;
}

/* What one option says of another. */
static int check_together(const struct aedb_options *o)
{
	if (o->cache_bytes > o->memory_bytes)
		return err_set(AEDB_INVALID,
			       "option cache_bytes is %" PRIu64 ", more than the %"
			       PRIu64 " of memory_bytes, of which it is a part",
			       o->cache_bytes, o->memory_bytes);
	if (o->queue_bytes_max < o->txn_bytes_max)
		return err_set(AEDB_INVALID,
			       "option queue_bytes_max is %" PRIu64 ", less than the "
			       "%" PRIu64 " of txn_bytes_max: one transaction could "
			       "fill it", o->queue_bytes_max, o->txn_bytes_max);
	if (o->history_s && !o->history_bytes)
		return err_set(AEDB_INVALID,
			       "option history_s is %" PRIu32 " and history_bytes 0: "
			       "a history wants both", o->history_s);
	if (o->history_bytes && !o->history_s)
		return err_set(AEDB_INVALID,
			       "option history_bytes is %" PRIu64 " and history_s 0: "
			       "a history wants both", o->history_bytes);
	if (o->hmac_key_bytes && !o->hmac_key)
		return err_set(AEDB_INVALID,
			       "option hmac_key_bytes is %zu and hmac_key NULL: the "
			       "manifest would not be signed", o->hmac_key_bytes);
	if (o->must_have_key && !o->hmac_key)
		return err_set(AEDB_INVALID, "option must_have_key is set, and "
			       "there is no hmac_key");
	if (o->is_secure && !o->hmac_key)
		return err_set(AEDB_INVALID, "option is_secure is set, and there "
			       "is no hmac_key");
	return 0;
}

int open_options_check(const struct aedb_options *o)
{
	const struct {
		const char *name;
		uint64_t value, low, high;
	} ranges[] = {
		{ "mode", o->mode, 0, AEDB_OPEN_READ_ONLY },
		{ "durability", o->durability, 0, AEDB_OS },
		{ "recovery", o->recovery, 0, AEDB_PERMISSIVE },
		{ "maintenance", o->maintenance, 0, AEDB_ON_CALL },
		{ "sync_interval_ms", o->sync_interval_ms, 1, 60000 },
		{ "key_bytes_max", o->key_bytes_max, 1, 4000 },
		{ "txn_bytes_max", o->txn_bytes_max, 64 << 10, 1 << 30 },
		{ "txn_ops_max", o->txn_ops_max, 1, 16000000 },
		{ "queue_commits_max", o->queue_commits_max, 1, 1000000 },
		{ "queue_bytes_max", o->queue_bytes_max, 64 << 10,
		  UINT64_C(1) << 40 },
		{ "commit_timeout_ms", o->commit_timeout_ms, 0, 3600000 },
		{ "batches_max", o->batches_max, 1, 1000000 },
		{ "memory_bytes", o->memory_bytes, 16 << 10, UINT64_MAX },
		{ "inline_bytes_max", o->inline_bytes_max, 0, 65536 },
		{ "checkpoint_log_bytes", o->checkpoint_log_bytes, 64 << 10,
		  UINT64_C(1) << 40 },
		{ "checkpoint_ops", o->checkpoint_ops, 1000, 1000000000 },
		{ "checkpoint_interval_s", o->checkpoint_interval_s, 1, 86400 },
		{ "history_bytes", o->history_bytes,
		  o->history_bytes ? 64 << 10 : 0, UINT64_C(1) << 60 },
		{ "wal_file_bytes", o->wal_file_bytes, 64 << 10, 1 << 30 },
		{ "log_keep_bytes", o->log_keep_bytes, 0, UINT64_C(1) << 40 },
		{ "backup_log_bytes", o->backup_log_bytes, 0, UINT64_C(1) << 40 },
		{ "once_keep_s", o->once_keep_s, 1, 31536000 },
		{ "hmac_key_bytes", o->hmac_key ? o->hmac_key_bytes : 16, 16,
		  sizeof(((struct aedb *)0)->hmac_key) },
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]) && rc == 0; i++)
		rc = check_range(ranges[i].name, ranges[i].value, ranges[i].low,
				 ranges[i].high);
	return rc < 0 ? rc : check_together(o);
}
