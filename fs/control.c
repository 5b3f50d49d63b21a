/*
 * The text files at the mount's root.
 *
 * Invariants
 * 1. Of a file that is read the text is made when it is opened, and bounded.
 * 2. The file's lock is held while its answer is added to or taken from, never
 *    while a command runs.
 */
#include "control.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control_command.h"
#include "control_grant.h"
#include "control_tables.h"
#include "control_record.h"
#include "feed_lines.h"
#include "kept_text.h"
#include "metrics.h"
#include "text.h"

/* Operations that `.changes` shows at most, the newest. */
#define CHANGES_SHOWN 10000
#define CHANGES_PIECE_BYTES (64u << 10)

struct control {
	struct control_config config;		/* constant after open */
	struct control_records *records;	/* constant after open; own lock */
	atomic_bool is_ending;			/* no command begins any more */
	_Atomic uint64_t nodes, node_bytes;	/* atomic: of these files */
};

struct control_file {
	struct control *control;	/* constant after open, as is which */
	struct control_which which;
	pthread_mutex_t lock;
	struct kept_text *kept;		/* constant after open; used: of a batch, in
					 * place of text; NULL */
	char *text;			/* guarded by lock; owned: what can be read */
	size_t text_bytes;		/* guarded by lock */
	size_t taken;			/* guarded by lock: of an answer */
	struct feed_lines *feed;	/* guarded by lock; owned: an answer's end;
					 * NULL: none */
};

static const struct {
	const char *name;
	mode_t mode;
	enum control_where where;
} files[] = {
	[CONTROL_COMMANDS] = { ".control", 0600, CONTROL_AT_ROOT },
	[CONTROL_STATUS] = { ".status", 0400, CONTROL_AT_ROOT },
	[CONTROL_METRICS] = { ".metrics", 0444, CONTROL_AT_ROOT },
	[CONTROL_CHANGES] = { ".changes", 0400, CONTROL_AT_ROOT },
	[CONTROL_BATCH_COMMANDS] = { ".control", 0600, CONTROL_IN_BATCH },
	[CONTROL_BATCH_STATUS] = { ".status", 0400, CONTROL_IN_BATCH },
	[CONTROL_BATCH_DIFF] = { ".diff", 0400, CONTROL_IN_BATCH },
	[CONTROL_BATCH_CONFLICTS] = { ".conflicts", 0400, CONTROL_IN_BATCH },
};

struct control *control_new(const struct control_config *config)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->config = *config;
	control->records = control_records_new();
	if (!control->records) {
		free(control);
		return NULL;
	}
	return control;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	control_records_free(control->records);
	free(control);
}

bool control_find(const char *name, enum control_where where,
		  enum control_kind *ret)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i].where == where &&
		    strcmp(files[i].name, name) == 0) {
			*ret = (enum control_kind)i;
			return true;
		}
	return false;
}

bool control_takes_commands(enum control_kind kind)
{
	return kind == CONTROL_COMMANDS || kind == CONTROL_BATCH_COMMANDS;
}

static mode_t mode_of(const struct control *control, enum control_kind kind)
{
	return files[kind].mode & (control->config.is_secure ? 0700 : 0777);
}

void control_stat(const struct control *control,
		  const struct control_which *which, struct stat *ret)
{
	bool is_in_batch = files[which->kind].where == CONTROL_IN_BATCH;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct stat){
		.st_mode = S_IFREG | mode_of(control, which->kind),
		.st_nlink = 1,
		.st_uid = is_in_batch ? which->batch.uid : control->config.owner,
		.st_gid = is_in_batch ? which->batch.gid : control->config.group,
		.st_blksize = 4096,
		.st_atim = now,
		.st_mtim = now,
		.st_ctim = now,
	};
}

/* What is read. */

static const char *compacting(const struct aedb *db, char *ret, size_t room)
{
	struct aedb_stats stats;
	uint64_t done;

	aedb_stats(db, &stats);
	done = stats.compaction_done_bytes;
	if (done > stats.compaction_total_bytes)
		done = stats.compaction_total_bytes;
	ret[0] = '\0';
	if (stats.compaction_total_bytes)
		snprintf(ret, room, "%u %%", (unsigned)(done * 100 /
			 stats.compaction_total_bytes));
	return ret;
}

