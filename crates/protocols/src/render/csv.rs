//! Tables as comma-separated values, one number per line.

use super::text::blocks;
use crate::column::Column;
use crate::table::Table;

pub(super) fn csv(tables: &[Table]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = [
        "protocol",
        "shots",
        "data_set",
        "method",
        "metric",
        "mean",
        "deviation",
        "interval95",
        "runs",
        "published",
        "difference",
    ];
    // Writing to memory does not fail.
    let _ = writer.write_record(head);
    for table in tables {
        for (name, rows) in blocks(table) {
            for row in rows {
                for (column, cell) in table.columns.iter().zip(&row.cells) {
                    let Some(cell) = cell else { continue };
                    let shots = match (column, &table.shots[..]) {
                        (Column::Shots(shots), _) => shots.to_string(),
                        (_, [shots]) => shots.to_string(),
                        _ => String::new(),
                    };
                    let metric = match column {
                        Column::Shots(_) => "accuracy".to_string(),
                        column => column.key(),
                    };
                    let optional =
                        |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
                    let _ = writer.write_record([
                        table.protocol.name(),
                        &shots,
                        name,
                        &row.method,
                        &metric,
                        &cell.mean.to_string(),
                        &optional(cell.standard_deviation),
                        &optional(cell.interval),
                        &cell.runs.to_string(),
                        &optional(cell.published),
                        &optional(cell.difference()),
                    ]);
                }
            }
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
