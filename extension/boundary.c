/* Between the server and the core: what the core may ask of us, what we raise for it, and who frees its handles. */
#include "postgres.h"

#include "commands/tablespace.h"
#include "lib/ilist.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/wait_event.h"

#include "boundary.h"
#include "compat.h"

/* Of libpq/libpq.h, which wants the headers of GSSAPI as well. */
extern bool pq_check_connection(void);

/* FileRead and FileWrite count in int. */
#define SPILL_CHUNK (64 * 1024 * 1024)

#define NO_FILE ((File) -1)

struct S3vCall
{
	MemoryContext context;
	ResourceOwner owner;		/* who closes the temporary files if nobody else does */
	ErrorData  *error;			/* what a callback caught; NULL: nothing */
	s3v_env		env;
	S3vProgress progress;
	void	   *progress_arg;
	File	   *files;			/* by the core's handle; NO_FILE once closed */
	int			file_count;
	dlist_node	node;			/* in spilling_calls, while files != NULL */
	MemoryContextCallback callback;
};

/* Calls that have made a temporary file: the resource owner's end must reach them. */
static dlist_head spilling_calls = DLIST_STATIC_INIT(spilling_calls);

/* Callbacks being run. */
static int	callback_depth = 0;

bool
boundary_cut_off(void)
{
	return proc_exit_inprogress && callback_depth > 0;
}

/* ---- callbacks: each runs on top of C++ frames, so nothing may leave them but a return value --------------------------- */

static void
keep_error(S3vCall *call)
{
	ErrorData  *caught;

	MemoryContextSwitchTo(call->context);
	caught = CopyErrorData();
	FlushErrorState();
	if (call->error == NULL)
		call->error = caught;	/* the first one is the cause of the others */
}

/*
 * Runs `work`; an error is kept. False when it failed, or when an earlier one did: the core is then on its way out.
 */
static bool
guarded(S3vCall *call, void (*work) (S3vCall *call, void *arg), void *arg)
{
	MemoryContext caller = CurrentMemoryContext;

	if (call->error != NULL)
		return false;
	callback_depth++;
	PG_TRY();
	{
		work(call, arg);
	}
	PG_CATCH();
	{
		keep_error(call);
	}
	PG_END_TRY();
	callback_depth--;
	MemoryContextSwitchTo(caller);
	return call->error == NULL;
}

static void
serve_interrupts(S3vCall *call, void *arg)
{
	/*
	 * ProcessInterrupts() would itself find out that the client is gone, and end the process here. Looking first lets the core
	 * unwind before that.
	 */
	if (CheckClientConnectionPending && !pq_check_connection())
		ClientConnectionLost = true;
	if (!TERMINATION_PENDING)
		CHECK_FOR_INTERRUPTS();
}

static int
stop_requested(void *arg)
{
	S3vCall    *call = arg;

	if (call->error != NULL)
		return 1;
	if (!INTERRUPTS_PENDING_CONDITION())
		return 0;
	if (!INTERRUPTS_CAN_BE_PROCESSED())
		return 0;				/* our caller holds them off: the server would not stop here either */
	if (TERMINATION_PENDING)
		return 1;				/* FATAL ends the process: unwind the core first, exit in boundary_check() */
	if (!guarded(call, serve_interrupts, NULL))
		return 1;
	return TERMINATION_PENDING ? 1 : 0;
}

typedef struct SpillWork
{
	int			handle;
	uint64		offset;
	char	   *data;
	size_t		size;
} SpillWork;

static File
spill_file(S3vCall *call, int handle)
{
	if (handle < 0 || handle >= call->file_count || call->files[handle] == NO_FILE)
		elog(ERROR, "temporary file %d is not open", handle);
	return call->files[handle];
}

static void
create_spill(S3vCall *call, void *arg)
{
	ResourceOwner current = CurrentResourceOwner;
	int		   *handle = arg;
	File	   *files;

	MemoryContextSwitchTo(call->context);
	if (call->files == NULL)
		files = palloc(sizeof(File));
	else
		files = repalloc(call->files, (call->file_count + 1) * sizeof(File));
	if (call->files == NULL)
		dlist_push_tail(&spilling_calls, &call->node);
	call->files = files;

	/* Not the owner of the moment: that may be a query of ours that feeds the build and ends before it. */
	CurrentResourceOwner = call->owner;
	PG_TRY();
	{
		PrepareTempTablespaces();
		call->files[call->file_count] = OpenTemporaryFile(false);
	}
	PG_FINALLY();
	{
		CurrentResourceOwner = current;
	}
	PG_END_TRY();
	*handle = call->file_count++;
}

