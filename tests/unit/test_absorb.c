/*
 * Commits of batches, seen in the live tree: a tree that has lived through any of
 * them shows what a tree opened afterwards does, to those too who had files open
 * or remember what they were answered.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/queue.h>

#include "absorb.h"
#include "file.h"
#include "find.h"
#include "forest_batches.h"
#include "fs_fixture.h"
#include "random_key.h"

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}

/* What the kernel was answered, before the commit. */
struct known {
	struct node *parent, *node;	/* counted by lookups */
	struct known *above;		/* the parent's; NULL: the root's */
	char name[256];
	struct tree_entry entry;
	bool is_valid;			/* the name still means that */
};

#define KNOWN_MAX 4000
#define HANDLES_MAX 10
#define TEXT_MAX 200

struct opened {
	struct handle *handle;		/* NULL: a free place */
	pid_t tid;
	bool is_reader, is_staged;
	char text[TEXT_MAX];		/* a reader's version; what was staged */
	size_t offset;
};

struct world {
	struct fs fs;
	pid_t writer, nobody;		/* processes */
	struct batch *batch;
	uint64_t batches;		/* nodeid of `.batch`, looked up once */
	struct opened handles[HANDLES_MAX];
	struct known known[KNOWN_MAX];
	size_t n_known;
	bool has_twins;
};

/* A tree with the caller of most calls. */
struct side {
	struct tree *tree;
	struct tree_caller caller;
};

/* Paths. */

static const char *const names[] = { "a", "b", "c", "d", "%" };

static const char *name_any(void)
{
	return names[below(below(4) ? 4 : 5)];
}

static struct node *enter(struct side *s, struct node *dir, const char *name)
{
	struct tree_entry entry;
	int rc = tree_lookup(s->tree, &s->caller, dir, name, &entry);

	tree_forget(s->tree, dir, 1);
	if (rc < 0)
		return NULL;
	if (node_is_directory(entry.node))
		return entry.node;
	tree_forget(s->tree, entry.node, 1);
	return NULL;
}

/* Some directory, counted: of so many levels at least. NULL: there is none. */
static struct node *dir_any(struct side *s, size_t levels_min)
{
	struct node *dir = node_ref(tree_root(s->tree));
	size_t levels = levels_min + below(5 - levels_min);

	for (size_t i = 0; dir && i < levels; i++)
		dir = enter(s, dir, i < 2 ? names[below(2)] : name_any());
	return dir;
}

/* Operations. */

static void put(struct side *s, struct node *dir, const char *name)
{
	struct tree_new new = { dir, name, S_IFREG | 0644 };
	struct tree_write write = { .offset = 0 };
	struct handle *handle;
	struct tree_entry entry;
	char text[TEXT_MAX];
	int rc = tree_create(s->tree, &s->caller, &new,
			     O_CREAT | O_TRUNC | O_WRONLY, &handle, &entry);

	if (rc < 0)
		return;
	write.buf = text;
	write.n = (size_t)snprintf(text, sizeof(text), "%*d",
				   (int)below(TEXT_MAX - 20) + 1,
				   (int)below(1000));
	CHECK_OK(tree_write(s->tree, &s->caller, handle, &write));
	CHECK_OK(tree_flush(s->tree, &s->caller, handle));
	CHECK_OK(tree_release(s->tree, handle));
	tree_forget(s->tree, entry.node, 1);
}

static void set_mode(struct side *s, struct node *dir, const char *name)
{
	struct tree_set set = { .fields = TREE_SET_MODE,
				.mode = (mode_t)(0600 + below(64)) };
	struct tree_entry entry, after;

	if (tree_lookup(s->tree, &s->caller, dir, name, &entry) < 0)
		return;
	(void)tree_setattr(s->tree, &s->caller, entry.node, NULL, &set, &after);
	tree_forget(s->tree, entry.node, 1);
}

/* rm -r, without what is open elsewhere. */
static void remove_all(struct side *s, struct node *dir, const char *name,
		       int depth)
{
	struct tree_entry entry;

	if (tree_unlink(s->tree, &s->caller, dir, name) != -EISDIR ||
	    tree_lookup(s->tree, &s->caller, dir, name, &entry) < 0)
		return;
	for (size_t i = 0; depth < 5 && i < 5; i++)
		remove_all(s, entry.node, names[i], depth + 1);
	tree_forget(s->tree, entry.node, 1);
	(void)tree_rmdir(s->tree, &s->caller, dir, name);
}

