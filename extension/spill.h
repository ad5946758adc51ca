/* Temporary files of one call into the core: the server's own, so that temp_tablespaces and temp_file_limit hold. */
#ifndef S3V_SPILL_H
#define S3V_SPILL_H

#include "postgres.h"

#include "utils/resowner.h"

/* All files are closed, and so deleted, when the context or the resource owner goes, whichever is first. */
typedef struct S3vSpill S3vSpill;
extern S3vSpill *spill_begin(MemoryContext context, ResourceOwner owner);

/* These raise as the server's own temporary files do (53400 at temp_file_limit, 53100). Numbers count from 0. */
extern int	spill_open(S3vSpill *spill);
extern void spill_write(S3vSpill *spill, int number, uint64 offset, const void *data, size_t size);
extern void spill_read_back(S3vSpill *spill, int number, uint64 offset, void *data, size_t size);

/* Closes one file; NULL and numbers that are closed already are fine. */
extern void spill_remove(S3vSpill *spill, int number);

#endif
