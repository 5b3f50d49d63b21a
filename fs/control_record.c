/* Two rings of what happened. */
#include "control_record.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text.h"

#define UTF8_BYTES_MAX 4	/* of a character, as many as an escape has */

enum record_state {
	RECORD_NONE,
	RECORD_RUNNING,
	RECORD_DONE,
	RECORD_FAILED,
};

struct record {
	uint64_t number;
	enum record_state state;
	int64_t time_ns;		/* when it began */
	uid_t uid;
	int rc;
	bool is_canceled;
	char progress[CONTROL_PROGRESS_BYTES];	/* "": it says nothing of it */
	char what[CONTROL_RECORD_BYTES];
	char words[CONTROL_RECORD_BYTES];
};

struct ring {
	struct record at[CONTROL_RECORDS];
	uint64_t last;			/* number of the newest */
};

struct control_records {
	pthread_mutex_t lock;
	struct ring commands, failures;	/* guarded by lock */
};

struct control_records *control_records_new(void)
{
	struct control_records *records = calloc(1, sizeof(*records));

	if (records)
		pthread_mutex_init(&records->lock, NULL);
	return records;
}

void control_records_free(struct control_records *records)
{
	if (!records)
		return;
	pthread_mutex_destroy(&records->lock);
	free(records);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Bytes of the first character; 0: it is not UTF-8, or not whole. */
static size_t character_bytes(const char *words)
{
	size_t n = strnlen(words, UTF8_BYTES_MAX);

	for (size_t i = 1; i <= n; i++)
		if (text_utf8_span(words, i) == i)
			return i;
	return 0;
}

/* Lines stay lines, of UTF-8: other bytes are escaped as git does. */
static void words_copy(char ret[CONTROL_RECORD_BYTES], const char *words)
{
	const char *end = ret + CONTROL_RECORD_BYTES - UTF8_BYTES_MAX;

	while (*words && ret < end) {
		size_t n = character_bytes(words);

		if (n == 0) {
			ret += sprintf(ret, "\\%03o", (unsigned char)*words++);
			continue;
		}
		memcpy(ret, words, n);
		if ((unsigned char)*ret < ' ')
			*ret = ' ';
		ret += n;
		words += n;
	}
	*ret = '\0';
}

static struct record *ring_add(struct ring *ring, const char *what, uid_t uid)
{
	struct record *record = &ring->at[++ring->last % CONTROL_RECORDS];

	*record = (struct record){ .number = ring->last,
				   .time_ns = now_ns(),
				   .uid = uid };
	words_copy(record->what, what);
	return record;
}

uint64_t control_records_begin(struct control_records *records,
			       const char *text, uid_t uid)
{
	struct record *record;
	uint64_t number;

	pthread_mutex_lock(&records->lock);
	record = ring_add(&records->commands, text, uid);
	record->state = RECORD_RUNNING;
	number = record->number;
	pthread_mutex_unlock(&records->lock);
	return number;
}

void control_records_end(struct control_records *records, uint64_t number,
			 int rc, const char *words)
{
	struct record *record;

	pthread_mutex_lock(&records->lock);
	record = &records->commands.at[number % CONTROL_RECORDS];
	if (record->number == number) {
		record->state = rc < 0 ? RECORD_FAILED : RECORD_DONE;
		record->rc = rc;
		words_copy(record->words, words);
	}
	pthread_mutex_unlock(&records->lock);
}

/* The command, if it runs. Under the lock. */
static struct record *find_running(struct control_records *records,
				   uint64_t number)
{
	struct record *record = &records->commands.at[number % CONTROL_RECORDS];

	return record->number == number && record->state == RECORD_RUNNING ?
		       record : NULL;
}

bool control_records_report(struct control_records *records, uint64_t number,
			    const char *progress)
{
	struct record *record;
	bool goes_on = true;

	pthread_mutex_lock(&records->lock);
	record = find_running(records, number);
	if (record) {
		snprintf(record->progress, sizeof(record->progress), "%s",
			 progress);
		goes_on = !record->is_canceled;
	}
	pthread_mutex_unlock(&records->lock);
	return goes_on;
}

bool control_records_cancel(struct control_records *records, uint64_t number)
{
	struct record *record;
	bool can_be;

	pthread_mutex_lock(&records->lock);
	record = find_running(records, number);
	can_be = record && *record->progress;
	if (can_be)
		record->is_canceled = true;
	pthread_mutex_unlock(&records->lock);
	return can_be;
}

bool control_records_is_running(struct control_records *records,
				uint64_t number, const char *text)
{
	const struct record *record;
	bool is_running;

	pthread_mutex_lock(&records->lock);
	record = find_running(records, number);
	is_running = record && strcmp(record->what, text) == 0;
	pthread_mutex_unlock(&records->lock);
	return is_running;
}

void control_records_fail(struct control_records *records, const char *what,
			  uid_t uid, int rc, const char *words)
{
	struct record *record;

	pthread_mutex_lock(&records->lock);
	record = ring_add(&records->failures, what, uid);
	record->state = RECORD_FAILED;
	record->rc = rc;
	words_copy(record->words, words);
	pthread_mutex_unlock(&records->lock);
}

static void record_print(const struct record *record, const char *head,
			 const char *compacting, FILE *out)
{
	bool is_compact = strcmp(record->what, "compact") == 0;
	const char *progress = is_compact ? compacting : record->progress;
	char time[TEXT_TIME_BYTES];

	text_format_time(record->time_ns, time);
	fprintf(out, "%s %s uid %u: %s", head, time, record->uid, record->what);
	if (record->state == RECORD_RUNNING && *progress)
		fprintf(out, ": %s", progress);
	if (record->rc < 0)
		fprintf(out, ": %s", strerrorname_np(-record->rc));
	if (*record->words)
		fprintf(out, ": %s", record->words);
	fputc('\n', out);
}

static void ring_print(const struct ring *ring, const char *name,
		       const char *compacting, FILE *out)
{
	static const char *const states[] = {
		[RECORD_RUNNING] = "running",
		[RECORD_DONE] = "done",
		[RECORD_FAILED] = "failed",
	};

	for (uint64_t n = ring->last; n && ring->last - n < CONTROL_RECORDS; n--) {
		const struct record *record = &ring->at[n % CONTROL_RECORDS];
		char head[64];

		snprintf(head, sizeof(head), "%s %llu %s", name,
			 (unsigned long long)n, states[record->state]);
		record_print(record, head, compacting, out);
	}
}

void control_records_print(struct control_records *records,
			   const char *compacting, FILE *out)
{
	pthread_mutex_lock(&records->lock);
	ring_print(&records->commands, "command", compacting, out);
	ring_print(&records->failures, "failure", "", out);
	pthread_mutex_unlock(&records->lock);
}