static int
spill_create(void *arg)
{
	int			handle = -1;

	return guarded(arg, create_spill, &handle) ? handle : -1;
}

static void
append_spill(S3vCall *call, void *arg)
{
	SpillWork  *work = arg;
	File		file = spill_file(call, work->handle);

	while (work->size > 0)
	{
		int			amount = (int) Min(work->size, SPILL_CHUNK);

		if (FileWrite(file, work->data, amount, (off_t) work->offset, WAIT_EVENT_BUFFILE_WRITE) != amount)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write to temporary file \"%s\": %m", FilePathName(file))));
		work->data += amount;
		work->offset += amount;
		work->size -= amount;
	}
}

static int
spill_append(void *arg, int handle, uint64_t offset, const void *data, size_t size)
{
	SpillWork	work = {handle, offset, unconstify(char *, (const char *) data), size};

	return guarded(arg, append_spill, &work) ? 0 : -1;
}

static void
read_spill(S3vCall *call, void *arg)
{
	SpillWork  *work = arg;
	File		file = spill_file(call, work->handle);

	while (work->size > 0)
	{
		int			amount = (int) Min(work->size, SPILL_CHUNK);
		int			got;

		got = FileRead(file, work->data, amount, (off_t) work->offset, WAIT_EVENT_BUFFILE_READ);
		if (got < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read from temporary file \"%s\": %m", FilePathName(file))));
		if (got == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("could not read from temporary file \"%s\": it ends before offset " UINT64_FORMAT,
							FilePathName(file), work->offset + work->size)));
		work->data += got;
		work->offset += got;
		work->size -= got;
	}
}

static int
spill_read(void *arg, int handle, uint64_t offset, void *data, size_t size)
{
	SpillWork	work = {handle, offset, data, size};

	return guarded(arg, read_spill, &work) ? 0 : -1;
}

/* Unlike the others also after an error, and when handles are freed at the end of a transaction. */
static void
spill_close(void *arg, int handle)
{
	MemoryContext caller = CurrentMemoryContext;
	S3vCall    *call = arg;
	File		file;

	if (handle < 0 || handle >= call->file_count || call->files[handle] == NO_FILE)
		return;
	file = call->files[handle];
	call->files[handle] = NO_FILE;
	callback_depth++;
	PG_TRY();
	{
		FileClose(file);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		FlushErrorState();		/* the data is of no more use to anyone */
	}
	PG_END_TRY();
	callback_depth--;
}

typedef struct ProgressWork
{
	const char *phase;
	uint64		done;
	uint64		total;
} ProgressWork;

static void
tell_progress(S3vCall *call, void *arg)
{
	ProgressWork *work = arg;

	call->progress(call->progress_arg, work->phase, work->done, work->total);
}

static void
report_progress(void *arg, const char *phase, uint64_t done, uint64_t total)
{
	ProgressWork work = {phase, done, total};

	/* A message to the client serves interrupts as well: leave that to stop_requested(), which comes soon. */
	if (!INTERRUPTS_PENDING_CONDITION())
		(void) guarded(arg, tell_progress, &work);
}

/* ---- calls --------------------------------------------------------------------------------------------------------------- */

/* The resource owner has closed its files by now, and their numbers may go to others. */
static void
forget_closed_files(ResourceReleasePhase phase, bool isCommit, bool isTopLevel, void *arg)
{
	dlist_iter	iter;

	if (phase != RESOURCE_RELEASE_AFTER_LOCKS)
		return;
	dlist_foreach(iter, &spilling_calls)
	{
		S3vCall    *call = dlist_container(S3vCall, node, iter.cur);

		if (call->owner == CurrentResourceOwner)
		{
			for (int i = 0; i < call->file_count; i++)
				call->files[i] = NO_FILE;
		}
	}
}

static void
end_call(void *arg)
{
	S3vCall    *call = arg;

	if (call->files == NULL || boundary_cut_off())
		return;
	for (int i = 0; i < call->file_count; i++)
		spill_close(call, i);
	dlist_delete(&call->node);
	call->files = NULL;
	call->file_count = 0;
}

