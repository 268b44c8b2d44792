//! What is wrong with a template, and where: `file:line:column message`, with the nearest known name.

use tera::ErrorKind;

use crate::text::closest;

/// One fault of one template file. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column} {message}")]
pub struct TemplateError {
    /// Its path below the templates' folder, as `date_slip/body.html`.
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl TemplateError {
    /// A fault of the file as a whole.
    pub fn whole(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: 1, column: 1, message: message.into() }
    }

    /// A fault at a byte of a file that begins with `text`.
    pub(super) fn at(file: impl Into<String>, text: &str, byte: usize, message: impl Into<String>) -> Self {
        let before = &text[..byte];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        Self { file: file.into(), line, column, message: message.into() }
    }

    /// What tera says about `file`, told in our form. The place tera names wins over `file`: a fault of a part that
    /// `file` takes in lies there.
    pub(super) fn of(file: &str, error: &tera::Error) -> Self {
        match error.kind() {
            ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => Self {
                file: report.filename().to_owned(),
                line: report.span().start_line,
                column: report.span().start_col + 1,
                message: tidy(report.message()),
            },
            ErrorKind::MissingParent { current, parent } => {
                Self::whole(current, format!("extends `{parent}`, which is not among the templates"))
            }
            ErrorKind::CircularExtend { tpl, .. } | ErrorKind::CircularInclude { tpl, .. } => {
                Self::whole(tpl, "takes itself in")
            }
            // Unknown filters, components and parents name their place in the text only.
            _ => Self::in_text(&error.to_string())
                .unwrap_or_else(|| Self::whole(file, tidy(&error.to_string()))),
        }
    }

    /// Reads `error: MESSAGE\n --> FILE:LINE:COLUMN`.
    fn in_text(text: &str) -> Option<Self> {
        let (message, rest) = text.split_once("\n")?;
        let place = rest.trim_start().strip_prefix("--> ")?.lines().next()?;
        let mut parts = place.rsplitn(3, ':');
        let column = parts.next()?.parse().ok()?;
        let line = parts.next()?.parse().ok()?;
        Some(Self { file: parts.next()?.to_owned(), line, column, message: tidy(message) })
    }
}

/// Tera's words in our style, with the nearest of the names it lists.
fn tidy(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message).trim_end_matches('.');
    let Some((said, known)) =
        message.split_once(". Available variables: ").or_else(|| message.split_once(". Available fields: "))
    else {
        return message.to_owned();
    };
    let wrong = said.split('`').nth(1).unwrap_or_default();
    unknown(said, wrong, known.split(", "))
}

/// `said`, and which of `known` is nearest to `wrong`.
pub(super) fn unknown<'a>(said: &str, wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(wrong, known)
        .map_or_else(|| said.to_owned(), |near| format!("{said}; the nearest known is `{near}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_stands_in_the_text_only_is_read_from_it() {
        let text = "error: Unknown filter `dat`\n --> a/body.txt:3:8\n  |\n3 | x";
        let error = TemplateError::of("b", &tera::Error::message(text));
        assert_eq!(error.to_string(), "a/body.txt:3:8 Unknown filter `dat`");
        assert_eq!(TemplateError::of("b", &tera::Error::message("odd.")).to_string(), "b:1:1 odd");
    }
}