static void status_print(struct control *control, FILE *out)
{
	const struct control_config *config = &control->config;
	char progress[16];

	fprintf(out, "version " AEDB_VERSION "\ndatabase ");
	text_write(out, config->database, strlen(config->database));
	fprintf(out, "\nmount ");
	text_write(out, config->mount_point, strlen(config->mount_point));
	fprintf(out, "\nbackups ");
	text_write(out, config->backups, strlen(config->backups));
	fprintf(out, "\noptions ");
	text_write(out, config->options, strlen(config->options));
	fprintf(out, "\ndurability %s\naccess %s\n"
		"visible_seq %llu\ndurable_seq %llu\n", config->durability,
		config->is_read_only ? "ro" : "rw",
		(unsigned long long)aedb_visible_seq(config->db),
		(unsigned long long)aedb_durable_seq(config->db));
	control_batch_list(config->forest, out);
	control_records_print(control->records,
			      compacting(config->db, progress, sizeof(progress)),
			      out);
}

/* The newest that are known of the last CHANGES_SHOWN operations. */
static int changes_open(struct aedb *db, struct feed_lines **ret)
{
	aedb_seq_t visible = aedb_visible_seq(db);
	int rc;

	if (visible < CHANGES_SHOWN)
		return feed_lines_open(db, 0, ret);
	rc = feed_lines_open(db, visible - CHANGES_SHOWN + 1, ret);
	return rc == AEDB_RANGE ? feed_lines_open(db, 0, ret) : rc;
}

static int changes_print(struct aedb *db, FILE *out)
{
	char *piece = malloc(CHANGES_PIECE_BYTES);
	struct feed_lines *lines = NULL;
	size_t n, total = 0;
	int rc = piece ? changes_open(db, &lines) : -ENOMEM;

	while (rc == 0) {
		rc = feed_lines_read(lines, piece, CHANGES_PIECE_BYTES, &n);
		if (rc < 0 || n == 0)
			break;
		fwrite(piece, 1, n, out);
		total += n;
	}
	feed_lines_close(lines);
	free(piece);
	return rc;
}

void control_note_nodes(struct control *control, int more, size_t bytes)
{
	atomic_fetch_add(&control->nodes, (uint64_t)more);
	atomic_fetch_add(&control->node_bytes, (uint64_t)more * bytes);
}

static void figures_print(struct control *control, FILE *out)
{
	uint64_t nodes, node_bytes;

	metrics_print(control->config.db, out);
	forest_count(control->config.forest, &nodes, &node_bytes);
	nodes += atomic_load(&control->nodes);
	node_bytes += atomic_load(&control->node_bytes);
	metrics_print_gauge("nodes", "Objects that the kernel knows.", nodes,
			    out);
	metrics_print_gauge("node_bytes", "Memory for them.", node_bytes, out);
}

static int text_print(struct control *control,
		      const struct control_which *which, FILE *out)
{
	switch (which->kind) {
	case CONTROL_COMMANDS:
	case CONTROL_BATCH_COMMANDS:
	case CONTROL_BATCH_DIFF:
	case CONTROL_BATCH_CONFLICTS:
		break;
	case CONTROL_BATCH_STATUS:
		return control_batch_status(control->config.forest,
					    &which->batch, out);
	case CONTROL_STATUS:
		status_print(control, out);
		break;
	case CONTROL_METRICS:
		figures_print(control, out);
		break;
	case CONTROL_CHANGES:
		return changes_print(control->config.db, out);
	}
	return 0;
}

static int text_make(struct control_file *file)
{
	struct forest *forest = file->control->config.forest;
	const struct control_batch *batch = &file->which.batch;
	FILE *out;
	int rc;

	if (file->which.kind == CONTROL_BATCH_DIFF)
		return control_batch_diff(forest, batch, &file->kept);
	if (file->which.kind == CONTROL_BATCH_CONFLICTS)
		return control_batch_conflicts(forest, batch, &file->kept);
	out = open_memstream(&file->text, &file->text_bytes);
	if (!out)
		return -ENOMEM;
	rc = text_print(file->control, &file->which, out);
	if (fclose(out) != 0)
		rc = -ENOMEM;
	return rc;
}

