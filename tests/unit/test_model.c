/*
 * Long random lives against the model.
 */
#include "../model_run.h"
#include "check.h"

#define LIVES 9
#define STEPS 400

TEST(lives, "a long random life equals the model, reopened and at the end")
{
	uint64_t seed = check_random();

	for (unsigned i = 0; i < check_times(LIVES); i++) {
		struct model_run run;

		check_state.random = seed + i;
		run_init(&run, seed, (enum aedb_durability)(i % 3));
		run_live(&run, STEPS);
		run_release(&run);
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
