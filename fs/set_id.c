/* Set-id bits cleared by writes. */
#include "set_id.h"

#include "find.h"

int set_id_clear_on_write(struct tree *tree, const struct tree_caller *caller,
			  struct file *file, struct working *copy)
{
	struct tree_set set = { .fields = TREE_SET_MODE };
	struct object object;
	int rc;

	if (caller->uid == 0)
		return 0;
	rc = find_object(tree, file->node, &object);
	if (rc < 0)
		return rc;
	staged_attr_show(&copy->attr, &object);
	set.mode = set_id_cleared(object.attr.mode);
	if (set.mode != object.attr.mode)
		staged_attr_add(&copy->attr, &set);
	return 0;
}
