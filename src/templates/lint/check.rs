//! How a set is checked: what can be found by reading is read, the rest is rendered with every sample.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::context::Shop;
use super::super::error::TemplateError;
use super::super::files::{self, Files, FolderFiles};
use super::super::language::{ROOT, lineage};
use super::super::language_templates::syntax_fault;
use super::super::path::TemplatePath;
use super::super::samples::{self, Sample};
use super::super::set::TemplateSet;
use super::super::variables;
use super::allow::Allowed;
use super::mail_rules::{self, MailFiles};
use super::names::Names;
use super::phrases;
use super::report::{Finding, Report};
use super::rules::{Code, Severity};
use crate::domain::notice::NoticeKind;

/// How far a check is: file and sample; and whether anybody still waits for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    at: Arc<Mutex<(String, String)>>,
    stop: Arc<AtomicBool>,
}

impl Progress {
    /// Ends the check at the next mail; says which file and sample it is at.
    pub fn stop(&self) -> (String, String) {
        self.stop.store(true, Ordering::Relaxed);
        self.at.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether to go on, with this file and sample.
    fn goes_on(&self, file: &str, sample: &str) -> bool {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = (file.to_owned(), sample.to_owned());
        !self.stop.load(Ordering::Relaxed)
    }
}

/// Everything that is wrong with a set, and the set where nothing is; for `shop`, if it is given, besides the sample
/// shops.
pub(super) fn check(read: FolderFiles, shop: Option<&Shop>, progress: &Progress) -> Report {
    let broken = read.faults.iter().map(|fault| fault.file.clone()).collect();
    let mut check = Check { files: read.files, broken, findings: Vec::new() };
    for fault in read.faults {
        check.fault(Code::E01, fault);
    }
    if check.files.is_empty() {
        // One fault is enough: each file need not be missed.
        if check.findings.is_empty() {
            check.findings.push(Finding::whole(Code::E01, ".", "holds no templates"));
        }
        return Report { findings: check.into_findings(), ..Report::default() };
    }
    let languages = std::iter::once(ROOT).chain(files::languages(&check.files)).map(str::to_owned).collect();
    let samples = samples::cases();
    check.read();
    let set = check.parse();
    let mails = set.as_ref().map_or(0, |set| check.render(set, &samples, shop, progress));
    let findings = check.into_findings();
    let usable = set.filter(|_| findings.iter().all(|finding| finding.severity != Severity::Error));
    Report { findings, languages, samples: samples.len(), mails, set: usable }
}

struct Check {
    files: Files,
    /// Files that cannot be used; no mail of theirs is tried.
    broken: BTreeSet<String>,
    findings: Vec<Finding>,
}

impl Check {
    fn fault(&mut self, code: Code, fault: TemplateError) {
        self.findings.push(Finding::of(code, fault));
    }

    /// What is found without rendering, and so also in branches that no sample takes.
    fn read(&mut self) {
        for file in files::missing(&self.files) {
            if self.broken.insert(file.clone()) {
                let code = if TemplatePath::of(&file).part == "body.txt" { Code::L03 } else { Code::E01 };
                self.findings.push(Finding::whole(code, &file, "is missing"));
            }
        }
        let mut names = Names::of(variables::names());
        let templates = || self.files.iter().filter(|(file, _)| is_template(file));
        templates().for_each(|(_, text)| names.define_locals(text));
        let mut found = Vec::new();
        for (file, text) in templates() {
            found.extend(names.check(file, text).into_iter().map(|fault| Finding::of(Code::L04, fault)));
            let mut add = |code, byte, said| found.push(Finding::at(code, file, text, byte, said));
            let TemplatePath { language, kind, part } = TemplatePath::of(file);
            for (byte, word) in phrases::vague(language, text) {
                add(Code::L05, byte, format!("vague word \"{word}\"; say the date, or that there is none"));
            }
            if kind == Some(NoticeKind::Update48h) {
                for (byte, word) in phrases::selling(language, text) {
                    add(Code::L06, byte, phrases::sells(word));
                }
            }
            if part.ends_with(".html") || part == "say.txt" || files::is_framed(text) {
                mail_rules::remote(text).into_iter().for_each(|(byte, said)| add(Code::L08, byte, said));
            }
        }
        self.findings.extend(found);
    }

    /// The set, with an empty file in place of each that is broken, so that the others are tried all the same. None
    /// where nothing could be told apart any more.
    fn parse(&mut self) -> Option<TemplateSet> {
        let templates = self.files.iter().filter(|(file, _)| is_template(file));
        let faults: Vec<_> = templates.filter_map(|(file, text)| syntax_fault(file, text)).collect();
        for fault in faults {
            self.broken.insert(fault.file.clone());
            self.fault(Code::E02, fault);
        }
        let mut files = self.files.clone();
        for file in &self.broken {
            stand_in(&mut files, file)?;
        }
        loop {
            let fault = match TemplateSet::parse(files.clone()) {
                Ok(set) => return Some(set),
                Err(fault) => fault,
            };
            let file = fault.file.clone();
            self.fault(Code::E02, fault);
            if !files.contains_key(&file) || !self.broken.insert(file.clone()) {
                return None;
            }
            stand_in(&mut files, &file)?;
        }
    }

