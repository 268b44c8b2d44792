//! The checker: a set of files becomes a list of everything that is wrong with it, and, without an error among it, a
//! set that can be used.
//!
//! Every kind, language and sample is rendered; what no sample reaches is read. Nothing stops at the first fault.

mod allow;
mod rendered;
mod words;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use self::allow::Allowed;
use self::rendered::Parts;
use super::context::{MailContext, Shop, context};
use super::error::TemplateError;
use super::files::{self, Files, Found};
use super::language::{Language, ROOT, lineage};
use super::names::{Names, place};
use super::place::Place;
use super::rules::{Code, Finding, Severity};
use super::samples::{self, Case, Sample};
use super::set::{TemplateSet, syntax_fault};

/// How long a set may take to be checked before it is refused.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What was found out about a set.
#[derive(Debug, Default)]
pub struct Report {
    /// By file and place; each fault once, however many samples show it.
    pub findings: Vec<Finding>,
    pub languages: Vec<String>,
    /// Sample orders, of all kinds.
    pub samples: usize,
    /// Mails rendered.
    pub mails: usize,
    set: Option<TemplateSet>,
}

impl Report {
    /// What makes the set unusable.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }

    /// What is shown, and stands in nobody's way.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Warning)
    }

    /// The set, if it can be used.
    ///
    /// # Errors
    /// The first error; what was found by reading, and so has an exact place, goes before what a sample shows.
    pub fn into_set(self) -> Result<TemplateSet, TemplateError> {
        if let Some(first) = self.errors().min_by_key(|finding| finding.sample.is_some()) {
            let Finding { file, line, column, .. } = first.clone();
            return Err(TemplateError { file, line, column, message: first.words() });
        }
        self.set.ok_or_else(|| TemplateError::whole(".", "holds no templates"))
    }
}

/// Where a set is read from.
#[derive(Debug, Clone)]
pub enum Source {
    CompiledIn,
    Folder(PathBuf),
    /// A set that passed before, perhaps with an older shipby.
    Kept(Files),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CompiledIn => f.write_str("the built-in set"),
            Self::Kept(_) => f.write_str("the last set that passed"),
            Self::Folder(dir) => write!(f, "{}", dir.display()),
        }
    }
}

/// Checks the set in `dir`; for `shop`, if it is given, besides the sample shops.
pub fn check_folder(dir: &Path, shop: Option<&Shop>) -> Report {
    check(files::read(dir), shop, &Progress::default())
}

/// The same, to be used and not to be looked at: the built-in set is taken untried, for it is tested to pass.
pub(super) fn load_folder(dir: &Path) -> Report {
    load(files::read(dir), None, &Progress::default())
}

/// Checks a set on a thread of its own, for edits that may never come to an end: after `limit` the set is refused. The
/// thread ends with the mail it is at.
pub fn check_within(limit: Duration, source: Source, shop: Option<Shop>) -> Report {
    within(limit, source, shop, check)
}

/// The same, to be used and not to be looked at: the built-in set is taken untried, for it is tested to pass.
pub fn load_within(limit: Duration, source: Source, shop: Option<Shop>) -> Report {
    within(limit, source, shop, load)
}

fn check(read: Found, shop: Option<&Shop>, progress: &Progress) -> Report {
    Check::of(read, shop, progress)
}

fn load(read: Found, shop: Option<&Shop>, progress: &Progress) -> Report {
    if !read.faults.is_empty() || read.files != files::compiled_in() {
        return check(read, shop, progress);
    }
    match TemplateSet::compiled_in() {
        Ok(set) => Report { set: Some(set), ..Report::default() },
        Err(fault) => Report { findings: vec![Finding::of(Code::E02, fault)], ..Report::default() },
    }
}

/// How what was read becomes a report.
type Examine = fn(Found, Option<&Shop>, &Progress) -> Report;