static void rename_any(struct side *s, struct node *dir, const char *name)
{
	struct tree_rename rename = { .parent = dir, .name = name,
				      .new_name = name_any() };

	rename.new_parent = below(2) ? node_ref(dir) : dir_any(s, below(3));
	rename.flags = (unsigned)below(3);
	if (!rename.new_parent)
		return;
	(void)tree_rename(s->tree, &s->caller, &rename);
	tree_forget(s->tree, rename.new_parent, 1);
}

/* Another directory in its place, with what was in it; that is "e" now. */
static void rebuild(struct side *s, struct node *dir, const char *name)
{
	struct tree_rename aside = { .parent = dir, .name = name,
				     .new_parent = dir, .new_name = "e",
				     .flags = 1 };
	struct tree_new new = { dir, name, S_IFDIR | 0700 };
	struct tree_entry from, to;

	if (tree_rename(s->tree, &s->caller, &aside) < 0 ||
	    tree_mkdir(s->tree, &s->caller, &new, &to) < 0)
		return;
	CHECK_OK(tree_lookup(s->tree, &s->caller, dir, "e", &from));
	for (size_t i = 0; i < 5; i++) {
		struct tree_rename back = { from.node, names[i], to.node,
					    names[i], 0 };

		(void)tree_rename(s->tree, &s->caller, &back);
	}
	tree_forget(s->tree, from.node, 1);
	tree_forget(s->tree, to.node, 1);
}

static void change_any(struct side *s)
{
	struct node *dir = dir_any(s, below(3));
	const char *name = name_any();
	struct tree_new new = { dir, name, S_IFDIR | 0755 };
	struct tree_entry entry;
	int rc = -1;

	if (!dir)
		return;
	switch (below(10)) {
	case 0:
		rc = tree_mkdir(s->tree, &s->caller, &new, &entry);
		break;
	case 1:
		rc = tree_symlink(s->tree, &s->caller, &new, "target", &entry);
		break;
	case 2:
		remove_all(s, dir, name, 0);
		break;
	case 3:
	case 4:
		rename_any(s, dir, name);
		break;
	case 5:
		set_mode(s, dir, name);
		break;
	case 6:
		rebuild(s, dir, name);
		if (below(2))
			(void)tree_rmdir(s->tree, &s->caller, dir, "e");
		break;
	default:
		put(s, dir, name);
	}
	if (rc == 0)
		tree_forget(s->tree, entry.node, 1);
	tree_forget(s->tree, dir, 1);
}

/* A project and a scope in it, where they are not there yet. */
static void make_place(struct side *s, const char *project, const char *scope)
{
	struct tree_new new = { tree_root(s->tree), project, S_IFDIR | 0755 };
	struct tree_entry entry;
	int rc = tree_mkdir(s->tree, &s->caller, &new, &entry);

	if (rc == 0)
		tree_forget(s->tree, entry.node, 1);
	new.parent = enter(s, node_ref(tree_root(s->tree)), project);
	new.name = scope;
	if (!new.parent)
		return;
	if (tree_mkdir(s->tree, &s->caller, &new, &entry) == 0)
		tree_forget(s->tree, entry.node, 1);
	tree_forget(s->tree, new.parent, 1);
}

/* As programs of the library do, who know nothing of directories. */
static void change_beneath(struct world *w)
{
	static const char *const keys[] = { "a", "a/b", "a/b/c", "b", "b/a",
					    "c/d", "b/%", "d" };
	const char *key = keys[below(8)];
	struct aedb_batch *batch = w->batch->engine;
	struct aedb_scope *scope;
	struct aedb_txn *txn;
	struct aedb_put put = { .key = key, .key_bytes = strlen(key),
				.value = key, .value_bytes = strlen(key) };
	int rc;

	if (aedb_scope_open_at(w->fs.db, aedb_batch_view(batch), names[below(2)],
			       names[below(2)], &scope) < 0)
		return;
	CHECK_OK(aedb_txn_begin_in(batch, &txn));
	switch (below(3)) {
	case 0:
		rc = aedb_txn_delete(txn, scope, key, strlen(key));
		break;
	case 1:
		rc = aedb_txn_delete(txn, aedb_scope_dirs(scope), key,
				     strlen(key));
		break;
	default:
		rc = aedb_txn_put(txn, scope, &put);
	}
	CHECK_OK(rc);
	if (aedb_txn_commit(txn, NULL) < 0)
		aedb_txn_abort(txn);
	aedb_scope_close(scope);
}

