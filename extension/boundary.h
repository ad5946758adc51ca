/* Between the server and the core: interrupts, error codes, temporary files, lifetime of core handles. */
#ifndef S3V_BOUNDARY_H
#define S3V_BOUNDARY_H

#include "postgres.h"

#include "utils/palloc.h"

#include "../src/api/s3v_c.h"

/*
 * One call into the core, or a series. Lives in the memory context that was current at boundary_begin(). Whatever a callback
 * caught (a cancel, temp_file_limit, ...) is kept here and raised by boundary_check(), so that no error of the server ever
 * crosses a C++ frame.
 */
typedef struct S3vCall S3vCall;

/* Told of progress in long work, inside a callback: must not raise. */
typedef void (*S3vProgress) (void *arg, const char *phase, uint64 done, uint64 total);

extern S3vCall *boundary_begin(void);
extern void boundary_on_progress(S3vCall *call, S3vProgress progress, void *arg);
extern const s3v_env *boundary_env(S3vCall *call);

/*
 * Raises what a callback kept (also when the core came through: the server counts a cancel as served once it was caught), else,
 * unless code is S3V_OK, the core's error with its SQLSTATE, detail and hint. To be called after every core call that took the env.
 */
extern void boundary_check(S3vCall *call, s3v_code code, const s3v_error *err);

/* As boundary_check(), without a call (functions that take no env). */
extern void boundary_raise(s3v_code code, const s3v_error *err);

/* For a WARNING in place of an error. */
extern int	boundary_sqlstate(s3v_code code);

/* What the core complains of, with its detail, in the database's encoding: for the detail of a message of ours. */
extern char *boundary_complaint(const s3v_error *err);

/*
 * The process is ending from inside a callback (a FATAL that could not wait): frames of the core are still on the stack, so
 * nothing of the core may be freed any more. Release functions are then not called.
 */
extern bool boundary_cut_off(void);

/*
 * Owns one core handle. Made before the core call that fills ->ptr, so that whatever is raised later frees it: the release
 * function runs when the memory context goes, or at handle_release(), once. A handle that keeps an env (s3v_build) must live in the
 * context of its S3vCall, or below.
 */
typedef struct S3vHandle
{
	void	   *ptr;
	void		(*release) (void *ptr);
	MemoryContextCallback callback;
} S3vHandle;

extern S3vHandle *handle_make(MemoryContext context, void (*release) (void *ptr));
extern void handle_release(S3vHandle *handle);

#endif
