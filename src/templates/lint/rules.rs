//! What a set of templates is held to: every code with what it means, how grave it is and whether it can be silenced.
//!
//! The one table: the checker, the guide for writers and the tests read it.

use serde::Serialize;

/// Whether a set that breaks a rule can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The set is refused; the last good one stays.
    Error,
    /// The set is used, and the finding is shown everywhere it matters.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing a template can be held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub code: Code,
    pub severity: Severity,
    /// Whether `{# lint:allow CODE reason #}` in the file silences it.
    pub silenceable: bool,
    /// What is held against the template.
    pub says: &'static str,
    /// What to do about it.
    pub mend: &'static str,
}

macro_rules! rules {
    ($($code:ident $severity:ident $silenceable:literal $says:literal $mend:literal;)+) => {
        /// The codes of all rules.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Code { $(#[doc = $says] $code,)+ }

        impl Code {
            /// As it is written, `L07`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)+ }
            }

            /// The code that is written like that.
            pub fn from_word(word: &str) -> Option<Self> {
                RULES.iter().map(|rule| rule.code).find(|code| code.as_str() == word)
            }

            /// The rule it stands for.
            pub fn rule(self) -> &'static Rule {
                // The table and the codes are written from the same lines.
                &RULES[self as usize]
            }
        }

        /// Every rule, in the order of the codes.
        pub const RULES: &[Rule] = &[$(Rule {
            code: Code::$code, severity: Severity::$severity, silenceable: $silenceable, says: $says, mend: $mend,
        }),+];
    };
}

rules! {
    E01 Error false "a file cannot be read, is missing, or does not belong here"
        "the message says which and why";
    E02 Error false "a template cannot be understood"
        "the message says what was expected, or which name is unknown";
    E03 Error false "a template fails, or renders to nothing, for a sample"
        "the sample is named; `shipby template preview KIND --sample NAME` shows it";
    E04 Error false "rendering takes too long or gives more than 1 MiB"
        "look for a loop within a loop";
    L00 Warning false "a lint:allow that silences nothing"
        "write {# lint:allow CODE reason #} with a code of this table and a reason";
    L01 Error true "the mail offers no way to cancel"
        "use {{ links.cancel }}, {{ links.cancel_mail }} or {{ shop.support_email }}";
    L02 Error true "the mail states no promise, nor that there is none"
        "state the date of every line that waits, and in so many words that there is none yet";
    L03 Error false "the text part is missing or empty"
        "no mail is html alone: write body.txt";
    L04 Error true "a variable or field is unknown, also in a branch that is never taken"
        "`shipby template vars KIND` lists what there is";
    L05 Warning true "a vague word stands where a date should"
        "say the date, or that there is none";
    L06 Warning true "a marketing word stands in update_48h"
        "keep that mail short and operational";
    L07 Warning true "text and html state different dates"
        "state the same dates in both parts";
    L08 Warning true "the html loads something from elsewhere"
        "leave it out: many readers block it, and it tells on the customer";
    L09 Error true "the subject is longer than 150 characters"
        "cut what is long with | clip(length=60)";
    L10 Error true "the mail does not name the order"
        "use {{ order.number }}";
}