    /// Renders every sample in every language; the shops take turns. Says how many mails there were.
    fn render(
        &mut self,
        set: &TemplateSet,
        samples: &[Sample],
        shop: Option<&Shop>,
        progress: &Progress,
    ) -> usize {
        let mut shops = samples::shops().to_vec();
        shops.extend(shop.cloned());
        let mut mails = 0;
        for language in set.languages() {
            for (sample, shop) in samples.iter().zip(shops.iter().cycle()) {
                let kind = sample.notice.kind;
                let templates = set.templates_of(&language.tag, kind);
                let Some(files) = templates.and_then(|templates| MailFiles::of(templates, kind)) else {
                    continue;
                };
                if files.own().any(|file| self.broken.contains(file)) {
                    continue;
                }
                if !progress.goes_on(&files.text, &sample.name) {
                    return mails;
                }
                mails += 1;
                let found = mail_rules::check(set, &sample.mail(shop, language), &files, language);
                let shown = |finding| Finding { sample: Some(sample.name.clone()), ..finding };
                self.findings.extend(found.into_iter().map(shown));
            }
        }
        mails
    }

    /// Each fault once, with the first sample that shows it; what was silenced is gone.
    fn into_findings(self) -> Vec<Finding> {
        let mut allowed = Allowed::of(&self.files);
        let mut findings = self.findings;
        findings.append(&mut allowed.faults);
        findings.retain(|finding| !allowed.allows(finding));
        let at = |f: &Finding, code| (f.file.clone(), f.line, f.column, code);
        let unknown: HashSet<_> =
            findings.iter().filter(|f| f.code == Code::L04).map(|f| at(f, Code::E03)).collect();
        // A mail that fails at an unknown name is the same fault; where the name is allowed, the failure stays.
        findings.retain(|f| !unknown.contains(&at(f, f.code)));
        let mut seen = HashSet::new();
        findings.retain(|f| seen.insert(at(f, f.code)));
        // Stable, so that at one place they stay in the order of being found.
        findings.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        findings
    }
}

/// Whether tera reads it.
fn is_template(file: &str) -> bool {
    TemplatePath::of(file).part != "language.toml"
}

/// An empty file in place of one that is broken. A language whose shared parts are broken is left out with its regions:
/// all its mails stand in them; None where that is the root.
fn stand_in(files: &mut Files, file: &str) -> Option<()> {
    let TemplatePath { language, kind, part } = TemplatePath::of(file);
    match kind {
        Some(_) => _ = files.insert(file.to_owned(), String::new()),
        None if !files::SHARED.contains(&part) => {} // it does not belong here anyway
        None if language == ROOT => return None,
        None => files.retain(|file, _| !lineage(TemplatePath::of(file).language).any(|tag| tag == language)),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::tags::spans;
    use super::*;

    /// The default set with a mark in every branch, and the marks.
    fn marked() -> (TemplateSet, BTreeSet<String>) {
        let (mut files, mut marks) = (files::compiled_in(), BTreeSet::new());
        for (file, text) in &mut files {
            for (from, to) in spans(text).into_iter().rev() {
                let mut words = text[from..to].trim_start_matches('-').split_whitespace();
                let branch = matches!(words.next(), Some("if" | "elif" | "else"));
                // What stands behind `if false` is only named there, not to be reached.
                if text[..from].ends_with("{%") && branch && words.next() != Some("false") {
                    let mark = TemplateError::at(file, text, from, "").to_string();
                    text.insert_str(to + 2, &format!("⟦{mark}⟧"));
                    marks.insert(mark);
                }
            }
        }
        (TemplateSet::parse(files).unwrap(), marks)
    }

    #[test]
    fn the_samples_reach_every_branch_of_the_default_set() {
        let (set, mut marks) = marked();
        for language in set.languages() {
            for (sample, shop) in samples::cases().iter().zip(samples::shops().iter().cycle()) {
                let mail = set.render(&sample.mail(shop, language)).unwrap();
                for part in [mail.subject, mail.text, mail.html.unwrap_or_default()] {
                    for reached in part.split('⟦').skip(1).filter_map(|rest| rest.split_once('⟧')) {
                        marks.remove(reached.0);
                    }
                }
            }
        }
        assert_eq!(marks, BTreeSet::new(), "no sample takes these branches");
    }
}
