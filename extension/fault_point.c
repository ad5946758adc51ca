/* Fault points at work; in test builds only. See docs/design/fault_points.md. */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xact.h"
#include "common/file_perm.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "../tests/fault_points/watched_store.h"
#include "compat.h"
#include "fault_point.h"

/* Files by which a backend says that it waits: NAME.PID. Whoever removes one lets it go on. */
#define WAITING_DIRECTORY "s3v_fault_points"

#define MOST_RULES 16
#define POINT_LENGTH 64

typedef enum FaultAction
{
	FAULT_TELL,					/* nothing but the line in the server log, at every passing */
	FAULT_ERROR,
	FAULT_EXIT,
	FAULT_KILL,
	FAULT_STOP,
	FAULT_WAIT
} FaultAction;

static const char *const action_names[] = {"tell", "error", "exit", "kill", "stop", "wait"};

/* "sync.put_sent=kill@2": at the second passing, and no other. "*=tell": at every point. */
typedef struct FaultRule
{
	char		point[POINT_LENGTH];
	FaultAction action;
	int			at;
	int			passed;
} FaultRule;

static char *setting = NULL;
static FaultRule rules[MOST_RULES];
static int	rule_count = 0;

/* Of the point in the shim that was passed last in this transaction; empty: none. */
static char operation[POINT_LENGTH] = "";

/* ---- the setting ---- */

static bool
parse_rule(const char *text, FaultRule *rule)
{
	const char *equal = strchr(text, '=');
	char		action[POINT_LENGTH];
	char	   *at;

	if (equal == NULL || equal == text || equal - text >= POINT_LENGTH || strlen(equal) >= POINT_LENGTH)
		return false;
	strlcpy(rule->point, text, equal - text + 1);
	strlcpy(action, equal + 1, sizeof(action));
	at = strchr(action, '@');
	rule->at = at != NULL ? atoi(at + 1) : 1;
	rule->passed = 0;
	if (at != NULL)
		*at = '\0';
	for (int i = 0; i < lengthof(action_names); i++)
	{
		if (strcmp(action, action_names[i]) != 0)
			continue;
		rule->action = (FaultAction) i;
		return rule->at > 0;
	}
	return false;
}

/* Number of rules, or -1. */
static int
parse_rules(const char *text, FaultRule *to)
{
	char		copy[MOST_RULES * 2 * POINT_LENGTH];
	char	   *rest = copy;
	char	   *one;
	int			count = 0;

	if (strlcpy(copy, text, sizeof(copy)) >= sizeof(copy))
		return -1;
	while ((one = strsep(&rest, ", ")) != NULL)
	{
		if (*one == '\0')
			continue;
		if (count == MOST_RULES || !parse_rule(one, &to[count++]))
			return -1;
	}
	return count;
}

static bool
check_setting(char **newval, void **extra, GucSource source)
{
	FaultRule	parsed[MOST_RULES];

	if (parse_rules(*newval, parsed) >= 0)
		return true;
	GUC_check_errdetail("A list of POINT=ACTION or POINT=ACTION@PASSING, with one of: tell, error, exit, kill, stop, wait.");
	return false;
}

static void
assign_setting(const char *newval, void *extra)
{
	rule_count = parse_rules(newval, rules);
}

/* ---- actions ---- */

/* Served by the server, and by the core, as any end of the process that cannot happen here and now. */
static void
ask_to_exit(void)
{
	kill(MyProcPid, SIGTERM);
}

static bool
is_asked_to_end(void)
{
	return ProcDiePending || (QueryCancelPending && InterruptHoldoffCount == 0);
}

/* Not by the postmaster's end: what its backends do after it is worth a test. Interrupts are left to the caller. */
static void
wait_for_release(const char *point)
{
	char		path[MAXPGPATH];
	int			fd;

	snprintf(path, sizeof(path), WAITING_DIRECTORY "/%s.%d", point, MyProcPid);
	(void) mkdir(WAITING_DIRECTORY, pg_dir_create_mode);
	fd = open(path, O_CREAT | O_WRONLY, pg_file_create_mode);
	if (fd < 0)
		return;
	close(fd);
	while (access(path, F_OK) == 0 && !is_asked_to_end())
		pg_usleep(5000);
	(void) unlink(path);
}

