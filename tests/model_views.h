/*
 * What a program holds open of a database while it changes: snapshots, scans and
 * readers, each with the model's state it must go on showing.
 *
 *	struct model_views views = { 0 };
 *	model_views_step(&views, model, db)	opens, reads or closes one
 *	model_views_close(&views)	before the database is closed
 *
 * As model.h says of errors.
 */
#ifndef MODEL_VIEWS_H
#define MODEL_VIEWS_H

#include "model.h"

#define MODEL_VIEWS_MAX 5

enum model_view_kind {
	VIEW_CLOSED,
	VIEW_SNAPSHOT,
	VIEW_SCAN,
	VIEW_READER,
};

struct model_view {
	enum model_view_kind kind;
	size_t state;
	struct aedb_snapshot *snapshot;
	struct aedb_scope *scope;	/* of scan and reader */
	struct aedb_scan *scan;
	struct aedb_reader *reader;
	enum aedb_direction direction;
	size_t space, key;		/* the scan's next, or the reader's key */
};

struct model_views {
	struct model_view at[MODEL_VIEWS_MAX];
};

int model_views_step(struct model_views *views, struct model *model,
		     struct aedb *db);
/* Reads all that every snapshot shows. */
int model_views_compare(struct model_views *views, struct model *model,
			size_t newest, struct aedb *db);
void model_views_close(struct model_views *views);

#endif
