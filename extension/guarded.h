/* Work on one of many: what fails is undone alone, and the others go on. */
#ifndef S3V_GUARDED_H
#define S3V_GUARDED_H

#include "postgres.h"

/*
 * Runs work(arg) in a subtransaction of its own, in the current memory context. NULL when it came through; otherwise what it raised, after
 * a rollback of the subtransaction alone. A cancel is meant for the whole statement and is raised again. Not in parallel mode.
 */
extern ErrorData *guarded_run(void (*work) (void *arg), void *arg);

/* A WARNING with the error's own code, detail and hint: "could not <what> index "<name>": ...". `name` may be NULL. */
extern void guarded_warn(const ErrorData *error, const char *what, const char *name);

#endif
