//! The guide for writers, which stands in the templates' folder as README.md: how templates are written, what they may
//! use and what they are held to.

use std::fmt::Write as _;

use super::lint::RULES;
use super::variables::{Variable, variables};

const GUIDE: &str = include_str!("guide.md");

/// The guide for writers with all variables and rules: what `templates/README.md` holds.
pub fn guide() -> String {
    let mut text = GUIDE.trim_end().to_owned();
    text.push_str("\n\n## What a template may use\n\n");
    text.push_str(
        "Every name is always there. What has no value is null: ask with `{% if … %}` before you print it.\n",
    );
    text.push_str("`waiting.items[].title` is the `title` of each entry of `waiting.items`.\n\n");
    text.push_str("| name | type | null | meaning | example |\n| --- | --- | --- | --- | --- |\n");
    let cell = |text: &str| text.replace('|', "\\|");
    for variable in variables(None) {
        let Variable { name, kind, absent, meaning, example } = variable;
        let absent = absent.unwrap_or_else(|| "never".to_owned());
        let example = example.map_or_else(String::new, |example| format!("`{}`", cell(&example)));
        let (absent, meaning) = (cell(&absent), cell(&meaning));
        let _ = writeln!(text, "| `{name}` | {kind} | {absent} | {meaning} | {example} |");
    }
    text.push_str("\n## What a set is held to\n\n");
    text.push_str("An error refuses the set, and the last good one goes on working; a warning is shown. A rule is silenced in\n");
    text.push_str(
        "one file by a comment in it, with a reason: `{# lint:allow L05 it is the name of a product #}`.\n\n",
    );
    text.push_str("| code | | found | mend | can be silenced |\n| --- | --- | --- | --- | --- |\n");
    for rule in RULES {
        let silenced = if rule.silenceable { "yes" } else { "no" };
        let (code, severity) = (rule.code.as_str(), rule.severity.as_str());
        let _ = writeln!(
            text,
            "| {code} | {severity} | {} | {} | {silenced} |",
            cell(rule.says),
            cell(rule.mend)
        );
    }
    text
}
