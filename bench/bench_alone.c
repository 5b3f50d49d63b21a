/*
 * What bench_engine has done in another process: it reads one line of ours and
 * kills us.
 *
 *	bench_alone commit STORE DIR DATASET N GENERATION
 *
 * opens the database in DIR, which holds the dataset, makes N commits and says
 * so, with nothing closed or synced.
 *
 *	bench_alone footprint DIR
 *
 * makes a database of libaedb's in DIR, an empty directory, and prints what it
 * says it uses and what it really uses: bench 8.
 */
#include "child.h"
#include "dataset.h"
#include "footprint.h"
#include "harness.h"
#include "pressure.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_MS 50
#define SETTLE_TRIES 100

static int answer(void)
{
	if (printf("\n") < 0 || fflush(stdout) != 0)
		return 1;
	for (;;)
		pause();
}

static const struct peer *find_peer(const char *name)
{
	for (unsigned i = 0; i < PEERS; i++)
		if (strcmp(peers[i].name, name) == 0)
			return &peers[i];
	return NULL;
}

static int commit(char **args)
{
	const struct peer *peer = find_peer(args[0]);
	const struct dataset *data = dataset_find(args[2]);
	struct peer_db *db;

	if (!peer || !data)
		return peer_fail("bench_alone", args[0], "not known");
	if (peer_attach(peer, PEER_OS, args[1], &data->load, &db) < 0)
		return -1;
	return dataset_put(data, db, 0, strtoull(args[3], NULL, 10),
			   (unsigned)atoi(args[4]));
}

/* Until what runs in the background has nothing more to do. */
static int settle(struct peer_db *db, struct peer_usage *ret)
{
	const struct timespec pause = { .tv_nsec = SETTLE_MS * 1000000l };
	double before = -1;

	for (unsigned i = 0; i < SETTLE_TRIES; i++) {
		if (db->peer->driver->usage(db, ret) < 0)
			return -1;
		if (ret->memory == before)
			return 0;
		before = ret->memory;
		nanosleep(&pause, NULL);
	}
	return peer_fail("bench_alone", "usage", "does not settle");
}

static int delete_all(struct peer_db *db, void *session)
{
	int rc = 0;

	for (unsigned i = 0; i < PRESSURE_ENTRIES && rc == 0; i++) {
		struct peer_op op = pressure_op(i);

		rc = db->peer->driver->delete(session, &op);
	}
	return rc;
}

/* Everything once, by those threads that do it later, so that what is made with
 * its first use and kept is there: malloc has something for each thread, too. */
static int warm_up(struct peer_db *db)
{
	const struct peer_driver *driver = db->peer->driver;
	struct peer_op op = pressure_op(0);
	void *session;
	size_t bytes;

	if (pressure_load(db, NULL) < 0 ||
	    driver->session_open(db, &session) < 0)
		return -1;
	if (driver->checkpoint(db) < 0 || driver->compact(db) < 0 ||
	    driver->get(session, &op, &bytes) < 0 ||
	    delete_all(db, session) < 0 || driver->compact(db) < 0)
		return -1;
	driver->session_close(session);
	return 0;
}

/* The empty database counts for what it says it takes, and the growth is held
 * against what really grew. */
static int footprint(char **args)
{
	struct peer_usage empty = PEER_USAGE_UNTOLD, full = PEER_USAGE_UNTOLD;
	uint64_t before, opened, after;
	struct peer_db *db;

	pressure_op(0);		/* values are made with the first of them */
	if (footprint_bytes(&before) < 0 ||
	    peer_attach(&peers[PEER_AEDB], PEER_OS, args[0], &pressure_setup,
			&db) < 0)
		return -1;
	if (warm_up(db) < 0 || settle(db, &empty) < 0 ||
	    footprint_bytes(&opened) < 0 ||
	    pressure_load(db, NULL) < 0 || settle(db, &full) < 0 ||
	    footprint_bytes(&after) < 0)
		return -1;
	printf("%.0f %.0f %.0f %.0f", full.memory,
	       empty.memory + ((double)after - (double)opened), full.outside,
	       (double)opened - (double)before);
	return 0;
}

int main(int argc, char **argv)
{
	int rc = -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	footprint_init();
	if (argc == 7 && strcmp(argv[1], "commit") == 0)
		rc = commit(argv + 2);
	else if (argc == 3 && strcmp(argv[1], "footprint") == 0)
		rc = footprint(argv + 2);
	else
		fprintf(stderr, "usage: bench_alone commit STORE DIR DATASET N "
			"GENERATION\n       bench_alone footprint DIR\n");
	return rc < 0 ? 1 : answer();
}