/* Handles of the live tree. */

static size_t handle_text(struct world *w, struct opened *o, char *text)
{
	struct tree_caller caller = { o->tid, 0, 0 };
	struct tree_read read = { text, TEXT_MAX * 2, 0 };
	struct pin *pin;
	size_t n = 0;

	CHECK_OK(tree_read(w->fs.tree, &caller, o->handle, &read, &n, &pin));
	CHECK(!pin);
	text[n] = '\0';
	return n;
}

static void stage(struct world *w, struct opened *o)
{
	struct tree_caller caller = { o->tid, 0, 0 };
	struct tree_write write = { o->text, 0, 0, false };

	o->offset = below(20);
	write.n = (size_t)snprintf(o->text, sizeof(o->text), "<%d>",
				   (int)below(1000));
	write.offset = o->offset;
	CHECK_OK(tree_write(w->fs.tree, &caller, o->handle, &write));
	o->is_staged = true;
}

/* Only one writer has staged something in a file, so that it is known what. */
static bool is_open(const struct world *w, const struct node *node)
{
	for (size_t i = 0; i < HANDLES_MAX; i++)
		if (w->handles[i].handle &&
		    w->handles[i].handle->node == node)
			return true;
	return false;
}

static void open_any(struct world *w)
{
	struct opened *o = &w->handles[below(HANDLES_MAX)];
	static const int flags[] = { O_RDONLY, O_RDWR, O_WRONLY | O_TRUNC,
				     O_CREAT | O_RDWR, O_CREAT | O_WRONLY };
	struct side s = { w->fs.tree, { w->writer, 0, 0 } };
	struct node *dir = o->handle ? NULL : dir_any(&s, 2);
	struct tree_new new = { dir, name_any(), S_IFREG | 0644 };
	int flag = flags[below(5)];
	struct tree_entry entry;
	char text[TEXT_MAX * 2 + 1];
	int rc;

	if (!dir)
		return;
	*o = (struct opened){ .tid = flag == O_RDONLY ? 0 : w->writer };
	rc = tree_lookup(s.tree, &s.caller, dir, new.name, &entry);
	if (rc == 0 && (entry.node->kind != NODE_FILE || flag & O_CREAT ||
			is_open(w, entry.node))) {
		tree_forget(s.tree, entry.node, 1);
		rc = -EEXIST;
	}
	s.caller.tid = o->tid;
	if (rc == 0)
		rc = tree_open_file(s.tree, &s.caller, entry.node, flag,
				    &o->handle);
	else if (rc == -ENOENT && flag & O_CREAT)
		rc = tree_create(s.tree, &s.caller, &new, flag, &o->handle,
				 &entry);
	tree_forget(s.tree, dir, 1);
	if (rc < 0) {
		o->handle = NULL;
		return;
	}
	tree_forget(s.tree, entry.node, 1);
	o->is_reader = flag == O_RDONLY;
	if (o->is_reader)
		strcpy(o->text, handle_text(w, o, text) < TEXT_MAX ? text : "");
	else if (flag != (O_WRONLY | O_TRUNC) && below(2))
		stage(w, o);
}

static void close_handle(struct world *w, struct opened *o)
{
	struct tree_caller caller = { o->tid, 0, 0 };

	if (!o->handle)
		return;
	CHECK_OK(tree_flush(w->fs.tree, &caller, o->handle));
	CHECK_OK(tree_release(w->fs.tree, o->handle));
	o->handle = NULL;
}

/* What the kernel knows. */

static void remember(struct world *w, struct node *dir, struct known *above)
{
	struct side s = { w->fs.tree, { w->nobody, 0, 0 } };
	struct tree_dirent entry;
	struct tree_dir *list;
	size_t first = w->n_known, end;

	CHECK_OK(tree_opendir(s.tree, dir, &list));
	CHECK_OK(tree_dir_seek(s.tree, list, TREE_ENTRIES, 0));
	while (tree_dir_peek(s.tree, list, &entry) == 0) {
		struct known *k = &w->known[w->n_known];

		CHECK(w->n_known < KNOWN_MAX);
		if (!entry.is_dot && tree_dir_lookup(s.tree, &s.caller, list,
						     &k->entry) == 0) {
			k->node = k->entry.node;
			k->parent = dir;
			k->above = above;
			k->is_valid = k->entry.is_name_lasting;
			strcpy(k->name, entry.name);
			w->n_known++;
		}
		CHECK_OK(tree_dir_take(list));
	}
	tree_dir_pause(list);
	tree_releasedir(s.tree, list);
	end = w->n_known;
	for (size_t i = first; i < end; i++)
		if (node_is_directory(w->known[i].node) && below(8))
			remember(w, w->known[i].node, &w->known[i]);
}