/* Files. */

static bool is_obeyed(const struct control *control, uid_t uid)
{
	return uid == 0 || uid == control->config.owner;
}

int control_check(const struct control *control,
		  const struct control_which *which, uid_t uid)
{
	if (files[which->kind].where == CONTROL_IN_BATCH)
		return control_batch_check(control->config.forest,
					   &which->batch, uid);
	return mode_of(control, which->kind) & 0004 ||
			       is_obeyed(control, uid) ? 0 : -EACCES;
}

int control_open(struct control *control, const struct control_which *which,
		 struct control_file **ret)
{
	struct control_file *file;
	int rc;

	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->control = control;
	file->which = *which;
	pthread_mutex_init(&file->lock, NULL);
	rc = text_make(file);
	if (rc < 0) {
		control_close(file);
		return rc;
	}
	*ret = file;
	return 0;
}

void control_close(struct control_file *file)
{
	feed_lines_close(file->feed);
	pthread_mutex_destroy(&file->lock);
	kept_text_unref(file->kept);
	free(file->text);
	free(file);
}

size_t control_bytes(const struct control_file *file)
{
	if (file->kept)
		return kept_text_bytes(file->kept);
	return control_takes_commands(file->which.kind) ? 0 : file->text_bytes;
}

static size_t text_read(const struct control_file *file, void *buf, size_t n,
			uint64_t offset)
{
	if (offset >= file->text_bytes)
		return 0;
	if (n > file->text_bytes - offset)
		n = file->text_bytes - offset;
	memcpy(buf, file->text + offset, n);
	return n;
}

int control_read(struct control_file *file, void *buf, size_t n,
		 uint64_t offset, size_t *ret)
{
	size_t got;
	int rc = 0;

	if (file->kept)
		return kept_text_read(file->kept, buf, n, offset, ret);
	pthread_mutex_lock(&file->lock);
	if (!control_takes_commands(file->which.kind)) {
		got = text_read(file, buf, n, offset);
	} else {
		got = text_read(file, buf, n, file->taken);
		file->taken += got;
		if (got == 0 && file->feed)
			rc = feed_lines_read(file->feed, buf, n, &got);
	}
	pthread_mutex_unlock(&file->lock);
	if (rc == 0)
		*ret = got;
	return rc;
}

/* Commands. */

/* What a command says: words for `.status` and the answer. */
struct outcome {
	int rc;
	char words[CONTROL_RECORD_BYTES];
	const char *text;		/* a longer answer; static; NULL */
	char *lines;			/* the same; owned */
	struct feed_lines *feed;	/* one without end; owned */
	struct control_effects effects;
};

static void outcome_fail(struct outcome *outcome, int rc)
{
	outcome->rc = rc;
	snprintf(outcome->words, sizeof(outcome->words), "%s",
		 aedb_error_message());
}

static void outcome_number(struct outcome *outcome, int rc, const char *what,
			   aedb_seq_t seq)
{
	if (rc < 0)
		outcome_fail(outcome, rc);
	else
		snprintf(outcome->words, sizeof(outcome->words), "%s %llu",
			 what, (unsigned long long)seq);
}

static void run_sync(struct aedb *db, struct outcome *outcome)
{
	aedb_seq_t seq = aedb_visible_seq(db);

	outcome_number(outcome, aedb_wait_durable(db, seq), "durable", seq);
}

static void run_checkpoint(struct aedb *db, struct outcome *outcome)
{
	aedb_seq_t seq = 0;
	int rc = aedb_checkpoint(db, &seq);

	outcome_number(outcome, rc, "checkpoint", seq);
}

static uint64_t data_bytes(const struct aedb *db)
{
	struct aedb_stats stats;

	aedb_stats(db, &stats);
	return stats.segment_bytes + stats.value_bytes;
}

