//! Tables as JSON.

use serde_json::{Map, Value, json};

use crate::published::PAPER;
use crate::table::{Cell, Made, Row, Table};

pub(super) fn json(table: &Table) -> Value {
    let rows = |rows: &[Row]| -> Value {
        let row = |row: &Row| {
            let cells = table.columns.iter().zip(&row.cells);
            let cells: Map<String, Value> = cells
                .map(|(column, cell)| (column.key(), cell.as_ref().map_or(Value::Null, json_cell)))
                .collect();
            (row.method.clone(), Value::Object(cells))
        };
        Value::Object(rows.iter().filter(|row| !row.published).map(row).collect())
    };
    let published = |rows: &[Row]| -> Value {
        let row = |row: &Row| {
            let cells = table.columns.iter().zip(&row.cells);
            let cells: Map<String, Value> = cells
                .map(|(column, cell)| (column.key(), json!(cell.as_ref().map(|c| c.mean))))
                .collect();
            (row.method.clone(), Value::Object(cells))
        };
        Value::Object(rows.iter().filter(|row| row.published).map(row).collect())
    };
    let all = || {
        let sets = table
            .data_sets
            .iter()
            .map(|(name, rows)| (name.as_str(), rows));
        sets.chain([("average", &table.average)])
    };
    let of_sets = |one: &dyn Fn(&[Row]) -> Value| -> Value {
        Value::Object(
            all()
                .map(|(name, rows)| (name.to_string(), one(rows)))
                .collect(),
        )
    };
    let comparison = of_sets(&|rows| {
        let row = |row: &Row| {
            let value = json!({ "differs": row.differs, "unverified": row.unverified });
            (row.method.clone(), value)
        };
        Value::Object(rows.iter().filter(|row| !row.published).map(row).collect())
    });
    let made = of_sets(&|rows| {
        let row = |row: &Row| {
            let Made {
                clips,
                precisions,
                epochs,
                programs,
            } = &row.made;
            let seeds: Vec<Value> = row
                .by_seed
                .iter()
                .map(|(seed, values)| {
                    let columns = table.columns.iter().map(|column| column.key());
                    let values: Map<String, Value> = columns
                        .zip(values.iter().map(|value| json!(value)))
                        .collect();
                    json!({ "seed": seed, "values": values })
                })
                .collect();
            let value = json!({
                "clip": clips,
                "precision": precisions,
                "epochs": epochs,
                "program": programs,
                "seeds": seeds,
            });
            (row.method.clone(), value)
        };
        Value::Object(rows.iter().filter(|row| !row.published).map(row).collect())
    });
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
        "group": table.group,
        "made": made,
        "comparison": comparison,
        "published": of_sets(&published),
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