static void forget_known(struct world *w)
{
	for (size_t i = 0; i < w->n_known; i++)
		tree_forget(w->fs.tree, w->known[i].node, 1);
	w->n_known = 0;
}

/* An implicit directory that is renamed keeps its number, and another one under
 * its old name gets it too. Nothing can tell which of two that move is which. */
static bool known_has_twins(const struct world *w)
{
	for (size_t i = 0; i < w->n_known; i++)
		for (size_t j = 0; j < i; j++)
			if (w->known[i].entry.stat.st_ino ==
			    w->known[j].entry.stat.st_ino)
				return true;
	return false;
}

static bool is_told(const struct world *w, const struct news *news,
		    const struct known *k)
{
	uint64_t parent = tree_nodeid(w->fs.tree, k->parent);

	for (size_t i = 0; i < news->n_names; i++)
		if (news->names[i].parent == parent &&
		    strcmp(news->names[i].name, k->name) == 0)
			return true;
	return false;
}

/* Comparing. */

static void check_same(const struct known *k, const struct tree_entry *old,
		       const struct tree_entry *want)
{
	const struct stat *a = &old->stat, *b = &want->stat;
	const char *name = k ? k->name : "";
	bool is_touched = node_is_directory(old->node) &&
			  node_directory(old->node)->touched_ns;

	CHECK_THAT(a->st_ino == b->st_ino && a->st_mode == b->st_mode &&
		   a->st_nlink == b->st_nlink && a->st_size == b->st_size,
		   "%s: ino %lx, want %lx; mode %o, want %o; size %ld, want %ld",
		   name, a->st_ino, b->st_ino, a->st_mode, b->st_mode,
		   a->st_size, b->st_size);
	CHECK_THAT(is_touched || (a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
				  a->st_ctim.tv_nsec == b->st_ctim.tv_nsec),
		   "%s: times differ", name);
}

/* The object of an id in a fresh tree; found through all of it. */
struct object_at {
	uint64_t ino;
	struct tree_entry entry;
};

struct fresh {
	struct tree *tree;
	struct object_at at[KNOWN_MAX];
	size_t n;
};

static const struct object_at *fresh_find(const struct fresh *fresh,
					  uint64_t ino)
{
	for (size_t i = 0; i < fresh->n; i++)
		if (fresh->at[i].ino == ino)
			return &fresh->at[i];
	return NULL;
}

static struct fresh fresh;

static bool fresh_has_twins(void)
{
	for (size_t i = 0; i < fresh.n; i++)
		if (fresh_find(&fresh, fresh.at[i].ino) != &fresh.at[i])
			return true;
	return false;
}

static size_t skip_pending(struct side *s, struct tree_dir *list,
			   struct tree_dirent *ret)
{
	struct tree_entry entry;
	bool is_pending;

	while (tree_dir_peek(s->tree, list, ret) == 0) {
		if (ret->is_dot) {
			CHECK_OK(tree_dir_take(list));
			continue;
		}
		CHECK_OK(tree_dir_lookup(s->tree, &s->caller, list, &entry));
		is_pending = node_is_pending(entry.node);
		tree_forget(s->tree, entry.node, 1);
		if (!is_pending)
			return 1;
		CHECK_OK(tree_dir_take(list));
	}
	return 0;
}

static void compare_dirs(struct side *live, struct node *dir,
			 struct side *other, struct node *other_dir)
{
	struct tree_dir *a, *b;
	struct tree_dirent x, y;
	struct tree_entry mine, theirs;
	size_t left;

