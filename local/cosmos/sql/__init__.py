"""The subset of Cosmos DB's SQL: parse once a text, plan once a request, run over a partition.

SELECT * | VALUE c.x | VALUE COUNT(1) | c.a, c.b.d AS e, with TOP; FROM c; WHERE of AND, OR, NOT,
comparisons, IN, IS_DEFINED, STARTSWITH, ARRAY_CONTAINS; ORDER BY properties; OFFSET LIMIT;
parameters. Everything else is refused by name.
"""

from .parser import parse
from .plan import Plan, plan
from .syntax import SqlError
from .values import UNDEFINED

__all__ = ["UNDEFINED", "Plan", "SqlError", "parse", "plan"]
