/* What long work is doing, for s3v_progress: one slot for each backend in a small file, written with pwrite; no preload needed. */
#ifndef S3V_PROGRESS_H
#define S3V_PROGRESS_H

#include "postgres.h"

extern void progress_start(Oid index_id);
/* An S3vProgress: never raises. Also sends a NOTICE when a phase begins, if asked for at start. */
extern void progress_report(void *arg, const char *phase, uint64 done, uint64 total);
extern void progress_end(void);

#endif