	CHECK_OK(tree_opendir(live->tree, dir, &a));
	CHECK_OK(tree_opendir(other->tree, other_dir, &b));
	CHECK_OK(tree_dir_seek(live->tree, a, TREE_ENTRIES, 0));
	CHECK_OK(tree_dir_seek(other->tree, b, TREE_ENTRIES, 0));
	while ((left = skip_pending(live, a, &x))) {
		CHECK_THAT(skip_pending(other, b, &y), "%s: not there", x.name);
		CHECK_STR(x.name, y.name);
		CHECK_OK(tree_lookup(live->tree, &live->caller, dir, x.name,
				     &mine));
		CHECK_OK(tree_lookup(other->tree, &other->caller, other_dir,
				     y.name, &theirs));
		check_same(NULL, &mine, &theirs);
		CHECK(fresh.n < KNOWN_MAX);
		fresh.at[fresh.n++] = (struct object_at){ theirs.stat.st_ino,
							  theirs };
		if (node_is_directory(mine.node))
			compare_dirs(live, mine.node, other, theirs.node);
		tree_forget(live->tree, mine.node, 1);
		CHECK_OK(tree_dir_take(a));
		CHECK_OK(tree_dir_take(b));
	}
	CHECK_EQ(skip_pending(other, b, &y), 0);
	tree_dir_pause(a);
	tree_dir_pause(b);
	tree_releasedir(live->tree, a);
	tree_releasedir(other->tree, b);
}

static void fresh_open(struct world *w)
{
	struct tree_config config = { .defaults = { 1000, 1000, 022 } };
	struct side live = { w->fs.tree, { w->nobody, 0, 0 } }, other = live;

	CHECK_OK(tree_open(w->fs.db, &config, &fresh.tree));
	fresh.n = 0;
	other.tree = fresh.tree;
	compare_dirs(&live, tree_root(live.tree), &other,
		     tree_root(other.tree));
}

static void fresh_close(void)
{
	for (size_t i = 0; i < fresh.n; i++)
		tree_forget(fresh.tree, fresh.at[i].entry.node, 1);
	tree_close(fresh.tree);
}

/* A node stands for its object wherever that is, or for nothing. */
static void check_node(struct world *w, struct node *node, uint64_t ino)
{
	struct tree_caller nobody = { w->nobody, 0, 0 };
	const struct object_at *at = fresh_find(&fresh, ino);
	struct tree_entry entry;
	int rc = tree_getattr(w->fs.tree, &nobody, node, NULL, &entry);

	if (!at) {
		CHECK_THAT(rc == -ENOENT || (rc == 0 && (!entry.stat.st_nlink ||
			   node_is_pending(node))),
			   "%s is gone: %d", node_name(node), rc);
		return;
	}
	CHECK_OK(rc);
	if (entry.stat.st_nlink)
		CHECK_STR(node_name(node), node_name(at->entry.node));
}

static void check_known(struct world *w, const struct news *news)
{
	for (size_t i = 0; i < w->n_known; i++) {
		struct known *k = &w->known[i];
		const struct object_at *at;
		bool is_stale = false;

		check_node(w, k->node, k->entry.stat.st_ino);
		for (size_t n = 0; n < news->n_attributes; n++)
			is_stale |= news->attributes[n] == k->entry.nodeid;
		at = fresh_find(&fresh, k->entry.stat.st_ino);
		if (!is_stale && k->entry.is_stat_lasting) {
			CHECK_THAT(at || node_is_special(k->node) ||
				   node_is_pending(k->node) ||
				   !k->is_valid || is_told(w, news, k) ||
				   (k->above && !k->above->is_valid),
				   "%s: gone untold", k->name);
			if (at)
				check_same(k, &k->entry, &at->entry);
		}
		if (is_told(w, news, k) || (k->above && !k->above->is_valid))
			k->is_valid = false;
		if (!k->is_valid)
			continue;
		CHECK_THAT(at && k->node->parent == k->parent,
			   "%s in %s: the name is believed: ino %lx kind %d, %s",
			   k->name, k->above ? k->above->name : "",
			   k->entry.stat.st_ino, (int)k->node->kind,
			   at ? "elsewhere" : "gone");
		CHECK_STR(node_name(k->node), k->name);
	}
}

static void check_handles(struct world *w)
{
	char text[TEXT_MAX * 2 + 1];

	for (size_t i = 0; i < HANDLES_MAX; i++) {
		struct opened *o = &w->handles[i];

		if (!o->handle)
			continue;
		if (o->is_reader) {
			handle_text(w, o, text);
			CHECK_STR(text, o->text);
		} else if (o->is_staged) {
			CHECK(handle_text(w, o, text) >=
			      o->offset + strlen(o->text));
			CHECK_MEM(text + o->offset, o->text, strlen(o->text));
		}
	}
}

