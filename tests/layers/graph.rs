//! Finds out which file uses which other file.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Module;

pub struct Graph<'m> {
    modules: &'m [Module],
    /// For each module, the numbers of the modules that it uses.
    uses: Vec<BTreeSet<usize>>,
}

impl<'m> Graph<'m> {
    pub fn of(modules: &'m [Module]) -> Graph<'m> {
        let files: BTreeMap<&[String], usize> =
            modules.iter().enumerate().map(|(number, module)| (&module.path[..], number)).collect();
        let exports: BTreeMap<Vec<String>, &Vec<String>> = modules
            .iter()
            .flat_map(|module| {
                let name = |name: &String| module.path.iter().chain([name]).cloned().collect();
                module.exports.iter().map(move |(own, of)| (name(own), of))
            })
            .collect();
        let place = |path: &[String]| {
            let mut path = path.to_vec();
            // A name that is passed on stands for another path. More steps than there are files mean a ring of names.
            for _ in 0..modules.len() {
                let passed_on =
                    (1..=path.len()).rev().find_map(|len| exports.get(&path[..len]).map(|of| (len, *of)));
                let Some((len, of)) = passed_on else { break };
                path = of.iter().cloned().chain(path[len..].iter().cloned()).collect();
            }
            (0..=path.len()).rev().find_map(|len| files.get(&path[..len]).copied())
        };
        let uses = modules
            .iter()
            .enumerate()
            .map(|(number, module)| {
                let used = module.uses.iter().filter(|path| !path.is_empty()).filter_map(|path| place(path));
                used.filter(|&used| used != number).collect()
            })
            .collect();
        Graph { modules, uses }
    }

    /// All pairs of a module and a module that it uses.
    pub fn edges(&self) -> impl Iterator<Item = (&Module, &Module)> {
        let edges =
            self.uses.iter().enumerate().flat_map(|(from, used)| used.iter().map(move |&to| (from, to)));
        edges.map(|(from, to)| (&self.modules[from], &self.modules[to]))
    }

    fn reach(&self, from: usize) -> BTreeSet<usize> {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(at) = next.pop() {
            next.extend(self.uses[at].iter().copied().filter(|&to| seen.insert(to)));
        }
        seen
    }

    /// The circles of files that use each other, each circle once.
    pub fn circles(&self) -> Vec<Vec<String>> {
        let reach: Vec<_> = (0..self.modules.len()).map(|from| self.reach(from)).collect();
        let mut circles = BTreeSet::new();
        for from in 0..self.modules.len() {
            let with: BTreeSet<usize> =
                reach[from].iter().copied().filter(|&to| reach[to].contains(&from)).collect();
            if !with.is_empty() {
                circles.insert(with);
            }
        }
        let name = |&number: &usize| format!("{}::", self.modules[number].path.join("::"));
        circles.iter().map(|circle| circle.iter().map(name).collect()).collect()
    }
}
