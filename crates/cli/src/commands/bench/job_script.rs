//! `promptsrc bench ... --plan --format slurm|kubernetes`: a job that executes the same command in
//! parts, each resumed where it was interrupted.

use std::ffi::OsString;

use serde_json::json;

use crate::args::Scheduler;
use crate::failure::{Failure, STOPPED};
use crate::settings::{KUBERNETES_COMPLETIONS, SweepSettings};

/// Most parts unless the user says otherwise: as many tasks as Slurm's arrays have by default.
const MOST_TASKS: usize = 1000;
/// Processor cores of a part unless the user gives threads.
const CORES: usize = 4;

/// The text of the job. `arguments` are those of this process, its name included.
///
/// # Errors
/// [`Failure`] if an argument is not text, or there are more parts than runs.
pub fn of(
    scheduler: Scheduler,
    settings: &SweepSettings,
    arguments: &[OsString],
) -> Result<String, Failure> {
    let runs = settings.plan.runs.len();
    let parts = match settings.parts {
        Some(parts) if parts > runs => {
            return Err(Failure::usage(format!(
                "--parts {parts}: the benchmark has only {runs} runs"
            )));
        }
        Some(parts) => parts,
        None => runs.min(MOST_TASKS),
    };
    let arguments = repeated(arguments)?;
    let cores = settings.asked_threads.unwrap_or(CORES);
    let name = format!("promptsrc-{}", settings.protocol.name());
    Ok(match scheduler {
        Scheduler::Slurm => slurm(&name, parts, runs, cores, &arguments),
        Scheduler::Kubernetes => kubernetes(&name, parts, runs, cores, &arguments),
    })
}

/// The arguments without those that ask for the job, and with its part.
fn repeated(arguments: &[OsString]) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    let mut skip = false;
    for argument in arguments {
        let argument = argument.to_str().ok_or_else(|| {
            Failure::usage(format!(
                "--format: the argument {argument:?} is not UTF-8, so it cannot be written into a job"
            ))
        })?;
        if std::mem::take(&mut skip) {
            continue;
        }
        match argument {
            "--plan" => {}
            "--format" | "--parts" | "--threads" => skip = true,
            of if ["--format=", "--parts=", "--threads="]
                .iter()
                .any(|option| of.starts_with(option)) => {}
            _ => all.push(argument.to_string()),
        }
    }
    all.extend(["--only".to_string(), "auto".to_string()]);
    Ok(all)
}

fn slurm(name: &str, parts: usize, runs: usize, cores: usize, arguments: &[String]) -> String {
    let quoted: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
    format!(
        r#"#!/bin/bash
# {runs} runs in {parts} parts. Submit it in the folder that the paths are relative to: sbatch FILE
#SBATCH --job-name={name}
#SBATCH --array=1-{parts}
#SBATCH --cpus-per-task={cores}
#SBATCH --mem=4G
#SBATCH --time=24:00:00
#SBATCH --output={name}-%A_%a.log
#SBATCH --open-mode=append
# A task that is preempted, or comes near its time, is told 60 s before, saves its state and is queued
# again. So is one whose machine is lost; finished runs are not repeated.
#SBATCH --requeue
#SBATCH --signal=B:TERM@60

{command} --threads "${{SLURM_CPUS_PER_TASK:-{cores}}}" &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM
wait "$child"
code=$?
# A signal ends the first wait, not the program.
while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    code=$?
done
if [ "$code" -gt 128 ]; then
    wait "$child"
    code=$?
fi
if [ "$code" -eq {STOPPED} ]; then
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit "$code"
"#,
        command = quoted.join(" "),
    )
}

fn kubernetes(name: &str, parts: usize, runs: usize, cores: usize, arguments: &[String]) -> String {
    // JSON strings are YAML strings.
    let text = |text: &str| json!(text).to_string();
    // The program of the image, not of this machine.
    let mut command = vec![text("promptsrc")];
    command.extend(arguments.iter().skip(1).map(|argument| text(argument)));
    command.extend([text("--threads"), text(&cores.to_string())]);
    format!(
        r#"# {runs} runs in {parts} parts. Set the image and the claim of a volume that all pods can write to, in
# which the paths are; then: kubectl apply -f FILE
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
spec:
  completionMode: Indexed
  completions: {parts}
  parallelism: {parts}
  backoffLimitPerIndex: 3
  podFailurePolicy:
    rules:
      # Told to stop, with its state saved: it goes on in another pod.
      - action: Ignore
        onExitCodes:
          operator: In
          values: [{STOPPED}]
      # Its machine was taken away.
      - action: Ignore
        onPodConditions:
          - type: DisruptionTarget
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 30
      containers:
        - name: promptsrc
          image: promptsrc:{version}
          workingDir: /work
          command: [{command}]
          env:
            - name: {KUBERNETES_COMPLETIONS}
              value: "{parts}"
          resources:
            requests:
              cpu: "{cores}"
              memory: 4Gi
          volumeMounts:
            - name: work
              mountPath: /work
      volumes:
        - name: work
          persistentVolumeClaim:
            claimName: promptsrc
"#,
        command = command.join(", "),
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// A word of a shell command.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_repeated_without_what_asks_for_the_job() {
        let given = [
            "promptsrc",
            "bench",
            "few-shot",
            "--plan",
            "--root",
            "my data",
            "--format",
            "slurm",
            "--parts=3",
            "--seeds",
            "1,2",
            "--threads",
            "8",
        ];
        let given: Vec<OsString> = given.iter().map(Into::into).collect();
        let found = repeated(&given).expect("text");
        let expected = [
            "promptsrc",
            "bench",
            "few-shot",
            "--root",
            "my data",
            "--seeds",
            "1,2",
            "--only",
            "auto",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn words_of_a_command_are_quoted_where_the_shell_would_read_them() {
        assert_eq!(quoted("runs/a-b_c.1"), "runs/a-b_c.1");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