/* The rounds. */

static unsigned committed, met;

static void begin_batch(struct world *w)
{
	struct tree_entry entry;

	CHECK_OK(forest_batch_begin(w->fs.forest, &w->fs.me,
				    &(struct forest_batch){ w->batches, "B" },
				    &entry));
	w->batch = forest_batch_find(w->fs.forest, "B");
	forest_forget(w->fs.forest, entry.nodeid, 1);
}

/* Whether others have what the batch made. */
static bool has_met(struct world *w)
{
	struct aedb_batch *batch = w->batch->engine;
	struct aedb_batch_diff *diff;
	struct aedb_change change;
	bool has = false;
	uint64_t id;

	CHECK_OK(aedb_batch_diff_open(batch, &diff));
	while (!has && aedb_batch_diff_next(diff, &change) == 0)
		has = change.of == AEDB_OF_PLACE && !change.base_id &&
		      aedb_batch_twin(batch, change.id, &id) == 0;
	aedb_batch_diff_close(diff);
	return has;
}

static void end_batch(struct world *w, struct batch_news *news)
{
	bool meets = has_met(w);
	aedb_seq_t seq;
	int rc = forest_batch_commit(w->fs.forest, w->batch, &seq, news);

	if (rc == 0) {
		committed++;
		met += meets;
		return;
	}
	CHECK_EQ(rc, AEDB_CONFLICT);
	forest_batch_end(w->fs.forest, w->batch, news);
	forest_batch_drop(w->batch);
}

/* Who comes by a name that is believed still is sent to ask again. */
static void check_untold(struct world *w, const struct news *news)
{
	struct tree_caller nobody = { w->nobody, 0, 0 };
	struct tree_entry entry;
	struct handle *handle;
	struct tree_dir *dir;

	for (size_t i = 0; i < news->n_untold; i++) {
		struct node *node = news->untold[i];

		if (!node_is_directory(node)) {
			CHECK_EQ(tree_open_file(w->fs.tree, &nobody, node,
						O_RDONLY, &handle), -ESTALE);
			continue;
		}
		CHECK_EQ(tree_opendir(w->fs.tree, node, &dir), -ESTALE);
		CHECK_EQ(tree_lookup(w->fs.tree, &nobody, node, "new", &entry),
			 -ESTALE);
	}
}

static void commit_and_check(struct world *w)
{
	struct batch_news news = { .before = { .attributes = NULL } };

	end_batch(w, &news);
	check_untold(w, &news.before);
	fresh_open(w);
	w->has_twins = fresh_has_twins();
	if (!w->has_twins)
		check_known(w, &news.before);
	check_handles(w);
	fresh_close();
	news_told(w->fs.tree, &news.before);
	batch_news_release(&news);
}

static void round_run(struct world *w)
{
	struct side live = { w->fs.tree, { w->writer, 0, 0 } }, batch = live;
	const char *project = names[below(2)], *scope = names[below(2)];
	bool meets = below(3) == 0;
	size_t n = 1 + below(12);

	for (size_t i = below(20); i > 0; i--)
		change_any(&live);
	/* These may have rewritten it. */
	for (size_t i = 0; i < HANDLES_MAX; i++)
		w->handles[i].is_staged = false;
	for (size_t i = below(4); i > 0; i--)
		open_any(w);
	if (meets)
		remove_all(&live, tree_root(live.tree), project, 0);
	begin_batch(w);
	batch.tree = w->batch->tree;
	if (meets) {
		make_place(&batch, project, scope);
		make_place(&live, project, scope);
	}
	for (size_t i = 0; i < n; i++)
		change_any(&batch);
	for (size_t i = below(2) ? below(4) : 0; i > 0; i--)
		change_beneath(w);
	for (size_t i = below(3) ? 0 : 1 + below(3); i > 0; i--)
		change_any(&live);
	for (size_t i = 0; i < HANDLES_MAX; i++)
		w->handles[i].is_staged = false;
	for (size_t i = below(4); i > 0; i--)
		open_any(w);
	remember(w, tree_root(w->fs.tree), NULL);
	w->has_twins = known_has_twins(w);
	if (w->has_twins) {
		struct batch_news news = { .before = { .attributes = NULL } };

		forest_batch_end(w->fs.forest, w->batch, &news);
		batch_news_release(&news);
		forest_batch_drop(w->batch);
	} else {
		commit_and_check(w);
	}
	forget_known(w);
	for (size_t i = 0; i < HANDLES_MAX; i++)
		if (below(3) == 0)
			close_handle(w, &w->handles[i]);
}

