//! The thread of the model: what waits becomes a batch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::bounds::Bounds;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::queue::{Answer, Job, Message, Work};

/// Computes answers. It may panic.
pub(crate) trait Engine {
    /// The answer of each request.
    fn answer(&mut self, batch: &[&Work]) -> Vec<Result<Answer, Problem>>;
}

/// Answers until there are no more jobs.
pub(crate) fn work(
    engine: &mut dyn Engine,
    jobs: &mut UnboundedReceiver<Message>,
    bounds: &Bounds,
    metrics: &Metrics,
) {
    while let Some(Message::Job(first)) = jobs.blocking_recv() {
        if !bounds.batch_delay.is_zero() && images(&first) < bounds.max_batch {
            std::thread::sleep(bounds.batch_delay);
        }
        let mut batch = vec![first];
        let mut is_last = false;
        while batch.iter().map(images).sum::<usize>() < bounds.max_batch {
            match jobs.try_recv() {
                Ok(Message::Job(job)) => batch.push(job),
                Ok(Message::End) => {
                    is_last = true;
                    break;
                }
                Err(_) => break,
            }
        }
        // Nobody waits any more for those whose client has gone or whose time is over.
        batch.retain(|job| !job.reply.is_closed());
        if !batch.is_empty() {
            for job in &batch {
                metrics.waited.observe(job.since.elapsed().as_secs_f64());
            }
            metrics.batch_requests.observe(batch.len() as f64);
            let start = Instant::now();
            answer(engine, batch);
            metrics.computed.observe(start.elapsed().as_secs_f64());
        }
        if is_last {
            return;
        }
    }
}

/// Places of the batch that a job takes.
fn images(job: &Job) -> usize {
    job.work.images.len().max(1)
}

/// Answers a batch. If the engine panics, each request is tried alone, so that one cannot spoil the others.
fn answer(engine: &mut dyn Engine, batch: Vec<Job>) {
    let works: Vec<&Work> = batch.iter().map(|job| &job.work).collect();
    let answers = catch_unwind(AssertUnwindSafe(|| engine.answer(&works)));
    match answers {
        Ok(answers) => {
            let mut answers = answers.into_iter();
            for job in batch {
                let answer = answers.next().unwrap_or_else(|| Err(Problem::internal()));
                reply(job, answer);
            }
        }
        Err(_) if batch.len() == 1 => {
            for job in batch {
                reply(job, Err(Problem::internal()));
            }
        }
        Err(_) => {
            for job in batch {
                answer(engine, vec![job]);
            }
        }
    }
}

fn reply(job: Job, answer: Result<Answer, Problem>) {
    let Job { reply, places, .. } = job;
    // The places are free before the client can ask again.
    drop(places);
    let _ = reply.send(answer);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::*;
    use crate::queue::{Question, Queue};

    /// Panics where a text says so, and answers how many requests were in the batch.
    struct Fragile;

    impl Engine for Fragile {
        fn answer(&mut self, batch: &[&Work]) -> Vec<Result<Answer, Problem>> {
            let bad = |work: &&&Work| matches!(&work.question, Question::Embed { texts } if texts.iter().any(|t| t == "panic"));
            assert!(batch.iter().find(bad).is_none(), "as asked");
            let size = batch.len() as f32;
            let answer = |_: &&Work| Ok(Answer::Features(vec![], vec![vec![size]]));
            batch.iter().map(answer).collect()
        }
    }

    fn embed(text: &str) -> Work {
        Work {
            images: vec![],
            question: Question::Embed {
                texts: vec![text.to_string()],
            },
        }
    }

    type Reply = oneshot::Receiver<Result<Answer, Problem>>;

    fn run(texts: &[&str]) -> Vec<Reply> {
        let bounds = Bounds::default();
        let metrics = Arc::new(Metrics::default());
        let (queue, mut jobs) = Queue::new(&bounds, &metrics);
        let mut replies = Vec::new();
        let mut pending = Vec::new();
        for text in texts {
            let (reply, answer) = oneshot::channel();
            let places = queue.places(0).expect("a place");
            pending.push(Job {
                work: embed(text),
                reply,
                since: Instant::now(),
                places,
            });
            replies.push(answer);
        }
        for job in pending {
            queue.send(job).expect("a receiver");
        }
        queue.end();
        work(&mut Fragile, &mut jobs, &bounds, &metrics);
        assert_eq!(metrics.queued.get(), 0, "all places are free again");
        replies
    }

    fn size(reply: &mut Reply) -> Result<f32, u16> {
        match reply.try_recv().expect("an answer") {
            Ok(Answer::Features(_, texts)) => Ok(texts[0][0]),
            Ok(other) => panic!("{other:?}"),
            Err(problem) => Err(problem.status.as_u16()),
        }
    }

    #[test]
    fn what_waits_becomes_one_batch() {
        for reply in &mut run(&["a", "b", "c"]) {
            assert_eq!(size(reply), Ok(3.0));
        }
    }

    #[test]
    fn a_request_that_panics_fails_alone() {
        let mut replies = run(&["a", "panic", "c"]);
        let sizes: Vec<_> = replies.iter_mut().map(size).collect();
        assert_eq!(sizes, [Ok(1.0), Err(500), Ok(1.0)]);
    }
}
