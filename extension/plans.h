/* Prepared statements kept for the session, by their text. */
#ifndef S3V_PLANS_H
#define S3V_PLANS_H

#include "postgres.h"

#include "executor/spi.h"

/*
 * The saved plan for sql with these argument types, prepared when it is not there yet. REQUIRES: SPI is connected. PostgreSQL
 * plans anew what DDL, or a role under row security, invalidated; rights are checked at each execution.
 */
extern SPIPlanPtr plan_get(const char *sql, int nargs, const Oid *types);

#endif
