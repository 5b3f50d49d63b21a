/*
 * Nodes beyond the memory budget: the kernel is asked to forget what nobody
 * uses, and its FORGET requests free them.
 *
 * Why not name by name: docs/decisions/0011-memory-of-nodes.md.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ll_handlers.h"
#include "log.h"
#include "mount_point.h"

struct relief {
	struct work_item item;
	struct ll_config *config;
};

static void relieve(struct work_item *item)
{
	struct relief *relief = (struct relief *)item;
	struct ll_config *config = relief->config;
	struct tree *live = forest_live(config->forest);
	int rc = mount_point_forget_unused(config->mount_point, config->device);

	/* -ENOENT: unmounted meanwhile. */
	if (rc < 0 && rc != -ENOENT) {
		log_line(LOG_WARNING, "%s: more files are known to the kernel "
			 "than the memory budget allows for, and it cannot be "
			 "asked to forget them: %s", config->mount_point,
			 strerror(-rc));
		tree_lock(live);
		tree_keep_nodes(live);
		tree_unlock(live);
	}
	free(relief);
}

void ll_relieve(struct ll_config *config)
{
	struct relief *relief;

	if (!tree_wants_fewer_nodes(forest_live(config->forest)))
		return;
	relief = malloc(sizeof(*relief));
	if (!relief)
		return;
	*relief = (struct relief){
		.item = { .run = relieve, .lane = WORK_FORGET },
		.config = config,
	};
	work_submit(config->pool, &relief->item);
}
