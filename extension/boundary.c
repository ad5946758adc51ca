/* Between the server and the core: what the core may ask of us, what we raise for it, and who frees its handles. */
#include "postgres.h"

#include "catalog/namespace.h"
#include "common/string.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "boundary.h"
#include "compat.h"
#include "spill.h"

/* Of libpq/libpq.h, which wants the headers of GSSAPI as well. */
extern bool pq_check_connection(void);

struct S3vCall
{
	MemoryContext context;
	ResourceOwner owner;		/* of the temporary files */
	S3vSpill   *spill;			/* NULL: no file yet */
	ErrorData  *error;			/* what a callback caught; NULL: nothing */
	s3v_env		env;
	S3vProgress progress;
	void	   *progress_arg;
};

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
	const void *from;
	void	   *to;
	size_t		size;
} SpillWork;

static void
create_spill(S3vCall *call, void *arg)
{
	if (call->spill == NULL)
		call->spill = spill_begin(call->context, call->owner);
	*(int *) arg = spill_open(call->spill);
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

	spill_write(call->spill, work->handle, work->offset, work->from, work->size);
}

static int
spill_append(void *arg, int handle, uint64_t offset, const void *data, size_t size)
{
	SpillWork	work = {.handle = handle, .offset = offset, .from = data, .size = size};

	return guarded(arg, append_spill, &work) ? 0 : -1;
}

static void
read_spill(S3vCall *call, void *arg)
{
	SpillWork  *work = arg;

	spill_read_back(call->spill, work->handle, work->offset, work->to, work->size);
}

static int
spill_read(void *arg, int handle, uint64_t offset, void *data, size_t size)
{
	SpillWork	work = {.handle = handle, .offset = offset, .to = data, .size = size};

	return guarded(arg, read_spill, &work) ? 0 : -1;
}

/* Unlike the others also after an error, and when handles are freed at the end of a transaction. */
static void
spill_close(void *arg, int handle)
{
	MemoryContext caller = CurrentMemoryContext;
	S3vCall    *call = arg;

	callback_depth++;
	PG_TRY();
	{
		spill_remove(call->spill, handle);
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

S3vCall *
boundary_begin(void)
{
	S3vCall    *call = palloc0(sizeof(S3vCall));

	call->context = CurrentMemoryContext;
	call->owner = CurrentResourceOwner;
	call->env.arg = call;
	call->env.stop_requested = stop_requested;
	call->env.spill_create = spill_create;
	call->env.spill_append = spill_append;
	call->env.spill_read = spill_read;
	call->env.spill_close = spill_close;
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

int
boundary_sqlstate(s3v_code code)
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

/* The core writes UTF-8, and quotes what stores said: the client must get text that is valid in the database's encoding. */
static char *
valid_text(const char *text)
{
	int			size = strlen(text);
	int			encoding = GetDatabaseEncoding();
	Oid			conversion;
	char	   *result;

	if (pg_is_ascii(text))
		return pstrdup(text);
	if (encoding == PG_UTF8 && pg_verify_mbstr(PG_UTF8, text, size, true))
		return pstrdup(text);

	conversion = encoding == PG_UTF8 ? InvalidOid : FindDefaultConversionProc(PG_UTF8, encoding);
	if (OidIsValid(conversion))
	{
		int			room = size * MAX_CONVERSION_GROWTH + 1;

		result = palloc(room);
		if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding, (unsigned char *) unconstify(char *, text), size,
										  (unsigned char *) result, room, true) == size)
			return result;
	}
	result = pstrdup(text);
	for (char *c = result; *c != '\0'; c++)
	{
		if (IS_HIGHBIT_SET(*c))
			*c = '?';
	}
	return result;
}

void
boundary_raise(s3v_code code, const s3v_error *err)
{
	if (code == S3V_OK)
		return;
	CHECK_FOR_INTERRUPTS();
	ereport(ERROR,
			(errcode(boundary_sqlstate(code)),
			 errmsg_internal("%s", valid_text(err->message)),
			 err->detail[0] != '\0' ? errdetail_internal("%s", valid_text(err->detail)) : 0,
			 err->hint[0] != '\0' ? errhint("%s", valid_text(err->hint)) : 0));
}

char *
boundary_complaint(const s3v_error *err)
{
	return err->detail[0] != '\0' ? psprintf("%s: %s", valid_text(err->message), valid_text(err->detail)) : valid_text(err->message);
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
