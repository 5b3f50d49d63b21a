/* A fuzzer of one of the targets: FUZZ_TARGET says which, when it is compiled. */
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	FUZZ_TARGET(bytes, n);
	return 0;
}
