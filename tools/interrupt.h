/*
 * Signals that end the program, held back while there is something to clean up:
 * who works asks, cleans up, and releases them; then they end it.
 *
 * Calling sequence: interrupt_hold, …, interrupt_release.
 * Threads: those started after interrupt_hold may ask.
 */
#ifndef INTERRUPT_H
#define INTERRUPT_H

#include <stdbool.h>

/* Fails, with nothing held, only for want of descriptors. */
int interrupt_hold(void);
bool interrupt_is_pending(void);
/* Can be read from when one is pending; must not be. Static. */
const int *interrupt_fd(void);
/* Does not return if one is pending. */
void interrupt_release(void);

#endif
