//! The part of a benchmark that a scheduler gives to this process, by the variables that it sets.

use crate::args::{MOST_PARTS, Share};
use crate::failure::Failure;

/// Slurm: the number of this task in its array.
const SLURM_TASK: &str = "SLURM_ARRAY_TASK_ID";
/// Kubernetes: the number of this pod in its job, from 0.
const KUBERNETES_INDEX: &str = "JOB_COMPLETION_INDEX";
/// The number of pods, which Kubernetes does not set.
pub const KUBERNETES_COMPLETIONS: &str = "JOB_COMPLETIONS";

/// The part of this process, and the variables that say so. `variable` gives the value of one.
///
/// # Errors
/// [`Failure`] if there is no scheduler, there are two, or what it says makes no sense.
pub fn share(variable: &dyn Fn(&str) -> Option<String>) -> Result<(Share, String), Failure> {
    match (variable(SLURM_TASK), variable(KUBERNETES_INDEX)) {
        (Some(_), Some(_)) => Err(Failure::usage(format!(
            "--only auto: both {SLURM_TASK} and {KUBERNETES_INDEX} are set; give --only I/N"
        ))),
        (Some(task), None) => slurm(&task, variable),
        (None, Some(index)) => kubernetes(&index, variable),
        (None, None) => Err(Failure::usage(format!(
            "--only auto: neither {SLURM_TASK} (a Slurm job array) nor {KUBERNETES_INDEX} (an indexed \
             Kubernetes job) is set; outside of them give --only I/N"
        ))),
    }
}

