/* The fence seen from the server: identity, token file, claiming and checking the prefix of an index. */
#ifndef S3V_OWNERSHIP_H
#define S3V_OWNERSHIP_H

#include "postgres.h"

#include "boundary.h"
#include "catalog.h"

typedef enum S3vClaim
{
	CLAIM_CONTINUE,				/* what this database claimed last, here or before its data directory was copied */
	CLAIM_OWN,					/* what this very data directory claimed last */
	CLAIM_ADOPT					/* whatever is there */
} S3vClaim;

/*
 * Takes the next owner number before anything is written. `recorded` is the number in the version row. The token of the attempt
 * goes to a file of the data directory first, so that an attempt of ours that aborts is recognised later. Raises 55000 when the
 * prefix belongs to somebody else.
 */
extern uint64 ownership_claim(S3vCall *call, s3v_store *store, const char *uuid, uint64 recorded, S3vClaim claim);

/* Raises 55000 when somebody else has taken the prefix since: looked at before the commit. */
extern void ownership_verify(S3vCall *call, s3v_store *store, const char *uuid, uint64 number);

/* Writes the number claimed into the version row. (adopt.c) */
extern void ownership_record(Oid index_id, uint64 number);

/*
 * For s3v_adopt and s3v_fork: the index as it is now. Raises 42809 when it is none, or one that others write; 55000 when it was made
 * by hand; 42501 unless the caller owns the source. (adopt.c)
 */
extern S3vIndex *ownership_open(Oid index_id);

/*
 * Whether this very data directory, none that it is a copy of, ever claimed the prefix, or tried to: else what no index names there may be
 * somebody else's index.
 */
extern bool ownership_attempted(const char *uuid);

/* After the prefix of a dropped index is gone. */
extern void ownership_forget(const char *uuid);

#endif
