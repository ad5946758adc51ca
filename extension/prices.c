/* The table s3v.price: reading it, and the trigger that lets a new row take the place of the old one. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "plans.h"
#include "prices.h"

static const char *const items[PRICES] = {
	[PRICE_S3_GET] = "s3.get",
	[PRICE_S3_PUT] = "s3.put",
	[PRICE_S3_STORAGE] = "s3.storage",
	[PRICE_S3_TRANSFER] = "s3.transfer",
	[PRICE_REMOTE_STORAGE] = "s3vectors.storage",
	[PRICE_REMOTE_PUT] = "s3vectors.put",
	[PRICE_REMOTE_QUERY] = "s3vectors.query",
	[PRICE_REMOTE_PROCESSED_FIRST] = "s3vectors.processed_first",
	[PRICE_REMOTE_PROCESSED_MIDDLE] = "s3vectors.processed_middle",
	[PRICE_REMOTE_PROCESSED_LAST] = "s3vectors.processed_last",
	[PRICE_REMOTE_RETURNED] = "s3vectors.returned",
	[PRICE_MEMORY_DATABASE] = "memory.database",
	[PRICE_MEMORY_MACHINE] = "memory.machine",
};

const char *
price_item(S3vPrice price)
{
	return items[price];
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

/* Rows of the user's own that nothing here reckons with are passed over. */
static void
note_row(S3vPrices *prices, MemoryContext context, HeapTuple row, TupleDesc columns)
{
	char	   *item = SPI_getvalue(row, columns, 1);
	bool		is_null;

	for (int i = 0; i < PRICES; i++)
	{
		if (strcmp(item, items[i]) != 0)
			continue;
		prices->usd[i] = DatumGetFloat8(SPI_getbinval(row, columns, 2, &is_null));
		prices->as_of[i] = MemoryContextStrdup(context, SPI_getvalue(row, columns, 3));
	}
	pfree(item);
}

S3vPrices *
prices_read(void)
{
	MemoryContext context = CurrentMemoryContext;
	S3vPrices  *prices = palloc0(sizeof(S3vPrices));

	for (int i = 0; i < PRICES; i++)
		prices->usd[i] = -1;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_plan(plan_get("SELECT item, usd, coalesce(pg_catalog.to_char(as_of, 'YYYY-MM-DD'), '') FROM s3v.price", 0, NULL), NULL, NULL, true,
						 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read table \"s3v.price\"");
	for (uint64 i = 0; i < SPI_processed; i++)
		note_row(prices, context, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	SPI_finish();
	return prices;
}

double
price_of(const S3vPrices *prices, S3vPrice price)
{
	if (prices->usd[price] < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"s3v.price\" has no row \"%s\"", items[price]),
				 errhint("INSERT INTO s3v.price (item, usd, unit) VALUES ('%s', ...).", items[price])));
	return prices->usd[price];
}

bool
prices_of_service(const S3vPrices *prices, s3v_remote_prices *service)
{
	for (S3vPrice i = PRICE_REMOTE_STORAGE; i <= PRICE_REMOTE_RETURNED; i++)
	{
		if (prices->usd[i] < 0)
			return false;
	}
	service->stored_gb_month = prices->usd[PRICE_REMOTE_STORAGE];
	service->put_gb = prices->usd[PRICE_REMOTE_PUT];
	service->query = prices->usd[PRICE_REMOTE_QUERY];
	service->processed_tb_first = prices->usd[PRICE_REMOTE_PROCESSED_FIRST];
	service->processed_tb_middle = prices->usd[PRICE_REMOTE_PROCESSED_MIDDLE];
	service->processed_tb_last = prices->usd[PRICE_REMOTE_PROCESSED_LAST];
	service->returned_gb = prices->usd[PRICE_REMOTE_RETURNED];
	return true;
}

/* ---- a new row for an item that is there ------------------------------------------------------------------------------------ */

PG_FUNCTION_INFO_V1(s3v_price_replace);

/* Deletes the item's row; what it was when the extension came, else NULL. */
static Datum
take_out(Datum item, bool *is_null)
{
	Oid			type = TEXTOID;
	Datum		list_usd = (Datum) 0;

	*is_null = true;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_plan(plan_get("DELETE FROM s3v.price WHERE item OPERATOR(pg_catalog.=) $1 RETURNING list_usd", 1, &type), &item, NULL,
						 false, 0) != SPI_OK_DELETE_RETURNING)
		elog(ERROR, "could not delete from table \"s3v.price\"");
	if (SPI_processed > 0)
		list_usd = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, is_null);
	SPI_finish();
	return list_usd;
}

Datum
s3v_price_replace(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	columns;
	HeapTuple	row;
	Datum		item;
	Datum		list_usd;
	int			list_column;
	bool		is_null;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("s3v.price_replace() was not called before the insert of a row")));
	columns = RelationGetDescr(trigger->tg_relation);
	row = trigger->tg_trigtuple;
	item = heap_getattr(row, SPI_fnumber(columns, "item"), columns, &is_null);
	if (is_null)
		return PointerGetDatum(row);	/* the constraint says it */
	list_usd = take_out(item, &is_null);
	if (is_null)
		return PointerGetDatum(row);
	list_column = SPI_fnumber(columns, "list_usd");
	return PointerGetDatum(heap_modify_tuple_by_cols(row, columns, 1, &list_column, &list_usd, &is_null));
}