/* What can be done wherever it happens. */
static void
act_anywhere(const FaultRule *rule, const char *point)
{
	switch (rule->action)
	{
		case FAULT_KILL:
			kill(MyProcPid, SIGKILL);
			break;
		case FAULT_STOP:
			kill(MyProcPid, SIGSTOP);
			break;
		case FAULT_WAIT:
			wait_for_release(point);
			break;
		default:
			break;
	}
}

/* NULL: nothing but what has been done already. */
static const FaultRule *
rule_that_acts(const char *point)
{
	const FaultRule *acting = NULL;

	for (int i = 0; i < rule_count; i++)
	{
		FaultRule  *rule = &rules[i];

		if (strcmp(rule->point, point) != 0 && strcmp(rule->point, "*") != 0)
			continue;
		rule->passed++;
		if (rule->action != FAULT_TELL && rule->passed != rule->at)
			continue;
		ereport(LOG,
				(errmsg_internal("fault point \"%s\": %s", point, action_names[rule->action]),
				 errhidestmt(true),
				 errhidecontext(true)));
		act_anywhere(rule, point);
		acting = rule;
	}
	return acting;
}

/* ---- points ---- */

static void
pass(const char *point)
{
	const FaultRule *rule = rule_that_acts(point);

	if (rule != NULL && rule->action == FAULT_ERROR)
		ereport(ERROR,
				(errcode(MAKE_SQLSTATE('S', '3', 'V', 'F', 'P')),
				 errmsg("fault point \"%s\"", point)));
	if (rule != NULL && rule->action == FAULT_EXIT)
	{
		if (InterruptHoldoffCount > 0 || CritSectionCount > 0)
			ask_to_exit();
		else
			ereport(FATAL,
					(errcode(MAKE_SQLSTATE('S', '3', 'V', 'F', 'P')),
					 errmsg("fault point \"%s\"", point)));
	}
	CHECK_FOR_INTERRUPTS();
}

void
fault_point(const char *name)
{
	strlcpy(operation, name, Min(sizeof(operation), (size_t) (strchr(name, '.') - name + 1)));
	pass(name);
}

/* On top of frames of C++: nothing is raised here. */
static int
pass_in_core(const char *what)
{
	char		point[POINT_LENGTH];
	const FaultRule *rule;

	if (rule_count == 0)
		return 0;
	snprintf(point, sizeof(point), "%s.%s", operation[0] != '\0' ? operation : "other", what);
	rule = rule_that_acts(strchr(what, '.') != NULL ? what : point);
	if (rule != NULL && rule->action == FAULT_EXIT)
		ask_to_exit();
	return rule != NULL && rule->action == FAULT_ERROR;
}

void
fault_points_watch(s3v_store *store)
{
	s3v_store_watch(store, pass_in_core);
}

static void
pass_around_commit(const char *what)
{
	char		point[POINT_LENGTH];

	if (operation[0] == '\0')
		return;
	snprintf(point, sizeof(point), "%s.%s", operation, what);
	pass(point);
}

static void
around_transactions(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT)
		pass_around_commit("pre_commit");
	else
	{
		if (event == XACT_EVENT_COMMIT)
			pass_around_commit("post_commit");
		operation[0] = '\0';
	}
}

void
fault_points_define(void)
{
	DefineCustomStringVariable("s3v.fault_points",
							   "Points at which this test build fails, dies or waits.",
							   NULL,
							   &setting, "", PGC_SUSET, GUC_NOT_IN_SAMPLE,
							   check_setting, assign_setting, NULL);
	RegisterXactCallback(around_transactions, NULL);
}