S3vCall *
boundary_begin(void)
{
	static bool registered = false;
	S3vCall    *call = palloc0(sizeof(S3vCall));

	if (!registered)
	{
		RegisterResourceReleaseCallback(forget_closed_files, NULL);
		registered = true;
	}
	call->context = CurrentMemoryContext;
	call->owner = CurrentResourceOwner;
	call->env.arg = call;
	call->env.stop_requested = stop_requested;
	call->env.spill_create = spill_create;
	call->env.spill_append = spill_append;
	call->env.spill_read = spill_read;
	call->env.spill_close = spill_close;
	call->callback.func = end_call;
	call->callback.arg = call;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &call->callback);
	return call;
}

void
boundary_on_progress(S3vCall *call, S3vProgress progress, void *arg)
{
	call->progress = progress;
	call->progress_arg = arg;
	call->env.progress = progress != NULL ? report_progress : NULL;
}

const s3v_env *
boundary_env(S3vCall *call)
{
	return &call->env;
}

/* ---- errors -------------------------------------------------------------------------------------------------------------- */

static int
sqlstate_for(s3v_code code)
{
	static const int states[] = {
		[S3V_INVALID_ARGUMENT] = ERRCODE_INVALID_PARAMETER_VALUE,
		[S3V_NOT_SUPPORTED] = ERRCODE_FEATURE_NOT_SUPPORTED,
		[S3V_OBJECT_MISSING] = ERRCODE_UNDEFINED_FILE,
		[S3V_UNAVAILABLE] = ERRCODE_CONNECTION_FAILURE,
		[S3V_PERMISSION_DENIED] = ERRCODE_INSUFFICIENT_PRIVILEGE,
		[S3V_CORRUPTED] = ERRCODE_DATA_CORRUPTED,
		[S3V_CANCELLED] = ERRCODE_QUERY_CANCELED,
		[S3V_OUT_OF_MEMORY] = ERRCODE_OUT_OF_MEMORY,
		[S3V_LIMIT_EXCEEDED] = ERRCODE_PROGRAM_LIMIT_EXCEEDED,
		[S3V_CONFLICT] = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
		[S3V_IO_ERROR] = ERRCODE_IO_ERROR,
		[S3V_DISK_FULL] = ERRCODE_DISK_FULL,
		[S3V_INTERNAL] = ERRCODE_INTERNAL_ERROR,
		[S3V_STORE_MISSING] = ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
	};

	if ((int) code <= 0 || (int) code >= lengthof(states) || states[code] == 0)
		return ERRCODE_INTERNAL_ERROR;
	return states[code];
}

/* The core quotes what stores and callers said; the client must get text that is valid in the database's encoding. */
static char *
valid_text(const char *text)
{
	char	   *copy = pstrdup(text);

	if (pg_verifymbstr(copy, strlen(copy), true))
		return copy;
	for (char *c = copy; *c != '\0'; c++)
	{
		if (IS_HIGHBIT_SET(*c))
			*c = '?';
	}
	return copy;
}

void
boundary_raise(s3v_code code, const s3v_error *err)
{
	if (code == S3V_OK)
		return;
	CHECK_FOR_INTERRUPTS();
	ereport(ERROR,
			(errcode(sqlstate_for(code)),
			 errmsg_internal("%s", valid_text(err->message)),
			 err->detail[0] != '\0' ? errdetail_internal("%s", valid_text(err->detail)) : 0,
			 err->hint[0] != '\0' ? errhint("%s", valid_text(err->hint)) : 0));
}

void
boundary_check(S3vCall *call, s3v_code code, const s3v_error *err)
{
	if (call->error != NULL)
	{
		ErrorData  *error = call->error;

		/* Also when the core came through: the server counts this interrupt as served. */
		call->error = NULL;
		ReThrowError(error);
	}
	boundary_raise(code, err);
}

/* ---- handles ------------------------------------------------------------------------------------------------------------- */

static void
free_handle(void *arg)
{
	S3vHandle  *handle = arg;
	void	   *ptr = handle->ptr;

	handle->ptr = NULL;			/* first: never twice */
	if (ptr != NULL && !boundary_cut_off())
		handle->release(ptr);
}

S3vHandle *
handle_make(MemoryContext context, void (*release) (void *ptr))
{
	S3vHandle  *handle = MemoryContextAllocZero(context, sizeof(S3vHandle));

	handle->release = release;
	handle->callback.func = free_handle;
	handle->callback.arg = handle;
	MemoryContextRegisterResetCallback(context, &handle->callback);
	return handle;
}

void
handle_release(S3vHandle *handle)
{
	free_handle(handle);
}