static void run_compact(struct aedb *db, struct outcome *outcome)
{
	uint64_t before = data_bytes(db);
	int rc = aedb_compact(db);

	if (rc < 0)
		outcome_fail(outcome, rc);
	else
		snprintf(outcome->words, sizeof(outcome->words),
			 "%llu bytes before, %llu now",
			 (unsigned long long)before,
			 (unsigned long long)data_bytes(db));
}

static void run_changes(struct aedb *db, aedb_seq_t from,
			struct outcome *outcome)
{
	int rc = feed_lines_open(db, from, &outcome->feed);

	if (rc < 0)
		outcome_fail(outcome, rc);
}

static void run_snapshot_create(struct forest *forest, const char *name,
				struct outcome *outcome)
{
	aedb_seq_t seq = 0;
	int rc = forest_snapshot_make(forest, name, &seq);

	outcome_number(outcome, rc, "snapshot at", seq);
}

static void run_snapshot_delete(struct forest *forest, const char *name,
				struct outcome *outcome)
{
	struct control_effects *effects = &outcome->effects;
	int rc = forest_snapshot_drop(forest, name, &effects->gone_parent);

	if (rc < 0)
		outcome_fail(outcome, rc);
	else
		strcpy(effects->gone, name);
}

static void run_backup(struct control *control, uint64_t number,
		       const struct control_command *command,
		       struct outcome *outcome)
{
	struct control_backup_job job = {
		.db = control->config.db,
		.directory = control->config.backups,
		.key = control->config.backup_key,
		.records = control->records,
		.number = number,
		.is_ending = &control->is_ending,
	};

	outcome->rc = control_backup(&job, command);
	outcome->lines = job.lines;
	strcpy(outcome->words, job.words);
}

static void run_cancel(struct control *control, uint64_t number,
		       struct outcome *outcome)
{
	if (control_records_cancel(control->records, number))
		return;
	if (control_records_is_running(control->records, number, "compact") &&
	    aedb_compact_cancel(control->config.db) == 0)
		return;
	outcome->rc = -EINVAL;
	snprintf(outcome->words, sizeof(outcome->words),
		 "command %llu is none that runs and can be ended",
		 (unsigned long long)number);
}

/* Of the batch whose file it is, or of the one that is named. */
static void run_batch(struct control_file *file, uid_t uid,
		      const struct control_command *command,
		      struct outcome *outcome)
{
	struct control_batch_job job = {
		.which = file->which.batch,
		.uid = uid,
		.effects = &outcome->effects,
	};
	struct forest *forest = file->control->config.forest;

	if (file->which.kind == CONTROL_COMMANDS)
		strcpy(job.which.name, command->name);
	if (command->verb == VERB_BATCH_COMMIT)
		outcome->rc = control_batch_commit(forest, &job);
	else if (command->verb == VERB_BATCH_CHECK)
		outcome->rc = control_batch_dry_run(forest, &job);
	else
		outcome->rc = control_batch_abort(forest, &job);
	strcpy(outcome->words, job.words);
}

static void run_grant(struct forest *forest,
		      const struct control_command *command,
		      struct outcome *outcome)
{
	struct control_grant_job job = { .forest = forest, .command = command };

	outcome->rc = control_grant(&job);
	outcome->lines = job.lines;
	strcpy(outcome->words, job.words);
}

static void run_tables(struct aedb *db, const char *snapshot,
		       struct outcome *outcome)
{
	int rc = control_tables(db, snapshot, &outcome->lines);

	if (rc < 0)
		outcome_fail(outcome, rc);
}

/* number: as the command stands in the records. */
static void command_run(struct control_file *file, uid_t uid, uint64_t number,
			const struct control_command *command,
			struct outcome *outcome)
{
	struct control *control = file->control;
	struct forest *forest = control->config.forest;
	struct aedb *db = control->config.db;

