//! What a check finds: the findings, each with its place, and the set where none of them is an error.

use serde::Serialize;

use super::super::error::TemplateError;
use super::super::set::TemplateSet;
use super::rules::{Code, Severity};

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
    pub(super) set: Option<TemplateSet>,
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

/// One fault found in a set. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its path below the templates' folder, as `date_slip/body.html`.
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    /// The first sample that shows it; null for what is found by reading alone.
    pub sample: Option<String>,
}

impl Finding {
    /// A finding where a fault lies.
    pub(super) fn of(code: Code, fault: TemplateError) -> Self {
        let TemplateError { file, line, column, message } = fault;
        Self { file, line, column, code, severity: code.rule().severity, message, sample: None }
    }

    /// A finding at a byte of a file that holds `text`.
    pub(super) fn at(code: Code, file: &str, text: &str, byte: usize, message: impl Into<String>) -> Self {
        Self::of(code, TemplateError::at(file, text, byte, message))
    }

    /// A finding about a file as a whole.
    pub(super) fn whole(code: Code, file: &str, message: impl Into<String>) -> Self {
        Self::of(code, TemplateError::whole(file, message))
    }

    /// The message, with the sample that shows it.
    pub fn words(&self) -> String {
        match &self.sample {
            Some(sample) => format!("{} (in the sample `{sample}`)", self.message),
            None => self.message.clone(),
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{} {} {}", self.file, self.line, self.column, self.code.as_str(), self.words())
    }
}
