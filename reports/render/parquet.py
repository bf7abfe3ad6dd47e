"""A Result as Parquet: typed columns; units and definitions stand in each field's metadata.

Nothing runs a cell of it, so texts are as they were written. The same result gives the same bytes.
"""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq

from engagement.families import METRIC_VERSION, Column, Result

_TYPES = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "string": pa.string(),
    "date": pa.date32(),
}


def to_parquet(result: Result, about: dict[str, str]) -> bytes:
    """The result's columns and rows. `about` is told in the file's own metadata.

    Raises pyarrow.ArrowInvalid for a cell that is not of its column's type.
    """
    resource = result.resource
    told = {
        "resource": resource.name,
        "family": resource.family,
        "metric_version": METRIC_VERSION,
        "sample": "true" if result.sample else "false",
        **about,
    }
    schema = pa.schema([_field(c) for c in resource.columns], metadata=told)
    arrays = [pa.array(list(result.data[f.name]), type=f.type) for f in schema]
    out = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=schema), out, compression="zstd", version="2.6"
    )
    return out.getvalue()


def _field(column: Column) -> pa.Field:
    told = {
        "unit": column.unit,
        "title": column.title.get("en", column.name),
        "title_zh": column.title.get("zh", column.name),
        "description": column.definition.get("en", ""),
        "description_zh": column.definition.get("zh", ""),
    }
    return pa.field(column.name, _TYPES[column.type], metadata={k: v for k, v in told.items() if v})
