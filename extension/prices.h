/* The table s3v.price: dollars that its users may edit. */
#ifndef S3V_PRICES_H
#define S3V_PRICES_H

#include "postgres.h"

#include "../src/api/s3v_remote_c.h"

typedef enum S3vPrice
{
	PRICE_S3_GET,
	PRICE_S3_PUT,
	PRICE_S3_STORAGE,
	PRICE_S3_TRANSFER,
	PRICE_REMOTE_STORAGE,
	PRICE_REMOTE_PUT,
	PRICE_REMOTE_QUERY,
	PRICE_REMOTE_PROCESSED_FIRST,
	PRICE_REMOTE_PROCESSED_MIDDLE,
	PRICE_REMOTE_PROCESSED_LAST,
	PRICE_REMOTE_RETURNED,
	PRICE_MEMORY_DATABASE,
	PRICE_MEMORY_MACHINE,
	PRICES
} S3vPrice;

typedef struct S3vPrices
{
	double		usd[PRICES];	/* -1: no such row */
	const char *as_of[PRICES];
} S3vPrices;

extern const char *price_item(S3vPrice price);

/* Read as the caller, under the active snapshot; in the current memory context. */
extern S3vPrices *prices_read(void);

/* Raises 55000 where the row is gone. */
extern double price_of(const S3vPrices *prices, S3vPrice price);

/* What the service's formula wants; false where a row of these is gone. */
extern bool prices_of_service(const S3vPrices *prices, s3v_remote_prices *service);

#endif
