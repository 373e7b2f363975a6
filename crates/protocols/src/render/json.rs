//! Tables as JSON.

use serde_json::{Map, Value, json};

use super::text::{rows as all_rows, sources, with_best};
use crate::paired::{Paired, PairedTest};
use crate::published_file::PAPER;
use crate::table::{Cell, Made, Row, Table};

pub(super) fn json(table: &Table) -> Value {
    let rows = |rows: &[Row]| -> Value {
        let row = |(row, best): (&Row, Vec<bool>)| {
            let cells = table.columns.iter().zip(&row.cells).zip(best);
            let cells = cells.enumerate().map(|(i, ((column, cell), best))| {
                let against = row.against.get(i).and_then(Option::as_ref);
                let cell = cell.as_ref().map(|cell| json_cell(cell, best, against));
                (column.key(), cell.unwrap_or_default())
            });
            (row.method.clone(), Value::Object(cells.collect()))
        };
        let own = with_best(rows).filter(|(row, _)| row.published.is_none());
        Value::Object(own.map(row).collect())
    };
    let published = |rows: &[Row]| -> Value {
        let row = |row: &Row| {
            let cells = table.columns.iter().zip(&row.cells);
            let cells: Map<String, Value> = cells
                .map(|(column, cell)| (column.key(), json!(cell.as_ref().map(|c| c.mean))))
                .collect();
            (row.method.clone(), Value::Object(cells))
        };
        Value::Object(
            rows.iter()
                .filter(|row| row.published.is_some())
                .map(row)
                .collect(),
        )
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
        Value::Object(
            rows.iter()
                .filter(|row| row.published.is_none())
                .map(row)
                .collect(),
        )
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
        Value::Object(
            rows.iter()
                .filter(|row| row.published.is_none())
                .map(row)
                .collect(),
        )
    });
    let sets: Map<String, Value> = table
        .data_sets
        .iter()
        .map(|(name, of_it)| (name.clone(), rows(of_it)))
        .collect();
    let of_methods = |of: &dyn Fn(&Row) -> Option<Value>| -> Value {
        let rows = all_rows(table).filter(|row| row.published.is_none());
        let found = rows.filter_map(|row| Some((row.method.clone(), of(row)?)));
        Value::Object(found.collect())
    };
    let needs = of_methods(&|row| (!row.needs.is_empty()).then(|| json!(row.needs)));
    let fixed_classes = of_methods(&|row| row.fixed_classes.then(|| json!(true)));
    let sources = sources(table).into_iter().flat_map(|(source, methods)| {
        let value = json!({
            "source": source.name,
            "read_in": source.read_in,
            "note": source.note,
        });
        methods
            .into_iter()
            .map(move |method| (method, value.clone()))
    });
    let sources: Map<String, Value> = sources.collect();
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
        "baseline": table.baseline,
        "needs": needs,
        "fixed_classes": fixed_classes,
        "published_source": PAPER.name,
        "published_sources": sources,
        "group": table.group,
        "made": made,
        "comparison": comparison,
        "published": of_sets(&published),
    })
}

fn json_cell(cell: &Cell, best: bool, against: Option<&Paired>) -> Value {
    let mut value = json!({
        "mean": cell.mean,
        "deviation": cell.standard_deviation,
        "interval95": cell.interval,
        "runs": cell.runs,
        "published": cell.published,
        "difference": cell.difference(),
        "best": best,
    });
    if let Some(against) = against {
        let Paired {
            difference,
            pairs,
            data_sets,
        } = against;
        value["against_baseline"] = json!({
            "difference": difference,
            "over_pairs": json_test(pairs),
            "over_data_sets": json_test(data_sets),
        });
    }
    value
}

/// Number of pairs, and the p-value or why there is none.
fn json_test(PairedTest { n, p }: &PairedTest) -> Value {
    json!({
        "n": n,
        "p": p.ok(),
        "no_p_because": p.err().map(|none| none.text()),
    })
}
