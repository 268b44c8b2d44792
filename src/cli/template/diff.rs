//! `shipby template diff`: a mail by the set that is in use, and by the edited folder.

use serde_json::json;

use super::super::output;
use super::super::{Answer, Call, Exit};
use super::mail::{Shown, Which};
use super::{draft, in_use};
use crate::text::plain;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    which: Which,
}

pub(super) async fn run(call: &Call, args: &Args) -> Answer {
    let config = call.config()?;
    let new = draft(&config)?;
    let (old, from) = in_use(call, &config).await?;
    let subject = args.which.find(call, &config, &new).await?;
    let (before, after) = (subject.render(&old, &config)?, subject.render(&new, &config)?);
    if call.json {
        let body = json!({
            "kind": args.which.kind, "about": subject.about, "in_use": from, "same": before == after,
            "before": Shown::from(&before), "after": Shown::from(&after),
        });
        output::json("shipby.template.diff/1", &body)?;
        return Ok(Exit::Done);
    }
    let none = String::new();
    let mut text = String::new();
    for (part, old, new) in [
        ("subject", &before.subject, &after.subject),
        ("text", &before.text, &after.text),
        ("html", before.html.as_ref().unwrap_or(&none), after.html.as_ref().unwrap_or(&none)),
    ] {
        if old != new {
            text.push_str(&format!("--- {part}, {from}\n+++ {part}, edited\n{}", lines(old, new)));
        }
    }
    if text.is_empty() {
        text = format!("the edit changes nothing in this mail ({}; {from})\n", subject.about);
    }
    output::text(&text)?;
    Ok(Exit::Done)
}

/// Lines of context around a change.
const AROUND: usize = 3;
/// Pairs of lines that are compared at most; beyond that everything between is taken as changed.
const MOST: usize = 4_000_000;

/// What is gone (`-`), what is new (`+`), and the lines around.
fn lines(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same_start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old[same_start..].iter().rev().zip(new[same_start..].iter().rev());
    let same_end = rest.take_while(|(a, b)| a == b).count();
    let (gone, come) = (&old[same_start..old.len() - same_end], &new[same_start..new.len() - same_end]);
    let mut all: Vec<(char, &str)> = old[..same_start].iter().map(|line| (' ', *line)).collect();
    all.extend(changes(gone, come));
    all.extend(old[old.len() - same_end..].iter().map(|line| (' ', *line)));
    let changed: Vec<usize> = (0..all.len()).filter(|at| all[*at].0 != ' ').collect();
    let mut text = String::new();
    let mut last = None;
    for (at, (sign, line)) in all.iter().enumerate() {
        let next = changed.partition_point(|change| change + AROUND < at);
        if changed.get(next).is_some_and(|change| *change <= at + AROUND) {
            if last.is_some_and(|last| last + 1 < at) {
                text.push_str("  …\n");
            }
            text.push_str(format!("{sign} {}", plain(line)).trim_end());
            text.push('\n');
            last = Some(at);
        }
    }
    text
}

/// The longest common lines stay; what is gone comes before what is new.
fn changes<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let mut all = Vec::new();
    let width = new.len() + 1;
    if old.len().saturating_mul(width) > MOST {
        all.extend(old.iter().map(|line| ('-', *line)));
        all.extend(new.iter().map(|line| ('+', *line)));
        return all;
    }
    // common[i][j]: how many lines old[i..] and new[j..] have in common.
    let mut common = vec![0u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            all.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < old.len()
            && (j == new.len() || common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            all.push(('-', old[i]));
            i += 1;
        } else {
            all.push(('+', new[j]));
            j += 1;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_what_stands_around_it() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n";
        assert_eq!(
            lines(old, new),
            "  2\n  3\n  4\n- 5\n+ five\n  6\n  7\n  8\n  …\n  12\n  13\n  14\n+ 15\n"
        );
        assert_eq!(lines("a\nb", "b\nc"), "- a\n  b\n+ c\n");
        assert_eq!(lines("", "a"), "+ a\n");
    }
}