static void world_open(struct world *w)
{
	struct tree_entry entry;

	memset(w, 0, sizeof(*w));
	w->writer = fs_process();
	w->nobody = fs_process();
	fs_open(&w->fs);
	CHECK_OK(forest_lookup(w->fs.forest, &w->fs.me, TREE_ROOT_NODEID,
			       ".batch", &entry));
	w->batches = entry.nodeid;
}

static void world_close(struct world *w)
{
	for (size_t i = 0; i < HANDLES_MAX; i++)
		close_handle(w, &w->handles[i]);
	forest_forget(w->fs.forest, w->batches, 1);
	kill(w->writer, SIGKILL);
	kill(w->nobody, SIGKILL);
	waitpid(w->writer, NULL, 0);
	waitpid(w->nobody, NULL, 0);
	fs_close(&w->fs);
}

TEST(replaced_directory, "what stays in a directory that the batch replaces keeps its node")
{
	static struct world w;
	struct side batch = { .tree = NULL };
	struct tree_entry project, scope, again;
	struct batch_news news = { .before = { .attributes = NULL } };

	world_open(&w);
	fs_mkdir(&w.fs, "a");
	fs_put(&w.fs, "a/b", "text");
	fs_mkdir(&w.fs, "a/c");
	fs_put(&w.fs, "a/c/b", "text");
	/* It leaves out some directories. */
	do {
		forget_known(&w);
		remember(&w, w.fs.scope, NULL);
	} while (w.n_known < 4);
	begin_batch(&w);
	batch = (struct side){ w.batch->tree, w.fs.me };
	CHECK_OK(tree_lookup(batch.tree, &batch.caller, tree_root(batch.tree),
			     "p", &project));
	CHECK_OK(tree_lookup(batch.tree, &batch.caller, project.node, "s",
			     &scope));
	rebuild(&batch, scope.node, "a");
	tree_forget(batch.tree, scope.node, 1);
	tree_forget(batch.tree, project.node, 1);
	end_batch(&w, &news);
	fresh_open(&w);
	check_known(&w, &news.before);
	fresh_close();
	news_told(w.fs.tree, &news.before);
	batch_news_release(&news);
	for (size_t i = 0; i < w.n_known; i++) {
		struct known *k = &w.known[i];

		CHECK_OK(tree_getattr(w.fs.tree, &w.fs.me, k->node, NULL,
				      &again));
		CHECK_EQ(again.stat.st_nlink, 1);
	}
	CHECK_EQ(fs_is_there(&w.fs, "e/b"), false);
	fs_put(&w.fs, "e/b", "another");
	CHECK_STR(fs_content(&w.fs, "a/b"), "text");
	CHECK_STR(fs_content(&w.fs, "a/c/b"), "text");
	forget_known(&w);
	world_close(&w);
}

/* Paths in a tree from its root. */
static struct fs from_root(const struct fs *fs, struct tree *tree)
{
	struct fs ret = *fs;

	ret.tree = tree;
	ret.scope = tree_root(tree);
	return ret;
}

/* So many: it leaves out what is in some directories. */
static void remember_all(struct world *w, size_t n)
{
	do {
		forget_known(w);
		remember(w, tree_root(w->fs.tree), NULL);
	} while (w->n_known < n);
	CHECK_EQ(w->n_known, n);
}

static void put_key(struct fs *fs, const char *key)
{
	CHECK_OK(aedb_put(node_directory(fs->scope)->scope, key, strlen(key),
			  "v", 1));
}