fn within(limit: Duration, source: Source, shop: Option<Shop>, examine: Examine) -> Report {
    let progress = Progress::default();
    let (sender, receiver) = sync_channel(1);
    let theirs = progress.clone();
    let work = move || {
        let read = match source {
            Source::CompiledIn => Found { files: files::compiled_in(), faults: Vec::new() },
            Source::Folder(dir) => files::read(&dir),
            Source::Kept(files) => Found { files, faults: Vec::new() },
        };
        // Nobody waits any more where the limit has passed.
        let _ = sender.send(examine(read, shop.as_ref(), &theirs));
    };
    let refused = |file: &str, why: String| Report {
        findings: vec![Finding::whole(Code::E04, file, why)],
        ..Report::default()
    };
    if let Err(error) = std::thread::Builder::new().name("template-check".to_owned()).spawn(work) {
        return refused(".", format!("cannot be checked: {error}"));
    }
    receiver.recv_timeout(limit).unwrap_or_else(|end| {
        progress.stop.store(true, Ordering::Relaxed);
        let (file, sample) = progress.at.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let why = match end {
            RecvTimeoutError::Timeout => {
                format!("this mail takes longer than {} s to render", limit.as_secs())
            }
            RecvTimeoutError::Disconnected => "rendering this mail failed inside shipby".to_owned(),
        };
        refused(&file, format!("{why} (in the sample `{sample}`)"))
    })
}

/// How far a check is: file and sample; and whether anybody still waits for it.
#[derive(Debug, Clone, Default)]
struct Progress {
    at: Arc<Mutex<(String, String)>>,
    stop: Arc<AtomicBool>,
}

struct Check<'a> {
    files: Files,
    shop: Option<&'a Shop>,
    /// Files that cannot be used; no mail of theirs is tried.
    broken: BTreeSet<String>,
    findings: Vec<Finding>,
}

impl<'a> Check<'a> {
    fn of(read: Found, shop: Option<&'a Shop>, progress: &Progress) -> Report {
        let broken = read.faults.iter().map(|fault| fault.file.clone()).collect();
        let mut check = Self { files: read.files, shop, broken, findings: Vec::new() };
        for fault in read.faults {
            check.fault(Code::E01, fault);
        }
        if check.files.is_empty() {
            // One fault is enough: each file need not be missed.
            if check.findings.is_empty() {
                check.findings.push(Finding::whole(Code::E01, ".", "holds no templates"));
            }
            return Report { findings: check.told(), ..Report::default() };
        }
        let languages: Vec<String> =
            std::iter::once(ROOT).chain(files::languages(&check.files)).map(str::to_owned).collect();
        let cases = samples::cases();
        let mut mails = 0;
        let mut set = None;
        match Language::english() {
            Ok(english) => {
                let english = Arc::new(english);
                check.read(&cases, &english);
                set = check.parse(&english);
            }
            Err(fault) => check.fault(Code::E02, fault),
        }
        if let Some(set) = &set {
            mails = check.render(set, &cases, progress);
        }
        let findings = check.told();
        let usable = set.filter(|_| findings.iter().all(|finding| finding.severity != Severity::Error));
        Report { findings, languages, samples: cases.len(), mails, set: usable }
    }

    fn fault(&mut self, code: Code, fault: TemplateError) {
        self.findings.push(Finding::of(code, fault));
    }

    /// What is found without rendering, and so also in branches that no sample takes.
    fn read(&mut self, cases: &[Case], english: &Language) {
        for file in files::missing(&self.files) {
            if self.broken.insert(file.clone()) {
                let code = if Place::of(&file).part == "body.txt" { Code::L03 } else { Code::E01 };
                self.findings.push(Finding::whole(code, &file, "is missing"));
            }
        }
        let mut names = Names::of(cases.iter().map(|case| {
            let mail = mail(case, &samples::shops()[0], english);
            serde_json::to_value(mail).unwrap_or(Value::Null)
        }));
        let templates = || self.files.iter().filter(|(file, _)| is_template(file));
        templates().for_each(|(_, text)| names.define_locals(text));
        let mut found = Vec::new();
        for (file, text) in templates() {
            let at = |(at, words): (usize, String), code| Finding::at(code, file, place(text, at), words);
            found.extend(names.check(file, text).into_iter().map(|fault| Finding::of(Code::L04, fault)));
            let Place { language, kind, part } = Place::of(file);
            let vague = words::vague(language, text).into_iter();
            found.extend(vague.map(|(byte, word)| {
                at((byte, format!("vague word \"{word}\"; say the date, or that there is none")), Code::L05)
            }));
            if let Some(kind) = kind.filter(|kind| kind.rules().is_plain) {
                found.extend(
                    words::selling(language, text)
                        .into_iter()
                        .map(|(byte, word)| at((byte, selling(word, kind.as_str())), Code::L06)),
                );
            }
            if part.ends_with(".html") || part == "say.txt" || files::is_framed(text) {
                let remote = rendered::remote(text).into_iter();
                found.extend(remote.map(|(byte, what)| at((byte, what), Code::L08)));
            }
        }
        self.findings.extend(found);
    }

