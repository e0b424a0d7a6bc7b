//! The process gets half of a processor. All its threads stand still together, wherever they are, until the next
//! period begins. This needs a control group that the test may make; the case is skipped without one.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io, process, thread};

use crate::Order;
use crate::host::Busy;

const PERIOD: &str = "20000";
const HALF: &str = "10000";

/// A control group with half a processor. This process is in the group until the value is dropped.
struct Quota {
    home: PathBuf,
    group: PathBuf,
}

impl Quota {
    /// Returns `None` if the system has no such groups or does not let the test make one.
    fn enter() -> Option<Quota> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let place = |line: &str| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let is_cpu = controllers.split(',').any(|name| name == "cpu");
            (is_cpu || controllers.is_empty()).then(|| {
                let root = PathBuf::from("/sys/fs/cgroup");
                if is_cpu { root.join(controllers).join(&path[1..]) } else { root.join(&path[1..]) }
            })
        };
        // A folder that is no control group has no such file, and must not get one.
        let is_group = |home: &PathBuf| home.join("cgroup.procs").exists();
        groups.lines().filter_map(place).filter(is_group).find_map(|home| {
            let quota = Quota { group: home.join(format!("filch-stress-{}", process::id())), home };
            fs::create_dir(&quota.group).ok()?;
            quota.limit().and_then(|()| fs::write(quota.group.join("cgroup.procs"), "0")).ok()?;
            Some(quota)
        })
    }

    fn limit(&self) -> io::Result<()> {
        let new = self.group.join("cpu.max");
        if new.exists() {
            return fs::write(new, format!("{HALF} {PERIOD}"));
        }
        // The older kind of control group.
        for (name, value) in [("cpu.cfs_period_us", PERIOD), ("cpu.cfs_quota_us", HALF)] {
            fs::OpenOptions::new().write(true).open(self.group.join(name))?.write_all(value.as_bytes())?;
        }
        Ok(())
    }

    /// Returns in how many periods the process was stopped.
    fn stops(&self) -> usize {
        let stat = fs::read_to_string(self.group.join("cpu.stat")).unwrap();
        let stops = stat.lines().find_map(|line| line.strip_prefix("nr_throttled "));
        stops.unwrap().trim().parse().unwrap()
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        let _ = fs::write(self.home.join("cgroup.procs"), "0");
        let _ = fs::remove_dir(&self.group);
    }
}

pub fn half_a_processor(order: &Order) -> String {
    let Some(quota) = Quota::enter() else { return "skipped: no control group to be had".to_owned() };
    let note = Busy::new().run(|| {
        while quota.stops() < order.size {
            thread::sleep(Duration::from_millis(1));
        }
    });
    format!("{note}, stopped in {} periods", quota.stops())
}