	switch (command->verb) {
	case VERB_HELP:
		outcome->text = control_command_help(
			files[file->which.kind].where);
		break;
	case VERB_BATCH_COMMIT:
	case VERB_BATCH_ABORT:
	case VERB_BATCH_CHECK:
		run_batch(file, uid, command, outcome);
		break;
	case VERB_SYNC:
		run_sync(db, outcome);
		break;
	case VERB_CHECKPOINT:
		run_checkpoint(db, outcome);
		break;
	case VERB_COMPACT:
		run_compact(db, outcome);
		break;
	case VERB_CHANGES:
		run_changes(db, command->number, outcome);
		break;
	case VERB_SNAPSHOT_CREATE:
		run_snapshot_create(forest, command->name, outcome);
		break;
	case VERB_SNAPSHOT_DELETE:
		run_snapshot_delete(forest, command->name, outcome);
		break;
	case VERB_BACKUP_FULL:
	case VERB_BACKUP_INCREMENTAL:
	case VERB_BACKUP_VERIFY:
	case VERB_ESTIMATE_FULL:
	case VERB_ESTIMATE_INCREMENTAL:
		run_backup(control, number, command, outcome);
		break;
	case VERB_GRANT:
	case VERB_REVOKE:
	case VERB_GRANTS:
		run_grant(forest, command, outcome);
		break;
	case VERB_TABLES:
		run_tables(db, command->name, outcome);
		break;
	case VERB_CANCEL:
		run_cancel(control, command->number, outcome);
		break;
	}
}

/* Adds to what can be read; what was taken of it is forgotten. */
static int answer_add(struct control_file *file, const char *text, size_t n)
{
	size_t left = file->text_bytes - file->taken;
	char *grown;

	memmove(file->text, file->text + file->taken, left);
	file->taken = 0;
	file->text_bytes = left;
	grown = realloc(file->text, left + n + 1);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + left, text, n);
	file->text = grown;
	file->text_bytes = left + n;
	return 0;
}

static void answer(struct control_file *file, struct outcome *outcome)
{
	char line[CONTROL_RECORD_BYTES + 1];
	size_t n = (size_t)snprintf(line, sizeof(line), "%s\n", outcome->words);

	pthread_mutex_lock(&file->lock);
	feed_lines_close(file->feed);
	file->feed = outcome->feed;
	/* no memory for an answer: the command was done all the same */
	if (outcome->text)
		answer_add(file, outcome->text, strlen(outcome->text));
	else if (outcome->lines && *outcome->lines)
		answer_add(file, outcome->lines, strlen(outcome->lines));
	else if (*outcome->words)
		answer_add(file, line, n);
	pthread_mutex_unlock(&file->lock);
	free(outcome->lines);
}

int control_write(struct control_file *file, uid_t uid,
		  const struct control_line *line, struct control_effects *ret)
{
	struct control *control = file->control;
	struct control_command command;
	char text[4 * CONTROL_LINE_BYTES_MAX + 3], reason[CONTROL_REASON_BYTES];
	char shown[sizeof(text) + sizeof(".batch/: ") + AEDB_NAME_BYTES_MAX];
	struct outcome outcome = { .rc = 0 };
	uint64_t number;

	if (!control_takes_commands(file->which.kind) ||
	    (file->which.kind == CONTROL_COMMANDS && !is_obeyed(control, uid)))
		return -EACCES;
	if (atomic_load(&control->is_ending))
		return -ENOTCONN;
	control_command_show(line->bytes, line->n, text, sizeof(text));
	snprintf(shown, sizeof(shown), "%s%s%s%s",
		 file->which.batch.name[0] ? ".batch/" : "",
		 file->which.batch.name,
		 file->which.batch.name[0] ? ": " : "", text);
	number = control_records_begin(control->records, shown, uid);
	outcome.rc = control_command_parse(line, files[file->which.kind].where,
					   &command, reason);
	if (outcome.rc < 0)
		snprintf(outcome.words, sizeof(outcome.words), "%s", reason);
	else
		command_run(file, uid, number, &command, &outcome);
	control_records_end(control->records, number, outcome.rc,
			    outcome.words);
	answer(file, &outcome);
	*ret = outcome.effects;
	return outcome.rc;
}

void control_note_failure(struct control *control, const char *what, uid_t uid,
			  int rc, const char *words)
{
	control_records_fail(control->records, what, uid, rc, words);
}

void control_end(struct control *control)
{
	atomic_store(&control->is_ending, true);
	aedb_compact_end(control->config.db);
}