    /// The set, with an empty file in place of each that is broken, so that the others are tried all the same. None
    /// where nothing could be told apart any more.
    fn parse(&mut self, english: &Arc<Language>) -> Option<TemplateSet> {
        let templates = self.files.iter().filter(|(file, _)| is_template(file));
        let faults: Vec<_> = templates.filter_map(|(file, text)| syntax_fault(file, text, english)).collect();
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
    fn render(&mut self, set: &TemplateSet, cases: &[Case], progress: &Progress) -> usize {
        let mut shops = samples::shops().to_vec();
        shops.extend(self.shop.cloned());
        let mut mails = 0;
        let mut found = Vec::new();
        for language in set.languages() {
            for (case, shop) in cases.iter().zip(shops.iter().cycle()) {
                let kind = case.sample.notice.kind;
                let voice = set.voice_for(&language.tag, kind);
                let Some(parts) = voice.and_then(|voice| Parts::of(voice, kind)) else { continue };
                if parts.all().any(|file| self.broken.contains(file)) {
                    continue;
                }
                if progress.stop.load(Ordering::Relaxed) {
                    return mails;
                }
                *progress.at.lock().unwrap_or_else(PoisonError::into_inner) =
                    (parts.text.clone(), case.name.clone());
                mails += 1;
                for mut finding in rendered::check(set, &mail(case, shop, language), &parts, language) {
                    finding.sample = Some(case.name.clone());
                    found.push(finding);
                }
            }
        }
        self.findings.extend(found);
        mails
    }

    /// Each fault once, with the first sample that shows it; what was silenced is gone.
    fn told(self) -> Vec<Finding> {
        let mut allowed = Allowed::of(&self.files);
        let mut findings = self.findings;
        findings.append(&mut allowed.faults);
        findings.retain(|finding| !allowed.covers(finding));
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
    Place::of(file).part != "language.toml"
}

fn selling(word: &str, kind: &str) -> String {
    format!("marketing word \"{word}\" in {kind}; keep that mail short and operational")
}

/// A sample's mail in a language.
pub(super) fn mail(case: &Case, shop: &Shop, language: &Language) -> MailContext {
    let Sample { order, notice, next_news, now, .. } = &case.sample;
    context(order, notice, shop, &samples::policy(), *next_news, *now, language)
}

/// An empty file in place of one that is broken. A language whose shared parts are broken is left out with its regions:
/// all its mails stand in them; None where that is the root.
fn stand_in(files: &mut Files, file: &str) -> Option<()> {
    let Place { language, kind, part } = Place::of(file);
    match kind {
        Some(_) => _ = files.insert(file.to_owned(), String::new()),
        None if !files::SHARED.contains(&part) => {} // it does not belong here anyway
        None if language == ROOT => return None,
        None => files.retain(|file, _| !lineage(Place::of(file).language).any(|tag| tag == language)),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::names::spans;
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
                    let (line, column) = place(text, from);
                    let mark = format!("{file}:{line}:{column}");
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
            for (case, shop) in samples::cases().iter().zip(samples::shops().iter().cycle()) {
                let mail = set.render(&mail(case, shop, language)).unwrap();
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
