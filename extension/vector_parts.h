/* What vectors.c and vector_text.c share. */
#ifndef S3V_VECTOR_PARTS_H
#define S3V_VECTOR_PARTS_H

#include "postgres.h"

#include "source.h"

/* Why a value is no vector: raised, or told to whoever knows the row. */
typedef struct VectorProblem
{
	int			sqlstate;		/* 0: none */
	char	   *detail;
} VectorProblem;

/* Each of these notes the problem; it is up to the caller to go on or not. */
extern bool vector_has_too_many(int dimensions, VectorProblem *problem);
extern void vector_refuse_subscripts(VectorProblem *problem);
extern void vector_refuse_nulls(VectorProblem *problem);

extern float *vector_allocate(int count);

/* NULL, and a problem, or raises 22P02 for what is no vector at all. */
extern float *vector_text_values(const char *text, int *dimensions, VectorProblem *problem);

#endif
