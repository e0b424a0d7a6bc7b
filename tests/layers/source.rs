//! Reads which names a source file uses.

use std::fs;
use std::path::Path;

/// One file, with its place in the module tree.
pub struct Module {
    pub path: Vec<String>,
    /// The paths that the file names, in full from the root on.
    pub uses: Vec<Vec<String>>,
    /// The names that the file passes on, each with the full path that it stands for.
    pub exports: Vec<(String, Vec<String>)>,
}

impl Module {
    pub fn read(root: &Path, file: &Path) -> Module {
        let relative = file.strip_prefix(root).unwrap().with_extension("");
        let mut path: Vec<String> = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if path.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            path.pop();
        }
        Module::of(path, &fs::read_to_string(file).unwrap())
    }

    pub fn of(path: Vec<String>, text: &str) -> Module {
        let text = code(text);
        let tokens = tokens(&text);
        let children: Vec<&str> = tokens
            .windows(3)
            .filter(|window| window[0] == "mod" && window[2] == ";")
            .map(|window| window[1])
            .collect();
        let mut module = Module { path, uses: Vec::new(), exports: Vec::new() };
        let mut rest = &tokens[..];
        let mut public = false;
        while let Some((&token, behind)) = rest.split_first() {
            rest = behind;
            match token {
                "use" => {
                    let end = rest.iter().position(|&token| token == ";").unwrap_or(rest.len());
                    for (path, name) in trees(&rest[..end]) {
                        let Some(full) = module.full(&path, &children) else { continue };
                        if public {
                            module.exports.push((name, full));
                        } else {
                            module.uses.push(full);
                        }
                    }
                    rest = &rest[end..];
                }
                "crate" | "super" | "self" if rest.first() == Some(&"::") => {
                    let mut path = vec![token];
                    while let [first, second, behind @ ..] = rest
                        && *first == "::"
                        && is_name(second)
                    {
                        path.push(second);
                        rest = behind;
                    }
                    module.uses.extend(module.full(&path, &children));
                }
                _ => {}
            }
            // Stays true over `pub use`, `pub(crate) use`, `pub(in …) use`.
            public = token == "pub"
                || public && ["(", ")", "crate", "super", "in", "::"].contains(&token)
                || public && token == "self";
        }
        module
    }

    /// Returns the path from the root on, or `None` for a path into another crate.
    fn full(&self, path: &[&str], children: &[&str]) -> Option<Vec<String>> {
        let mut full = self.path.clone();
        let mut parts = path.iter();
        match *path.first()? {
            "crate" => {
                full.clear();
                parts.next();
            }
            "super" | "self" => {}
            first if children.contains(&first) => {}
            _ => return None,
        }
        for &part in parts {
            match part {
                "super" => drop(full.pop()),
                "self" => {}
                part => full.push(part.to_owned()),
            }
        }
        Some(full)
    }
}

/// Returns the text without comments and strings, up to the first mark of a test.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test").next().unwrap_or("");
    let text = text.split("#[cfg(all(test").next().unwrap_or("");
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or(""));
    lines.collect::<Vec<_>>().join("\n").split('"').step_by(2).collect::<Vec<_>>().join(" ")
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Splits the text into names, `::`, and single signs.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let length = if is_name(rest) {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            rest.chars().next().unwrap().len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// All paths of one `use`, each with the name that it brings in.
fn trees<'t>(tokens: &[&'t str]) -> Vec<(Vec<&'t str>, String)> {
    let mut path = Vec::new();
    let mut rest = tokens;
    while let Some((&token, behind)) = rest.split_first() {
        rest = behind;
        match token {
            "{" => {
                let mut found = Vec::new();
                for branch in branches(rest) {
                    for (tail, name) in trees(branch) {
                        found.push((path.iter().copied().chain(tail).collect(), name));
                    }
                }
                return found;
            }
            "as" => {
                let name = rest.first().copied().unwrap_or("_");
                return vec![(path, name.to_owned())];
            }
            "::" => {}
            name => path.push(name),
        }
    }
    let name = path.last().copied().unwrap_or_default().to_owned();
    if path.is_empty() { Vec::new() } else { vec![(path, name)] }
}

/// Splits at the commas, up to the closing brace.
fn branches<'s, 't>(tokens: &'s [&'t str]) -> Vec<&'s [&'t str]> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, &token) in tokens.iter().enumerate() {
        match token {
            "{" => depth += 1,
            "}" if depth > 0 => depth -= 1,
            "," | "}" if depth == 0 => {
                found.push(&tokens[start..at]);
                start = at + 1;
                if token == "}" {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}
