//! The worker pool that this library grew from. A fixed number of workers take typed jobs from a bounded queue. The
//! program closes the queue and waits for all jobs.
//!
//! ```sh
//! cargo run --release --example worker_pool -- --workers 3 --jobs 10
//! ```

use std::error::Error;

use clap::Parser;

#[derive(Parser)]
#[command(about = "A fixed number of workers, a bounded queue of typed jobs, a wait for all of them")]
struct Options {
    /// How many workers
    #[arg(long, default_value_t = 3)]
    workers: usize,
    /// How many jobs
    #[arg(long, default_value_t = 10)]
    jobs: usize,
}

struct Job {
    id: usize,
}

fn process_job(id: usize) {
    println!("Processing job {id}...");
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let pool = filch::Pool::builder().workers(options.workers).build()?;

    // A queue of ten jobs. `submit` waits while the queue is full.
    let jobs = pool.queue().capacity(10).worker_state(|worker| worker).build(|worker, job: Job| {
        process_job(job.id);
        println!("Worker {worker} finished job {}", job.id);
    })?;
    for id in 0..options.jobs {
        jobs.submit(Job { id })?;
    }
    jobs.close();
    jobs.wait();
    println!("All jobs have been processed");
    Ok(())
}
