//! Files of prices: a name and nanoseconds a line.

use std::fmt::Write;
use std::path::Path;

use filch_lab_machine::{Costs, Time, nanos};

/// The price that has a name.
type Price = (&'static str, fn(&mut Costs) -> &mut Time);

const PRICES: &[Price] = &[
    ("hit", |costs| &mut costs.hit),
    ("rmw", |costs| &mut costs.rmw),
    ("transfer", |costs| &mut costs.transfer),
    ("stream", |costs| &mut costs.stream),
    ("occupied", |costs| &mut costs.occupied),
    ("fence", |costs| &mut costs.fence),
    ("pause", |costs| &mut costs.pause),
    ("clock", |costs| &mut costs.clock),
    ("call", |costs| &mut costs.call),
    ("wake", |costs| &mut costs.wake),
    ("shallow", |costs| &mut costs.shallow),
    ("deep_after", |costs| &mut costs.deep_after),
    ("deep", |costs| &mut costs.deep),
    ("switch", |costs| &mut costs.switch),
    ("slice", |costs| &mut costs.slice),
    ("tick", |costs| &mut costs.tick),
    ("timer_slack", |costs| &mut costs.timer_slack),
    ("barrier", |costs| &mut costs.barrier),
    ("barrier_each", |costs| &mut costs.barrier_each),
    ("interrupt", |costs| &mut costs.interrupt),
    ("spawn", |costs| &mut costs.spawn),
];

/// Reads a file of prices. A price that is not in the file is the default one.
pub fn read(path: &Path) -> Result<Costs, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|fault| format!("{}: {fault}", path.display()))
}

fn parse(text: &str) -> Result<Costs, String> {
    let mut costs = Costs::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let fault = |what: String| Err(format!("line {number}: {what}"));
        let Some((name, value)) = line.split_once(char::is_whitespace) else {
            return fault(format!("{line:?} is not a name and a number of nanoseconds"));
        };
        let Some((_, price)) = PRICES.iter().find(|(known, _)| *known == name) else {
            let names: Vec<_> = PRICES.iter().map(|(name, _)| *name).collect();
            return fault(format!("there is no price {name:?}; there are {}", names.join(", ")));
        };
        match value.trim().parse::<f64>() {
            Ok(value) if (0.0..=1e12).contains(&value) => {
                *price(&mut costs) = (value * nanos(1) as f64).round() as Time;
            }
            _ => return fault(format!("{value:?} is not a number of nanoseconds from 0 to 10^12")),
        }
    }
    // With one of these, a thread that waits awake would wait for ever.
    let Costs { hit, pause, slice, tick, .. } = costs;
    match [("hit", hit), ("pause", pause), ("slice", slice), ("tick", tick)]
        .iter()
        .find(|(_, price)| *price == 0)
    {
        Some((name, _)) => Err(format!("the price {name} is 0")),
        None => Ok(costs),
    }
}

/// Returns the text of a file with these prices.
pub fn write(costs: &Costs) -> String {
    let mut costs = costs.clone();
    let mut text = String::from("# Prices of a machine, in nanoseconds: see lab/machine/src/costs.rs.\n");
    for (name, price) in PRICES {
        let value = *price(&mut costs) as f64 / nanos(1) as f64;
        writeln!(text, "{name:14} {value}").expect("a string takes all");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let costs = Costs { transfer: nanos(123), hit: 250, ..Costs::default() };
        assert_eq!(parse(&write(&costs)), Ok(costs));
        assert_eq!(parse("# nothing\n\n"), Ok(Costs::default()));
    }

    #[test]
    fn a_damaged_file_is_told() {
        let fault = |text| parse(text).expect_err("the text is wrong");
        assert_eq!(fault("hit"), "line 1: \"hit\" is not a name and a number of nanoseconds");
        assert!(fault("hit 1\nhut 2").starts_with("line 2: there is no price \"hut\"; there are hit, rmw"));
        assert_eq!(fault("hit -1"), "line 1: \"-1\" is not a number of nanoseconds from 0 to 10^12");
        assert_eq!(fault("hit nan"), "line 1: \"nan\" is not a number of nanoseconds from 0 to 10^12");
        assert_eq!(fault("tick 0"), "the price tick is 0");
        assert_eq!(fault("hit 0.0001"), "the price hit is 0");
    }
}