TEST(left_scope, "what a batch moves out of a scope that it drops keeps its node")
{
	static const char *const moves[] = { "file", "made", "implicit" };
	static struct world w;
	struct fs live, batch;
	char from[20], to[20];

	world_open(&w);
	fs_put(&w.fs, "file", "1");
	fs_mkdir(&w.fs, "made");
	fs_put(&w.fs, "made/a", "2");
	put_key(&w.fs, "made/implicit/a");
	put_key(&w.fs, "implicit/a");
	live = from_root(&w.fs, w.fs.tree);
	fs_mkdir(&live, "p/t");
	/* A project, two scopes and what is in them. */
	remember_all(&w, 3 + 7);
	begin_batch(&w);
	batch = from_root(&w.fs, w.batch->tree);
	for (size_t i = 0; i < 3; i++) {
		snprintf(from, sizeof(from), "p/s/%s", moves[i]);
		snprintf(to, sizeof(to), "p/t/%s", moves[i]);
		CHECK_OK(fs_rename(&batch, from, to, 0));
	}
	CHECK_OK(fs_rmdir(&batch, "p/s"));
	committed = 0;
	commit_and_check(&w);
	CHECK_EQ(committed, 1);
	for (size_t i = 0; i < w.n_known; i++) {
		struct node *node = w.known[i].node;

		if (node->kind == NODE_FILE || node->kind == NODE_DIR)
			CHECK(node_is_above(tree_root(w.fs.tree), node));
	}
	CHECK_STR(fs_content(&live, "p/t/made/a"), "2");
	forget_known(&w);
	world_close(&w);
}

TEST(creation_met, "a file in creation yields to what a batch makes in its renamed directory")
{
	static struct world w;
	struct handle *lost, *kept;
	struct fs live, batch;

	world_open(&w);
	live = from_root(&w.fs, w.fs.tree);
	fs_mkdir(&w.fs, "dir");
	lost = fs_handle(&w.fs, w.writer, "dir/a", O_CREAT | O_WRONLY);
	kept = fs_handle(&w.fs, w.writer, "dir/b", O_CREAT | O_WRONLY);
	fs_write_as(&w.fs, w.writer, kept, 0, "kept");
	remember_all(&w, 2 + 3);
	begin_batch(&w);
	batch = from_root(&w.fs, w.batch->tree);
	CHECK_OK(fs_rename(&batch, "p/s/dir", "p/s/moved", 0));
	fs_mkdir(&batch, "p/s/moved/a");
	committed = 0;
	commit_and_check(&w);
	CHECK_EQ(committed, 1);
	fs_flush_as(&w.fs, w.writer, lost);
	fs_flush_as(&w.fs, w.writer, kept);
	CHECK_OK(tree_release(w.fs.tree, lost));
	CHECK_OK(tree_release(w.fs.tree, kept));
	CHECK_STR(fs_content(&live, "p/s/moved/b"), "kept");
	fs_put(&live, "p/s/moved/a/inside", "1");
	forget_known(&w);
	world_close(&w);
}

TEST(creation_kept, "a file in creation goes along when a batch renames its directory")
{
	static struct world w;
	struct handle *kept;
	struct fs live, batch;

	world_open(&w);
	live = from_root(&w.fs, w.fs.tree);
	fs_mkdir(&w.fs, "x");
	fs_mkdir(&w.fs, "y");
	kept = fs_handle(&w.fs, w.writer, "x/a", O_CREAT | O_WRONLY);
	fs_write_as(&w.fs, w.writer, kept, 0, "kept");
	remember_all(&w, 2 + 3);
	begin_batch(&w);
	batch = from_root(&w.fs, w.batch->tree);
	CHECK_OK(fs_rename(&batch, "p/s/x", "p/s/y", RENAME_EXCHANGE));
	fs_put(&batch, "p/s/x/a", "the batch's");
	committed = 0;
	commit_and_check(&w);
	CHECK_EQ(committed, 1);
	fs_flush_as(&w.fs, w.writer, kept);
	CHECK_OK(tree_release(w.fs.tree, kept));
	CHECK_STR(fs_content(&live, "p/s/x/a"), "the batch's");
	CHECK_STR(fs_content(&live, "p/s/y/a"), "kept");
	forget_known(&w);
	world_close(&w);
}

TEST(random_commits, "after any batch the live tree is as one opened afterwards")
{
	static struct world w;

	check_seed();
	world_open(&w);
	committed = met = 0;
	for (unsigned i = 0; i < check_times(300); i++) {
		round_run(&w);
		if (!w.has_twins)
			continue;
		world_close(&w);
		world_open(&w);
	}
	printf("# %u batches committed, %u with what both made\n", committed,
	       met);
	CHECK(committed > 20 && met > 0);
	world_close(&w);
}
