/* The file behind s3v_stat: its records, and what both writers and readers do with them. (stat.c tells the story.) */
#ifndef S3V_STAT_FILE_H
#define S3V_STAT_FILE_H

#include "postgres.h"

#include "port/pg_crc32c.h"
#include "utils/timestamp.h"

#include "compat.h"

/* Sums of one backend slot since the last reset. */
typedef struct StatSums
{
	int64		queries;		/* and what they sent and took: */
	int64		waves;
	int64		requests;
	int64		bytes;			/* read */
	int64		cache_hits;
	double		ms;
	int64		syncs;			/* and theirs: */
	int64		rows;			/* upserted and deleted */
	int64		sync_requests;
	int64		bytes_written;
	double		sync_ms;
	int64		errors;			/* queries and syncs that raised; nothing else is known of these */
} StatSums;

/* In the file's own machine's byte order: it never leaves that machine. */
typedef struct StatHeader
{
	TimestampTz generation;		/* when the sums were reset; no two resets have the same */
	uint32		magic;
	pg_crc32c	crc;			/* of all before */
} StatHeader;

typedef struct StatCopy
{
	uint64		sequence;		/* the higher one is the newer */
	TimestampTz generation;
	StatSums	sums;
	uint32		magic;
	pg_crc32c	crc;			/* of all before */
} StatCopy;

/* Copies lie a whole number of cache lines apart. */
#define COPY_BYTES 128
#define COPIES 2
#define SLOT_BYTES (COPIES * COPY_BYTES)
#define SLOT_OFFSET(slot) ((off_t) ((slot) + 1) * SLOT_BYTES)

/* Base backups leave out whatever begins with pgsql_tmp. */
#define STAT_DIRECTORY PG_TEMP_FILE_PREFIX "_s3v"

/* Of the file of this database. Answers `path`. */
extern char *stat_path(char *path, size_t size);

extern bool stat_header_is_whole(const StatHeader *header);

/* Fills what makes it whole. */
extern void stat_seal_copy(StatCopy *copy);

/* The newer of the whole copies in a slot's bytes. False: there is none. */
extern bool stat_newest_copy(const char *slot, StatCopy *newest);

extern void stat_add_sums(StatSums *to, const StatSums *from);

/*
 * Begins another generation; with only_if_broken, not where somebody else has done so meanwhile. False, with errno, when that fails:
 * EWOULDBLOCK while somebody else is about it, for nobody waits here. Raises nothing; fd is a descriptor of the kernel.
 */
extern bool stat_begin_generation(int fd, bool only_if_broken);

#endif
