//! Several jobs at once, each on one thread.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};

/// Does the jobs in their order, `threads` at a time, and returns their results in that order. The
/// arithmetic of a job runs on one thread, its own: a step of a small model is too short to be
/// divided. After a failure no further job is started.
///
/// # Errors
/// The first failure, in the order of the jobs.
pub fn one_per_thread<J, R, E>(
    jobs: &[J],
    threads: usize,
    work: impl Fn(&J) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E>
where
    J: Sync,
    R: Send,
    E: Send + From<ThreadPoolBuildError>,
{
    let threads = threads.min(jobs.len()).max(1);
    let pools = (0..threads)
        .map(|_| ThreadPoolBuilder::new().num_threads(1).build())
        .collect::<Result<Vec<_>, _>>()?;
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let found: Mutex<Vec<(usize, Result<R, E>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for pool in &pools {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(i) else { break };
                    let result = pool.install(|| work(job));
                    if result.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    if let Ok(mut found) = found.lock() {
                        found.push((i, result));
                    }
                }
            });
        }
    });
    let mut found = found
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|(i, _)| *i);
    found.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Problem {
        Pool,
        Job(u32),
    }

    impl From<ThreadPoolBuildError> for Problem {
        fn from(_: ThreadPoolBuildError) -> Self {
            Self::Pool
        }
    }

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let jobs: Vec<u32> = (0..50).collect();
        for threads in [0, 1, 3, 100] {
            let doubled = one_per_thread(&jobs, threads, |job| {
                assert_eq!(rayon::current_num_threads(), 1);
                Ok::<_, Problem>(2 * job)
            });
            assert_eq!(doubled, Ok((0..50).map(|job| 2 * job).collect()));
        }
        let none = one_per_thread(&[], 2, |job: &u32| Ok::<_, Problem>(*job));
        assert_eq!(none, Ok(Vec::new()));
    }

    #[test]
    fn no_job_is_started_after_a_failure() {
        let jobs: Vec<u32> = (0..1000).collect();
        let done = AtomicUsize::new(0);
        let result = one_per_thread(&jobs, 2, |job| {
            done.fetch_add(1, Ordering::Relaxed);
            match job {
                3.. => Err(Problem::Job(*job)),
                _ => Ok(*job),
            }
        });
        assert!(matches!(result, Err(Problem::Job(3..))), "{result:?}");
        assert!(done.into_inner() < 10);
    }
}
