/* Loading: registers the settings and does nothing else that costs. No thread, no libcurl: the library may be preloaded. */
#include "postgres.h"

#include "fmgr.h"

#include "compat.h"
#include "fault_point.h"
#include "settings.h"

S3V_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	FAULT_POINTS_DEFINE();
	settings_define();
}