/// Tasks of an array have numbers from MIN to MAX in steps of STEP.
fn slurm(
    task: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<(Share, String), Failure> {
    const MIN: &str = "SLURM_ARRAY_TASK_MIN";
    const MAX: &str = "SLURM_ARRAY_TASK_MAX";
    const STEP: &str = "SLURM_ARRAY_TASK_STEP";
    const COUNT: &str = "SLURM_ARRAY_TASK_COUNT";
    let id = number(SLURM_TASK, task)?;
    let given = |name: &str| match variable(name) {
        Some(value) => number(name, &value),
        None => Err(Failure::usage(format!(
            "--only auto: {SLURM_TASK} is set, but {name} is not; give --only I/N"
        ))),
    };
    let (min, count) = (given(MIN)?, given(COUNT)?);
    let step = match variable(STEP) {
        Some(value) => number(STEP, &value)?.max(1),
        None => 1,
    };
    let max = match variable(MAX) {
        Some(value) => number(MAX, &value)?,
        None => min.saturating_add(step.saturating_mul(count.saturating_sub(1))),
    };
    let even = min.checked_add(step.saturating_mul(count.saturating_sub(1))) == Some(max);
    let offset = id.checked_sub(min).filter(|offset| offset % step == 0);
    let part = offset.map(|offset| offset / step + 1);
    match part.and_then(|part| checked(part, count)).filter(|_| even) {
        Some(share) => Ok((
            share,
            format!("{SLURM_TASK}={id} of {min}-{max}:{step}, {COUNT}={count}"),
        )),
        None => Err(Failure::usage(format!(
            "--only auto: task {id} of the array {min}-{max}, {count} tasks in steps of {step}: parts need \
             an array of evenly spaced numbers, such as --array=1-{count}; give --only I/N"
        ))),
    }
}

fn kubernetes(
    index: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<(Share, String), Failure> {
    let Some(completions) = variable(KUBERNETES_COMPLETIONS) else {
        return Err(Failure::usage(format!(
            "--only auto: {KUBERNETES_INDEX} is set, but {KUBERNETES_COMPLETIONS} is not; set it to the \
             job's completions, as the manifest of --plan --format kubernetes does"
        )));
    };
    let index = number(KUBERNETES_INDEX, index)?;
    let completions = number(KUBERNETES_COMPLETIONS, &completions)?;
    match checked(index.saturating_add(1), completions) {
        Some(share) => Ok((
            share,
            format!("{KUBERNETES_INDEX}={index}, {KUBERNETES_COMPLETIONS}={completions}"),
        )),
        None => Err(Failure::usage(format!(
            "--only auto: {KUBERNETES_INDEX}={index} is not below \
             {KUBERNETES_COMPLETIONS}={completions}, which is at most {MOST_PARTS}"
        ))),
    }
}

fn checked(part: usize, parts: usize) -> Option<Share> {
    let right = (1..=parts).contains(&part) && parts <= MOST_PARTS;
    right.then_some(Share { part, parts })
}

fn number(name: &str, value: &str) -> Result<usize, Failure> {
    let wrong = |_| Failure::usage(format!("--only auto: {name}={value:?} is not a number"));
    value.trim().parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<(usize, usize), String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| value.to_string())
        };
        match share(&variable) {
            Ok((share, _)) => Ok((share.part, share.parts)),
            Err(error) => Err(error.to_string()),
        }
    }

    fn array(
        id: &str,
        min: &str,
        max: &str,
        step: &str,
        count: &str,
    ) -> Result<(usize, usize), String> {
        of(&[
            ("SLURM_ARRAY_TASK_ID", id),
            ("SLURM_ARRAY_TASK_MIN", min),
            ("SLURM_ARRAY_TASK_MAX", max),
            ("SLURM_ARRAY_TASK_STEP", step),
            ("SLURM_ARRAY_TASK_COUNT", count),
        ])
    }

    #[test]
    fn tasks_of_an_array_are_parts() {
        assert_eq!(array("1", "1", "4", "1", "4"), Ok((1, 4)));
        assert_eq!(array("3", "0", "3", "1", "4"), Ok((4, 4)));
        assert_eq!(array("12", "2", "17", "5", "4"), Ok((3, 4)));
        assert_eq!(array("7", "7", "7", "1", "1"), Ok((1, 1)));
    }

    #[test]
    fn arrays_with_gaps_and_senseless_numbers_are_refused() {
        // 1,3,7 has three tasks from 1 to 7.
        for id in ["1", "3", "7"] {
            assert!(
                array(id, "1", "7", "1", "3")
                    .unwrap_err()
                    .contains("evenly")
            );
        }
        assert!(array("5", "1", "4", "1", "4").is_err());
        assert!(array("0", "1", "4", "1", "4").is_err());
        assert!(array("1", "1", "0", "1", "0").is_err());
        assert!(
            array("one", "1", "4", "1", "4")
                .unwrap_err()
                .contains("not a number")
        );
        assert!(array("1", "1", "200000", "1", "200000").is_err());
        let alone = of(&[("SLURM_ARRAY_TASK_ID", "1")]).unwrap_err();
        assert!(alone.contains("SLURM_ARRAY_TASK_MIN"), "{alone}");
    }

    #[test]
    fn indices_of_a_job_are_parts() {
        let job = |index, completions| {
            of(&[
                ("JOB_COMPLETION_INDEX", index),
                ("JOB_COMPLETIONS", completions),
            ])
        };
        assert_eq!(job("0", "3"), Ok((1, 3)));
        assert_eq!(job("2", "3"), Ok((3, 3)));
        assert!(job("3", "3").is_err());
        assert!(job("-1", "3").is_err());
        let alone = of(&[("JOB_COMPLETION_INDEX", "1")]).unwrap_err();
        assert!(alone.contains("JOB_COMPLETIONS"), "{alone}");
    }

    #[test]
    fn no_scheduler_and_two_are_refused() {
        assert!(of(&[]).unwrap_err().contains("--only I/N"));
        let both = of(&[("SLURM_ARRAY_TASK_ID", "1"), ("JOB_COMPLETION_INDEX", "1")]);
        assert!(both.unwrap_err().contains("both"));
    }
}
