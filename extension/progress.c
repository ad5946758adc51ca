/*
 * What long work is doing. One record for each backend in a small file of the data directory: written with pwrite(2), read by
 * anyone, trusted by its checksum and by the backend it names being alive. It is information, never a reason to fail.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "progress.h"

/* Base backups leave out whatever begins with pgsql_tmp. */
#define PROGRESS_DIRECTORY PG_TEMP_FILE_PREFIX "_s3v"
#define PROGRESS_FILE PROGRESS_DIRECTORY "/progress"

#define PROGRESS_MAGIC 0x50763373	/* "s3vP", format 1 */
#define WRITE_INTERVAL_MS 200
/* Phases of work that has lasted this long are told to the client. */
#define NOTICE_AFTER_MS 1000

/* In the file's own machine's byte order: it never leaves that machine. */
typedef struct ProgressRecord
{
	uint32		magic;
	int32		pid;
	TimestampTz backend_start;	/* with pid: which backend; numbers of processes come again */
	Oid			database;
	Oid			index_id;
	TimestampTz started;
	uint64		done;
	uint64		total;			/* 0: unknown */
	char		phase[76];
	pg_crc32c	crc;			/* of all before */
} ProgressRecord;

StaticAssertDecl(sizeof(ProgressRecord) == 128, "records of the progress file have no padding");

/* The work in hand; goes with the memory context in which it was started, whatever ends that. */
typedef struct Progress
{
	ProgressRecord record;
	TimestampTz written;
	char		index_name[NAMEDATALEN];
	bool		announced;		/* this phase, by a NOTICE */
	MemoryContextCallback callback;
} Progress;

static Progress *current = NULL;

PG_FUNCTION_INFO_V1(s3v_progress);

static pg_crc32c
record_crc(const ProgressRecord *record)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, record, offsetof(ProgressRecord, crc));
	FIN_CRC32C(crc);
	return crc;
}

/* A plain descriptor for the moment: nothing of ours stays open, and nothing here may raise. */
static void
write_slot(ProgressRecord *record)
{
	const int	flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | PG_BINARY;
	int			fd;

	record->crc = record_crc(record);
	fd = BasicOpenFilePerm(PROGRESS_FILE, flags, S_IRUSR | S_IWUSR);
	if (fd < 0 && errno == ENOENT && (mkdir(PROGRESS_DIRECTORY, S_IRWXU) == 0 || errno == EEXIST))
		fd = BasicOpenFilePerm(PROGRESS_FILE, flags, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return;
	if (pwrite(fd, record, sizeof(*record), (off_t) S3V_BACKEND_SLOT * sizeof(*record)) != sizeof(*record))
		elog(DEBUG1, "could not write file \"%s\": %m", PROGRESS_FILE);
	close(fd);
}

static void
forget_progress(void *arg)
{
	if (current == arg)
		progress_end();
}

void
progress_start(Oid index_id)
{
	Progress   *progress = palloc0(sizeof(Progress));
	char	   *name = get_rel_name(index_id);

	progress->record.magic = PROGRESS_MAGIC;
	progress->record.pid = MyProcPid;
	progress->record.backend_start = MyStartTimestamp;
	progress->record.database = MyDatabaseId;
	progress->record.index_id = index_id;
	progress->record.started = GetCurrentTimestamp();
	strlcpy(progress->record.phase, "starting", sizeof(progress->record.phase));
	strlcpy(progress->index_name, name != NULL ? name : "?", sizeof(progress->index_name));
	progress->callback.func = forget_progress;
	progress->callback.arg = progress;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &progress->callback);

	current = progress;
	progress->written = progress->record.started;
	write_slot(&progress->record);
}

void
progress_report(void *arg, const char *phase, uint64 done, uint64 total)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		begins;

	if (current == NULL)
		return;
	begins = strncmp(current->record.phase, phase, sizeof(current->record.phase) - 1) != 0;
	if (!begins && !TimestampDifferenceExceeds(current->written, now, WRITE_INTERVAL_MS))
		return;
	strlcpy(current->record.phase, phase, sizeof(current->record.phase));
	current->record.done = done;
	current->record.total = total;
	current->written = now;
	write_slot(&current->record);
	if (begins)
		current->announced = false;
	/* Work of a moment is not worth a line; pg_cron would log five of them every minute. */
	if (!current->announced && TimestampDifferenceExceeds(current->record.started, now, NOTICE_AFTER_MS))
	{
		current->announced = true;
		ereport(NOTICE,
				(errmsg("index \"%s\": %s", current->index_name, phase)));
	}
}

void
progress_end(void)
{
	ProgressRecord nothing = {0};

	if (current == NULL)
		return;
	current = NULL;
	write_slot(&nothing);
}

/* ---- s3v_progress -------------------------------------------------------------------------------------------------------- */

/* The role of the backend that wrote the record; InvalidOid when that is gone. */
static Oid
role_of_writer(const ProgressRecord *record)
{
	int			count = pgstat_fetch_stat_numbackends();

	for (int i = 1; i <= count; i++)
	{
		LocalPgBackendStatus *local = backend_entry(i);
		PgBackendStatus *status = local != NULL ? &local->backendStatus : NULL;

		if (status != NULL && status->st_procpid == record->pid && status->st_proc_start_timestamp == record->backend_start)
			return status->st_userid;
	}
	return InvalidOid;
}

static bool
may_see(Oid role)
{
	return OidIsValid(role) &&
		(has_privs_of_role(GetUserId(), role) || has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS));
}

static void
put_record(ReturnSetInfo *rsinfo, const ProgressRecord *record)
{
	Datum		values[6];
	bool		nulls[6] = {0};

	values[0] = Int32GetDatum(record->pid);
	values[1] = ObjectIdGetDatum(record->index_id);
	values[2] = CStringGetTextDatum(record->phase);
	values[3] = Int64GetDatum((int64) record->done);
	values[4] = Int64GetDatum((int64) record->total);
	nulls[4] = record->total == 0;
	values[5] = TimestampTzGetDatum(record->started);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
s3v_progress(PG_FUNCTION_ARGS)
{
	ProgressRecord record;
	int			fd;

	InitMaterializedSRF(fcinfo, 0);
	fd = OpenTransientFile(PROGRESS_FILE, O_RDONLY | O_NOFOLLOW | PG_BINARY);
	if (fd < 0)
	{
		if (errno == ENOENT)
			return (Datum) 0;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", PROGRESS_FILE)));
	}
	for (off_t at = 0; pread(fd, &record, sizeof(record), at) == sizeof(record); at += sizeof(record))
	{
		CHECK_FOR_INTERRUPTS();
		/* A checksum that does not fit is a record caught while it is written, or an unused slot. */
		if (record.magic != PROGRESS_MAGIC || record.database != MyDatabaseId || record.crc != record_crc(&record))
			continue;
		record.phase[sizeof(record.phase) - 1] = '\0';
		if (may_see(role_of_writer(&record)))
			put_record((ReturnSetInfo *) fcinfo->resultinfo, &record);
	}
	CloseTransientFile(fd);
	return (Datum) 0;
}
