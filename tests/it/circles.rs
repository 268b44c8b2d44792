//! No file reaches itself by what it uses: each can be understood after those it takes from.
//!
//! Read are `use` and paths that begin with `crate::` or `super::`, outside of tests. What a folder's `mod.rs` hands on is
//! taken from the file it stands in. A folder's face and what lies in the folder are one thing, and may use each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::layers::files;

/// The files of the house by their modules, as `store::read::search`.
struct House {
    texts: BTreeMap<String, String>,
    /// What a module hands on: by module and name, the path it takes it from.
    handed_on: BTreeMap<(String, String), String>,
}

impl House {
    fn read() -> Self {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        files(&src, &mut found);
        let mut texts = BTreeMap::new();
        for path in found {
            let module = path.strip_prefix(&src).unwrap().with_extension("");
            let mut parts: Vec<_> = module.iter().map(|part| part.to_str().unwrap()).collect();
            if ["mod", "lib", "main"].contains(parts.last().unwrap()) {
                parts.pop();
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().lines();
            let code: Vec<&str> = code.filter(|line| !line.trim_start().starts_with("//")).collect();
            texts.insert(parts.join("::"), code.join("\n"));
        }
        let mut handed_on = BTreeMap::new();
        for (module, text) in &texts {
            for (at, _) in text.match_indices("use ") {
                let line = text[..at].rsplit('\n').next().unwrap();
                if line == "pub " || line.starts_with("pub(") && line.ends_with(") ") {
                    for (path, name) in paths(&text[at + 4..]) {
                        handed_on.insert((module.clone(), name), path);
                    }
                }
            }
        }
        Self { texts, handed_on }
    }

    /// The module in which stands what `module` calls `path`.
    fn home(&self, module: &str, path: &str) -> String {
        let mut here = module.to_owned();
        let mut names = path.split("::").peekable();
        while let Some(up) = names.next_if(|name| ["crate", "super"].contains(name)) {
            let parent = here.rsplit_once("::").map_or("", |(parent, _)| parent);
            here = if up == "super" { parent.to_owned() } else { String::new() };
        }
        for name in names {
            let below = if here.is_empty() { name.to_owned() } else { format!("{here}::{name}") };
            if self.texts.contains_key(&below) {
                here = below;
                continue;
            }
            return match self.handed_on.get(&(here.clone(), name.to_owned())) {
                Some(path) if path.contains("::") => self.home(&here, path),
                _ => here,
            };
        }
        here
    }

    /// Which modules a module takes something from, but for those above and below it.
    fn used_by(&self, module: &str) -> BTreeSet<String> {
        let text = &self.texts[module];
        let starts = ["crate::", "super::"].into_iter().flat_map(|word| text.match_indices(word));
        let whole = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c));
        let starts = starts.filter(|(at, _)| whole(*at));
        let named = starts.flat_map(|(at, _)| paths(&text[at..]));
        let homes = named.map(|(path, _)| self.home(module, &path));
        homes.filter(|home| !is_above(home, module) && !is_above(module, home)).collect()
    }
}

/// Whether a module is another one, or lies above it.
fn is_above(one: &str, other: &str) -> bool {
    one.is_empty() || other.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The paths that a text begins with, each with the name it gets here: `store::{Store, read::Found as F}` is two.
fn paths(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    follow(text, "", &mut found);
    found
}

/// Reads on behind `before`, and returns what is not read.
fn follow<'a>(text: &'a str, before: &str, found: &mut Vec<(String, String)>) -> &'a str {
    let word = |text: &'a str| {
        text.split_at(text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len()))
    };
    if let Some(mut inner) = text.strip_prefix('{') {
        loop {
            inner = inner.trim_start_matches([',', ' ', '\n']);
            match inner.strip_prefix('}') {
                Some(rest) => return rest,
                None => {
                    let rest = follow(inner, before, found);
                    assert!(rest.len() < inner.len(), "this is no `use`: {inner:.80}");
                    inner = rest;
                }
            }
        }
    }
    let (name, rest) = word(text);
    let path =
        if name == "self" { before.trim_end_matches("::").to_owned() } else { format!("{before}{name}") };
    if let Some(rest) = rest.strip_prefix("::") {
        return follow(rest, &format!("{path}::"), found);
    }
    let (called, rest) = rest.strip_prefix(" as ").map_or((name, rest), word);
    found.push((path, called.to_owned()));
    rest.strip_prefix('*').unwrap_or(rest)
}

#[test]
fn no_file_reaches_itself_by_what_it_uses() {
    let house = House::read();
    let mut uses: BTreeMap<&str, BTreeSet<String>> =
        house.texts.keys().map(|module| (module.as_str(), house.used_by(module))).collect();
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 300, "the test reads the wrong folder");
    // What uses nothing that is left is in no circle.
    while let Some(free) = uses.iter().find(|(_, used)| used.is_empty()).map(|(module, _)| *module) {
        uses.remove(free);
        uses.values_mut().for_each(|used| {
            used.remove(free);
        });
    }
    let Some(mut here) = uses.keys().next().copied() else { return };
    let mut way = Vec::new();
    while !way.contains(&here) {
        way.push(here);
        here = uses[here].first().unwrap();
    }
    let circle = &way[way.iter().position(|module| *module == here).unwrap()..];
    panic!("a circle: {} -> {here}", circle.join(" -> "));
}
