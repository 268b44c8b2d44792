//! What became of an import, in words and as one JSON document.

use serde_json::{Value, json};

use super::super::output;
use super::{Answer, Args, Call, Exit, Whom};
use crate::config::{Config, Mode};
use crate::domain::order::apply::Refusal;
use crate::intake::{RowError, Spool, Spot, keep_first};
use crate::store::Recorded;
use crate::text::{count, grouped};

pub(super) struct Report {
    file: String,
    rejects: Option<String>,
    dry_run: bool,
    notify: Whom,
    mode: Mode,
    facts: usize,
    /// Facts that could not be read.
    bad: usize,
    /// New, changed, unchanged, refused by state.
    counts: [usize; 4],
    /// The first of all that were refused, in the order of the file.
    refusals: Vec<RowError>,
    /// What a dry run would have mailed.
    impact: Option<(String, Value)>,
}

impl Report {
    pub fn new(args: &Args, config: &Config, file: String) -> Self {
        Self {
            file,
            rejects: args.rejects.as_ref().map(|path| path.display().to_string()),
            dry_run: args.dry_run,
            notify: args.notify,
            mode: config.delivery.mode.clone(),
            facts: 0,
            bad: 0,
            counts: [0; 4],
            refusals: Vec::new(),
            impact: None,
        }
    }

    /// What was read.
    pub fn take_stock(&mut self, spool: &Spool) {
        self.facts = spool.len() + spool.refused();
        self.bad = spool.refused();
        spool.refusals().iter().cloned().for_each(|refusal| self.refuse(refusal));
    }

    /// Forgets what the check counted; the steps count anew.
    pub fn start_over(&mut self) {
        self.counts = [0; 4];
    }

    pub fn count(&mut self, recorded: &[Recorded]) {
        self.counts.iter_mut().zip(Recorded::count(recorded)).for_each(|(sum, count)| *sum += count);
    }

    /// What it would mail.
    pub fn expect(&mut self, words: String, json: Value) {
        self.impact = Some((words, json));
    }

    /// How many facts have been recorded so far.
    pub fn recorded(&self) -> u64 {
        self.counts.iter().sum::<usize>() as u64
    }

    pub fn refuse(&mut self, refusal: RowError) {
        keep_first(&mut self.refusals, refusal);
    }

    pub fn refuse_state(&mut self, line: u64, refusal: &Refusal) {
        self.refuse(RowError { line, spot: Spot::Row, says: refusal.to_string() });
    }

    /// Nothing of the file was taken.
    pub fn refused_whole(&self, call: &Call) -> Answer {
        self.print_refusals(call);
        if call.json {
            self.document("refused")?;
        } else if self.facts == 0 {
            output::message("Nothing was written.");
        } else {
            output::message(&self.advice());
        }
        Ok(Exit::Failed)
    }

    /// The file was taken, perhaps without its bad rows, or would have been.
    pub fn end(&self, call: &Call) -> Answer {
        self.print_refusals(call);
        if call.json {
            self.document(if self.dry_run { "dry_run" } else { "imported" })?;
        } else {
            output::text(&self.words())?;
        }
        Ok(if self.refused() > 0 { Exit::Rejects } else { Exit::Done })
    }

    /// How many facts cannot be taken, as far as is known.
    pub fn refused(&self) -> usize {
        self.bad + self.counts[3]
    }

    /// The rejects file, if there is one by now.
    fn written_rejects(&self) -> Option<&str> {
        self.rejects.as_deref().filter(|_| self.refused() > 0 && !self.dry_run)
    }

    fn advice(&self) -> String {
        let facts = count(self.facts as u64, "fact", "facts");
        let refused = grouped(self.refused() as u64);
        let those = if self.refused() == 1 { "it" } else { "them" };
        format!(
            "Nothing was written: {refused} of {facts} cannot be taken. Mend {those}, or take the rest with --skip-bad --rejects FILE."
        )
    }

    fn words(&self) -> String {
        let [new, changed, unchanged, _] = self.counts;
        let parts =
            [(new, "new"), (changed, "changed"), (unchanged, "unchanged"), (self.refused(), "rejected")];
        let mut parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{} {word}", grouped(*count as u64)))
            .collect();
        if let (Some(file), Some(last)) = (self.written_rejects(), parts.last_mut()) {
            last.push_str(&format!(" ({file})"));
        }
        let facts = count(self.facts as u64, "fact", "facts");
        let mut words = match parts.is_empty() {
            true => format!("{facts}.\n"),
            false => format!("{facts}: {}.\n", parts.join(", ")),
        };
        if let Some((impact, _)) = &self.impact {
            words.push_str(impact);
        }
        if self.dry_run {
            words.push_str("Nothing was written: this was a dry run.\n");
        }
        if new > 0 {
            words.push_str(&self.mail());
        }
        words
    }

    fn mail(&self) -> String {
        let news = match self.notify {
            Whom::Future => "No mail about the past; the next news for each order comes as scheduled.",
            Whom::All => "Each new order is confirmed by mail, as if it had come in now.",
        };
        match &self.mode {
            Mode::Live => format!("{news}\n"),
            mode => format!("{news}\nmode {}: customers get no mail\n", mode.as_str()),
        }
    }

    /// With `--json` they stand in the document.
    fn print_refusals(&self, call: &Call) {
        if call.json {
            return;
        }
        for refusal in &self.refusals {
            output::message(&format!("{}:{refusal}", self.file));
        }
        let more = self.refused().saturating_sub(self.refusals.len());
        if more > 0 {
            output::message(&format!("and {} more", grouped(more as u64)));
        }
    }

    fn document(&self, result: &str) -> anyhow::Result<()> {
        let [new, changed, unchanged, _] = self.counts;
        let taken = |count| if result == "refused" { 0 } else { count };
        output::json(
            "shipby.import/1",
            &json!({
                "result": result, "file": self.file, "facts": self.facts,
                "new": taken(new),
                "changed": taken(changed),
                "unchanged": taken(unchanged),
                "rejected": self.refused(), "rejects": self.written_rejects().filter(|_| result == "imported"),
                "mode": self.mode.as_str(),
                "impact": self.impact.as_ref().filter(|_| result != "refused").map(|(_, json)| json),
                "refusals": self.refusals.iter().map(refusal).collect::<Vec<_>>(),
            }),
        )
    }
}

fn refusal(refusal: &RowError) -> Value {
    let mut object = json!({ "line": refusal.line, "says": refusal.says });
    match &refusal.spot {
        Spot::Row => {}
        Spot::Byte(byte) => object["byte"] = json!(byte),
        Spot::Column(name) => object["column"] = json!(name),
        Spot::Field(path) => object["field"] = json!(path),
    }
    object
}
