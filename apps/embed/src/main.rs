//! `embed`: turns text into vectors, keeps them in an index, and finds text by meaning. `README.md` shows how.

mod args;
mod report;

use std::fmt::Display;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use filch::Pool;
use filch_embed::failure::Failure;
use filch_embed::index::reader::Index;
use filch_embed::index::writer::Update;
use filch_embed::interrupt::Interrupt;
use filch_embed::lines;
use filch_embed::model::{Model, Scratch};
use filch_embed::pipeline::Limits;
use filch_embed::search::{hit, nearest};
use filch_embed::update::{Report, update};
use filch_embed::walk::Roots;
use filch_embed::watch::{self, Watch};

use crate::args::{Args, Command, IndexArgs, SearchArgs, VectorsArgs};

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match &args.command {
        Command::Index(args) => run_index(args),
        Command::Watch(args) => run_watch(args),
        Command::Search(args) => run_search(args),
        Command::Vectors(args) => run_vectors(args),
    };
    let Err(failure) = result else { return ExitCode::SUCCESS };
    let code = failure.exit_code();
    if code != 0 {
        complain(&failure);
    }
    ExitCode::from(code)
}

/// Says something beside the output. An error is ignored: there is nobody to tell.
fn complain(what: &dyn Display) {
    let _ = writeln!(io::stderr(), "embed: {what}");
}

fn pool(workers: Option<usize>) -> Result<Pool, Failure> {
    let builder = Pool::builder().name("embed");
    let builder = match workers {
        Some(workers) => builder.workers(workers),
        None => builder,
    };
    builder.build().map_err(|error| match error {
        filch::BuildError::Spawn { .. } => Failure::Other(error.to_string()),
        _ => Failure::Usage(error.to_string()),
    })
}

/// The model for an index: that of the vectors that are there, if there are any.
fn model_for(index: &Path, folder: Option<&Path>) -> Result<Arc<Model>, Failure> {
    let model = match Index::open_if_there(index)? {
        Some(index) => Model::of_index(index.model(), folder)?,
        None => Model::find(folder)?,
    };
    Ok(Arc::new(model))
}

fn run_index(args: &IndexArgs) -> Result<(), Failure> {
    let interrupt = Interrupt::listen(|| {})?;
    let model = model_for(&args.index, args.model.as_deref())?;
    let mut out = io::stdout().lock();
    writeln!(out, "embed: {}", model.notice())?;
    let pool = pool(args.workers)?;
    let roots = Roots::new(&args.paths, &args.index)?;
    let report = index(&pool, &model, &roots, args, &interrupt)?;
    report::index(&mut out, &report)?;
    if report.met.interrupted {
        return Err(Failure::Interrupted(
            "interrupted: the index has the files that were done; run the same command to go on".to_owned(),
        ));
    }
    Ok(())
}

fn index(
    pool: &Pool,
    model: &Arc<Model>,
    roots: &Roots,
    args: &IndexArgs,
    interrupt: &Interrupt,
) -> Result<Report, Failure> {
    let begun = Update::begin(&args.index, model.identity())?;
    let limits = Limits { largest_file: args.max_file_mb.saturating_mul(1_000_000) };
    let report = update(pool, model, roots, begun, limits, interrupt)?;
    // An error is ignored: there may be no reader of complaints, and the figures contain their number anyway.
    let _ = report::unreadable(&mut io::stderr().lock(), &report.met);
    Ok(report)
}

fn run_watch(args: &IndexArgs) -> Result<(), Failure> {
    let (sender, receiver) = watch::channel();
    let interrupt = Interrupt::listen({
        let sender = sender.clone();
        move || {
            // The receiver has gone only if the program ends.
            let _ = sender.send(watch::Event::Ended);
        }
    })?;
    let model = model_for(&args.index, args.model.as_deref())?;
    let mut out = io::stdout().lock();
    writeln!(out, "embed: {}", model.notice())?;
    let pool = pool(args.workers)?;
    let roots = Roots::new(&args.paths, &args.index)?;
    // Before the first run: what changes during it is seen by the next one.
    let watch = Watch::new(&roots, (sender, receiver))?;
    loop {
        match index(&pool, &model, &roots, args, &interrupt) {
            Ok(report) => report::index(&mut out, &report)?,
            // The change is seen by that program, or by the next run.
            Err(busy @ Failure::Busy(_)) => complain(&busy),
            Err(failure) => return Err(failure),
        }
        out.flush()?;
        if interrupt.came() || !watch.wait()? {
            return Ok(());
        }
    }
}

fn run_search(args: &SearchArgs) -> Result<(), Failure> {
    let index = Index::open(&args.index)?;
    let model = Model::of_index(index.model(), args.model.as_deref())?;
    let mut query = vec![0.0; model.dimensions()];
    if !model.embed(&args.words, &mut Scratch::default(), &mut query)? {
        return Err(Failure::Usage("the query has no token: give some words".to_owned()));
    }
    let pool = pool(args.workers)?;
    let best = nearest(&pool, &index, &query, args.top);
    let hits: Vec<_> = best.into_iter().map(|near| hit(&index, near)).collect();
    for why in hits.iter().filter_map(|hit| hit.missing.as_ref()) {
        complain(why);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        complain(&model.notice());
        serde_json::to_writer(&mut out, &hits).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        writeln!(out, "embed: {}", model.notice())?;
        report::hits(&mut out, &hits)?;
    }
    Ok(out.flush()?)
}

fn run_vectors(args: &VectorsArgs) -> Result<(), Failure> {
    let model = Arc::new(Model::find(args.model.as_deref())?);
    complain(&model.notice());
    let pool = pool(args.workers)?;
    let mut input = BufReader::with_capacity(1 << 16, io::stdin().lock());
    let counts = lines::vectors(&pool, &model, &mut input, io::stdout())?;
    report::lines(counts);
    Ok(())
}
