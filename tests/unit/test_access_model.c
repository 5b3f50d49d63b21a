/*
 * Grants, places and power cuts in any order, beside a list of grants that is
 * searched from end to end.
 */
#include "aedb_access.h"
#include "db_fixture.h"

#define CALLERS 3
#define PROJECTS 2
#define SCOPES 3
#define GRANTS_MAX 64
#define STEPS 160

static const char *const callers[CALLERS] = { "ann", "bob", "c" };
static const char *const projects[PROJECTS] = { "p", "q" };
static const char *const scopes[SCOPES] = { "r", "s", "t" };
static const char *const prefixes[] = { "", "a", "ab", "b/" };
static const char *const keys[] = { "", "a", "abc", "b", "b/x", "c" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct model_grant {
	int caller;
	enum aedb_right right;
	int object;		/* 0: the database */
	const char *prefix;
};

/* Objects have numbers that are never used again; 0: there is none. */
struct model {
	int made;
	int projects[PROJECTS];
	int scopes[PROJECTS][SCOPES];
	struct model_grant grants[GRANTS_MAX];
	int n;
};

struct world {
	struct fixture f;
	struct model now, before;	/* before: the operation in doubt */
	struct aedb_caller *system, *callers[CALLERS];
};

static bool has(const struct model *m, int caller, enum aedb_right right,
		int object, const char *key)
{
	for (int i = 0; i < m->n; i++) {
		const struct model_grant *g = &m->grants[i];

		if (g->caller == caller && g->right == right &&
		    g->object == object &&
		    strncmp(g->prefix, key, strlen(g->prefix)) == 0)
			return true;
	}
	return false;
}

static bool model_may(const struct model *m, int caller, enum aedb_right right,
		      int project, int scope, const char *key)
{
	return has(m, caller, AEDB_GLOBAL_ADMIN, 0, "") ||
	       has(m, caller, AEDB_OWNER, project, "") ||
	       has(m, caller, AEDB_PROJECT_ADMIN, project, "") ||
	       has(m, caller, AEDB_OWNER, scope, "") ||
	       has(m, caller, AEDB_SCOPE_ADMIN, scope, "") ||
	       has(m, caller, right, project, key) ||
	       has(m, caller, right, scope, key);
}

static bool model_sees(const struct model *m, int caller, int project, int scope)
{
	for (int i = 0; i < m->n; i++)
		if (m->grants[i].caller == caller &&
		    (m->grants[i].object == 0 ||
		     m->grants[i].object == project ||
		     m->grants[i].object == scope))
			return true;
	return false;
}

static void model_forget(struct model *m, int object)
{
	int kept = 0;

	for (int i = 0; i < m->n; i++)
		if (m->grants[i].object != object)
			m->grants[kept++] = m->grants[i];
	m->n = kept;
}

static int model_find(const struct model *m, const struct model_grant *g)
{
	for (int i = 0; i < m->n; i++)
		if (m->grants[i].caller == g->caller &&
		    m->grants[i].right == g->right &&
		    m->grants[i].object == g->object &&
		    strcmp(m->grants[i].prefix, g->prefix) == 0)
			return i;
	return -1;
}

/* Comparing. */

static bool scope_is_so(struct world *w, const struct model *m, int p, int s)
{
	struct aedb_place where = { projects[p], scopes[s] };
	struct aedb_scope *all, *scope;
	struct aedb_entry entry;
	int rc = aedb_scope_open(w->f.db, projects[p], scopes[s], &all);
	bool is_so = true;

	if ((rc == 0) != (m->scopes[p][s] != 0))
		is_so = false;
	if (rc < 0)
		return is_so;
	for (int c = 0; c < CALLERS && is_so; c++) {
		rc = aedb_place_stat_as(w->callers[c], NULL, where, &entry);
		is_so = (rc == 0) == model_sees(m, c, m->projects[p],
						m->scopes[p][s]);
		if (rc == 0)
			aedb_unpin(&entry);
		CHECK_OK(aedb_scope_as(w->callers[c], all, &scope));
		for (size_t k = 0; k < COUNT(keys) && is_so; k++) {
			size_t n = strlen(keys[k]);
			bool may = model_may(m, c, AEDB_KV_READ, m->projects[p],
					     m->scopes[p][s], keys[k]);

			rc = aedb_get(scope, NULL, keys[k], n, &entry);
			if (rc == 0)
				aedb_unpin(&entry);
			is_so = (rc != AEDB_ACCESS) == may;
			may = model_may(m, c, AEDB_KV_WRITE, m->projects[p],
					m->scopes[p][s], keys[k]);
			rc = aedb_scope_may(scope, AEDB_KV_WRITE, keys[k], n);
			is_so = is_so && (rc == 0) == may;
		}
		aedb_scope_close(scope);
	}
	aedb_scope_close(all);
	return is_so;
}

static int index_of(const char *const *names, int n, const char *name)
{
	int i = 0;

	while (i < n && strcmp(names[i], name) != 0)
		i++;
	return i;
}

static int object_of(const struct model *m, const struct aedb_place *place)
{
	int p;

	if (!place->project)
		return 0;
	p = index_of(projects, PROJECTS, place->project);
	return place->scope ?
		       m->scopes[p][index_of(scopes, SCOPES, place->scope)] :
		       m->projects[p];
}

/* What is listed are the model's grants, each once. */
static bool list_is(struct world *w, const struct model *m)
{
	struct aedb_granted *granted = calloc(1, sizeof(*granted));
	char prefix[8];
	int n = 0, rc;
	bool is_so = true;

	while ((rc = aedb_grants_next(w->system, granted)) == 0 && is_so) {
		const struct aedb_grant *grant = &granted->grant;
		struct model_grant g = {
			.right = grant->right,
			.object = object_of(m, &grant->place),
			.prefix = prefix,
		};

		memcpy(prefix, grant->prefix, grant->prefix_bytes);
		prefix[grant->prefix_bytes] = '\0';
		for (int c = 0; c < CALLERS; c++)
			if (strlen(callers[c]) == granted->caller_bytes &&
			    memcmp(callers[c], granted->caller,
				   granted->caller_bytes) == 0)
				g.caller = c;
		is_so = model_find(m, &g) >= 0;
		n++;
	}
	free(granted);
	return is_so && n == m->n;
}

static bool project_is_so(struct world *w, const struct model *m, int p)
{
	struct aedb_entry entry;
	int rc = aedb_place_stat(w->f.db, NULL, place(projects[p], NULL),
				 &entry);

	if (rc == 0)
		aedb_unpin(&entry);
	return (rc == 0) == (m->projects[p] != 0);
}

static bool world_is(struct world *w, const struct model *m)
{
	for (int p = 0; p < PROJECTS; p++) {
		if (!project_is_so(w, m, p))
			return false;
		for (int s = 0; s < SCOPES; s++)
			if (!scope_is_so(w, m, p, s))
				return false;
	}
	return list_is(w, m);
}

/* Life. */

static void people_open(struct world *w)
{
	CHECK_OK(aedb_caller_open_system(w->f.db, NULL, 0, &w->system));
	for (int c = 0; c < CALLERS; c++)
		CHECK_OK(aedb_caller_open(w->f.db, callers[c],
					  strlen(callers[c]), &w->callers[c]));
}

static void people_close(struct world *w)
{
	aedb_caller_close(w->system);
	for (int c = 0; c < CALLERS; c++)
		aedb_caller_close(w->callers[c]);
}

static void power_cut(struct world *w)
{
	people_close(w);
	(void)aedb_close(w->f.db);
	simdisk_crash(w->f.disk, check_random(), SIMDISK_RANDOM);
	CHECK_OK(fixture_try(&w->f));
	people_open(w);
	if (!world_is(w, &w->now)) {
		CHECK_THAT(world_is(w, &w->before),
			   "what is granted is neither as before the power cut "
			   "nor as the operation in doubt left it");
		w->now = w->before;
	}
}

/* Steps. Each changes the model, and gives what the database is to say. */

static int place_pick(const struct model *m, struct aedb_place *ret)
{
	int p = (int)(check_random() % PROJECTS);
	int s = (int)(check_random() % (SCOPES + 1));

	*ret = (struct aedb_place){ projects[p], s < SCOPES ? scopes[s] : NULL };
	return s < SCOPES ? m->scopes[p][s] : m->projects[p];
}

static bool right_is_for(enum aedb_right right, const struct aedb_place *place)
{
	switch (right) {
	case AEDB_GLOBAL_ADMIN:
		return !place->project;
	case AEDB_PROJECT_ADMIN:
		return place->project && !place->scope;
	case AEDB_SCOPE_ADMIN:
		return place->scope;
	default:
		return place->project;
	}
}

static int grant_step(struct world *w, bool is_revoke)
{
	static const enum aedb_right rights[] = {
		AEDB_GLOBAL_ADMIN, AEDB_PROJECT_ADMIN, AEDB_SCOPE_ADMIN,
		AEDB_KV_READ, AEDB_KV_WRITE, AEDB_KV_READ, AEDB_KV_WRITE,
	};
	struct model *m = &w->now;
	struct aedb_grant grant = {
		.right = rights[check_random() % COUNT(rights)] };
	struct model_grant g = { .right = grant.right, .prefix = "" };
	int at, rc;

	g.object = place_pick(m, &grant.place);
	if (grant.right == AEDB_GLOBAL_ADMIN) {
		grant.place = place(NULL, NULL);
		g.object = 0;
	}
	if (grant.right >= AEDB_KV_READ)
		g.prefix = prefixes[check_random() % COUNT(prefixes)];
	g.caller = (int)(check_random() % CALLERS);
	if (is_revoke && m->n && check_random() % 4) {
		g = m->grants[check_random() % (uint64_t)m->n];
		if (g.right != grant.right || g.object == 0)
			return 0;
	}
	if (!right_is_for(grant.right, &grant.place) ||
	    (!g.object && grant.place.project) || m->n == GRANTS_MAX)
		return 0;
	grant.prefix = g.prefix;
	grant.prefix_bytes = strlen(g.prefix);
	/* the place may be another one than that of the grant picked */
	for (int p = 0; p < PROJECTS; p++)
		for (int s = 0; s <= SCOPES; s++)
			if (g.object && g.object == (s < SCOPES ?
						     m->scopes[p][s] :
						     m->projects[p]))
				grant.place = place(projects[p], s < SCOPES ?
						    scopes[s] : NULL);
	at = model_find(m, &g);
	if (!is_revoke) {
		if (at < 0)
			m->grants[m->n++] = g;
		return aedb_grant(w->system, &grant, callers[g.caller],
				  strlen(callers[g.caller]));
	}
	if (at >= 0)
		m->grants[at] = m->grants[--m->n];
	rc = aedb_revoke(w->system, &grant, callers[g.caller],
			 strlen(callers[g.caller]));
	if (at < 0) {
		CHECK_EQ(rc, AEDB_NOT_FOUND);
		rc = 0;
	}
	return rc;
}

static int own_step(struct world *w)
{
	struct model *m = &w->now;
	struct model_grant g = { .right = AEDB_OWNER, .prefix = "" };
	struct aedb_place where;
	int kept = 0;

	g.object = place_pick(m, &where);
	g.caller = (int)(check_random() % CALLERS);
	if (!g.object || m->n == GRANTS_MAX)
		return 0;
	for (int i = 0; i < m->n; i++)
		if (m->grants[i].object != g.object ||
		    m->grants[i].right != AEDB_OWNER)
			m->grants[kept++] = m->grants[i];
	m->n = kept;
	m->grants[m->n++] = g;
	return aedb_transfer_ownership(w->system, where, callers[g.caller],
				       strlen(callers[g.caller]));
}

static int make_step(struct world *w)
{
	struct model *m = &w->now;
	int p = (int)(check_random() % PROJECTS);
	int s = (int)(check_random() % SCOPES);

	if (!m->projects[p]) {
		m->projects[p] = ++m->made;
		return aedb_create(w->f.db, place(projects[p], NULL));
	}
	if (m->scopes[p][s])
		return 0;
	m->scopes[p][s] = ++m->made;
	return aedb_create(w->f.db, place(projects[p], scopes[s]));
}

static int drop_step(struct world *w)
{
	struct model *m = &w->now;
	int p = (int)(check_random() % PROJECTS);
	int s = (int)(check_random() % SCOPES), held = 0;

	for (int i = 0; i < SCOPES; i++)
		held += m->scopes[p][i] != 0;
	if (m->projects[p] && !held) {
		model_forget(m, m->projects[p]);
		m->projects[p] = 0;
		return aedb_drop(w->f.db, place(projects[p], NULL),
				 AEDB_DROP_ALL);
	}
	if (!m->scopes[p][s])
		return 0;
	model_forget(m, m->scopes[p][s]);
	m->scopes[p][s] = 0;
	return aedb_drop(w->f.db, place(projects[p], scopes[s]), AEDB_DROP_ALL);
}

static int move_step(struct world *w)
{
	struct model *m = &w->now;
	int p = (int)(check_random() % PROJECTS);
	int s = (int)(check_random() % SCOPES);
	int p2 = (int)(check_random() % PROJECTS);
	int s2 = (int)(check_random() % SCOPES);

	if (!m->scopes[p][s] || !m->projects[p2] || m->scopes[p2][s2])
		return 0;
	m->scopes[p2][s2] = m->scopes[p][s];
	m->scopes[p][s] = 0;
	return aedb_rename(w->f.db, place(projects[p], scopes[s]),
			   place(projects[p2], scopes[s2]));
}

static void reopen(struct world *w)
{
	people_close(w);
	CHECK_OK(aedb_close(w->f.db));
	CHECK_OK(fixture_try(&w->f));
	people_open(w);
}

static int step(struct world *w)
{
	switch (check_random() % 16) {
	case 0: case 1: case 2: case 3: case 4:
		return grant_step(w, false);
	case 5: case 6: case 7:
		return grant_step(w, true);
	case 8:
		return own_step(w);
	case 9: case 10: case 11:
		return make_step(w);
	case 12:
		return drop_step(w);
	case 13:
		return move_step(w);
	case 14:
		return aedb_checkpoint(w->f.db, NULL);
	default:
		return check_random() % 4 ? 0 : aedb_compact(w->f.db);
	}
}

static void world_open(struct world *w)
{
	*w = (struct world){ .now = { .made = 0 } };
	fixture_init(&w->f);
	w->f.options.maintenance = AEDB_ON_CALL;
	w->f.options.inline_bytes_max = check_random() % 2 ? 0 : 1024;
	CHECK_OK(fixture_try(&w->f));
	people_open(w);
}

static void world_close(struct world *w)
{
	people_close(w);
	CHECK_OK(aedb_close(w->f.db));
	simdisk_free(w->f.disk);
}

TEST(model, "what callers may is what a list of grants says, through every change and reopening")
{
	struct world w;

	for (unsigned round = 0; round < check_times(8); round++) {
		world_open(&w);
		for (int i = 0; i < STEPS; i++) {
			CHECK_OK(step(&w));
			if (check_random() % 20 == 0)
				reopen(&w);
			CHECK(world_is(&w, &w.now));
		}
		world_close(&w);
	}
}

TEST(cuts, "after a power cut everything that was granted or revoked is so, and nothing else")
{
	struct world w;

	for (unsigned round = 0; round < check_times(8); round++) {
		world_open(&w);
		for (int i = 0; i < STEPS; i++) {
			int rc;

			if (check_random() % 12 == 0)
				simdisk_cut_at(w.f.disk,
					       simdisk_calls(w.f.disk) + 1 +
						       check_random() % 12);
			w.before = w.now;
			rc = step(&w);
			if (rc < 0)
				CHECK(simdisk_is_cut(w.f.disk));
			if (simdisk_is_cut(w.f.disk))
				power_cut(&w);
		}
		if (!simdisk_is_cut(w.f.disk))
			CHECK(world_is(&w, &w.now));
		power_cut(&w);
		world_close(&w);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
