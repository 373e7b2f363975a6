//! How far a found value may be from a golden one, for every parity test.
//!
//! A tolerance is what rounding explains. The numbers are in `tolerances.json` of the folder of
//! goldens (the committed file where another folder has none); the JSON file of a case may state
//! its own, see [`tolerance`].

use serde_json::Value;

use crate::folder::{committed, path, read_json};
use crate::values::number;

/// A quantity that the goldens of features and training state within rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Image and text features before they get unit length; absolute.
    Features,
    /// Features of unit length; absolute.
    UnitFeatures,
    /// Scaled cosines of image and class features; absolute.
    Logits,
    /// The loss and each of its terms; absolute.
    Loss,
    /// Gradient of one tensor; relative Frobenius norm.
    Gradient,
    /// Learned parameters, and their aggregate over the epochs; absolute.
    Prompts,
    /// Momentum of the optimiser, one tensor; relative Frobenius norm.
    Momentum,
}

/// When a value was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Before any update of the parameters, or in the first step.
    First,
    /// Later, when the rounding of earlier steps has been learned.
    Later,
}

impl Step {
    /// Of the step with this number; steps count from 0.
    pub fn number(step: usize) -> Self {
        if step == 0 { Self::First } else { Self::Later }
    }
}

/// The tolerance of a quantity at a step of the case with this JSON file (`Value::Null`: of none).
///
/// This is what the case states under `tolerances`. Where it states nothing, it is the number of
/// the table (the row of `trainers/` where the case names its trainer), and for a later step ten
/// times the largest `fp32_distance` of the case if that is more: two f32 implementations are a
/// small sample, and processors round differently.
///
/// # Panics
/// If the goldens state no tolerance for it.
pub fn tolerance(case: &Value, quantity: Quantity, step: Step) -> f64 {
    let names = names(quantity, step);
    if let Some(stated) = case["tolerances"][names.stated].as_f64() {
        return stated;
    }
    let table = table();
    let name = names.table;
    let tabled = match step {
        Step::First => &table["first_step"][name],
        Step::Later if case["trainer"].is_string() => {
            let trainers = &table["trainers_later_steps"][name];
            if trainers.is_null() {
                &table["later_steps"][name]
            } else {
                trainers
            }
        }
        Step::Later => &table["later_steps"][name],
    };
    let Some(tabled) = tabled.as_f64() else {
        panic!("the goldens state no tolerance for {quantity:?}, {step:?} step")
    };
    if step == Step::First {
        return tabled;
    }
    let distance = case["fp32_distance"]
        .as_object()
        .into_iter()
        .flat_map(|implementations| implementations.values())
        .filter_map(|one| one[names.distance?].as_f64())
        .fold(0.0, f64::max);
    tabled.max(number(&table["times_fp32_distance"]) * distance)
}

/// A tolerance that the JSON file of a case states, by its name under `tolerances`.
///
/// # Panics
/// If the case states none of that name.
pub fn stated(case: &Value, name: &str) -> f64 {
    case["tolerances"][name].as_f64().unwrap_or_else(|| {
        panic!(
            "the case states no tolerance {name:?}: {}",
            case["tolerances"]
        )
    })
}

/// A tolerance of the table that no case and no step changes, by its name there.
///
/// # Panics
/// If the table has no such name.
pub fn tabled(name: &str) -> f64 {
    let table = table();
    table[name]
        .as_f64()
        .unwrap_or_else(|| panic!("tolerances.json has no {name:?}"))
}

/// What a quantity is called in the table, and in a case's `tolerances` and `fp32_distance`.
struct Names {
    table: &'static str,
    stated: &'static str,
    distance: Option<&'static str>,
}

fn names(quantity: Quantity, step: Step) -> Names {
    let (table, first, later, distance) = match quantity {
        Quantity::Features => ("features", "", "", None),
        Quantity::UnitFeatures => ("unit_features", "fixed_text_features", "", None),
        Quantity::Logits => (
            "logits",
            "eval_logits_init",
            "eval_logits_final",
            Some("eval_logits_gpa"),
        ),
        Quantity::Loss => (
            "loss",
            "step0_loss",
            "later_loss",
            Some("total_loss_any_step"),
        ),
        Quantity::Gradient => (
            "gradient",
            "step0_grad_rel",
            "later_grad_rel",
            Some("any_step_grad_rel_fro"),
        ),
        Quantity::Prompts => (
            "prompts",
            "prompts_after_steps",
            "prompts_after_epochs",
            Some("prompts_after_epochs"),
        ),
        Quantity::Momentum => ("momentum", "", "momentum_rel", None),
    };
    Names {
        table,
        stated: match step {
            Step::First => first,
            Step::Later => later,
        },
        distance,
    }
}

fn table() -> Value {
    let of_folder = path("tolerances.json");
    read_json(&if of_folder.exists() {
        of_folder
    } else {
        committed().join("tolerances.json")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_step_gets_the_tables_number_and_no_more() {
        let deep = json!({"fp32_distance": {"a": {"total_loss_any_step": 1.0}}});
        for case in [Value::Null, deep] {
            assert_eq!(tolerance(&case, Quantity::Loss, Step::First), 1e-5);
        }
    }

    #[test]
    fn a_later_step_gets_ten_times_the_larger_distance_where_that_is_more() {
        let case = |a: f64, b: f64| {
            json!({"fp32_distance": {
                "a": {"eval_logits_gpa": a, "other": 1.0},
                "b": {"eval_logits_gpa": b},
            }})
        };
        let logits = |case: &Value| tolerance(case, Quantity::Logits, Step::Later);
        assert_eq!(logits(&case(3e-4, 2e-4)), 10.0 * 3e-4);
        assert_eq!(logits(&case(1e-6, 2e-6)), 2e-4);
        assert_eq!(logits(&Value::Null), 2e-4);
    }

    #[test]
    fn a_trainers_case_has_the_row_of_trainers_and_its_own_statement_before_that() {
        let plain = json!({"trainer": "CoOp"});
        assert_eq!(tolerance(&plain, Quantity::Logits, Step::Later), 5e-4);
        assert_eq!(tolerance(&plain, Quantity::Loss, Step::number(3)), 5e-5);
        let stated = json!({"trainer": "KgCoOp", "tolerances": {"eval_logits_final": 4.3e-5}});
        assert_eq!(tolerance(&stated, Quantity::Logits, Step::Later), 4.3e-5);
        assert_eq!(tolerance(&stated, Quantity::Logits, Step::number(0)), 5e-5);
    }
}
