/* What long work is doing, for s3v_progress: one slot for each backend in a small file, written with pwrite; no preload needed. */
#ifndef S3V_PROGRESS_H
#define S3V_PROGRESS_H

#include "postgres.h"

/* The work ends with progress_end() or, after an error, with the memory context that is current here. */
extern void progress_start(Oid index_id);

/*
 * An S3vProgress; arg is not used. Cheap: writes at most five times a second. Sends a NOTICE when a phase begins, and so may raise a
 * pending cancel, which boundary.c keeps when the core is the caller. Does nothing unless work was started.
 */
extern void progress_report(void *arg, const char *phase, uint64 done, uint64 total);

extern void progress_end(void);

#endif
