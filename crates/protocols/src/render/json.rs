//! Tables as JSON.

use serde_json::{Map, Value, json};

use crate::published::PAPER;
use crate::table::{Cell, Row, Table};

pub(super) fn json(table: &Table) -> Value {
    let rows = |rows: &[Row]| -> Value {
        let row = |row: &Row| {
            let cells = table.columns.iter().zip(&row.cells);
            let cells: Map<String, Value> = cells
                .map(|(column, cell)| (column.key(), cell.as_ref().map_or(Value::Null, json_cell)))
                .collect();
            (row.method.clone(), Value::Object(cells))
        };
        Value::Object(rows.iter().map(row).collect())
    };
    let sets: Map<String, Value> = table
        .data_sets
        .iter()
        .map(|(name, of_it)| (name.clone(), rows(of_it)))
        .collect();
    let missing: Vec<String> = table
        .missing
        .iter()
        .map(|run| run.path().to_string_lossy().into_owned())
        .collect();
    json!({
        "protocol": table.protocol.name(),
        "shots": table.shots,
        "seeds": table.seeds,
        "complete": missing.is_empty(),
        "missing": missing,
        "sets": sets,
        "average": rows(&table.average),
        "deviation": "population",
        "published_source": PAPER,
    })
}

fn json_cell(cell: &Cell) -> Value {
    json!({
        "mean": cell.mean,
        "deviation": cell.standard_deviation,
        "interval95": cell.interval,
        "runs": cell.runs,
        "published": cell.published,
        "difference": cell.difference(),
    })
}
