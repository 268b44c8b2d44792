//! The log, on stderr: one line per event, whatever stands in it; and what the service manager is told.
//!
//! Text on a terminal, JSON otherwise. Control characters are escaped, so that nothing that came from
//! outside can forge a line or a colour.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::debug_fn;

use crate::text::plain;

mod supervisor;

pub use supervisor::{Heartbeat, Supervisor, Watchdog};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("RUST_LOG: {0}; write a level (error, warn, info, debug) or directives such as shipby=debug")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("a log has been set up already")]
    Twice(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// The shape of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Text { colour: bool },
    Json,
}

impl Shape {
    /// JSON if it is asked for or, where nothing is asked for (None), if stderr is no terminal.
    pub fn of(json: Option<bool>, terminal: bool, no_colour: bool) -> Self {
        if json.unwrap_or(!terminal) { Self::Json } else { Self::Text { colour: terminal && !no_colour } }
    }
}

/// Sets up the log of this process, once: JSON or not (None: as fits stderr), at `level`. `rust_log` (the
/// variable `RUST_LOG`) goes before it.
pub fn init(json: Option<bool>, level: Level, rust_log: Option<&str>) -> Result<(), TelemetryError> {
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let shape = Shape::of(json, std::io::stderr().is_terminal(), no_colour);
    tracing::subscriber::set_global_default(subscriber(shape, filter(level, rust_log)?, std::io::stderr))?;
    Ok(())
}

/// What is logged: ours at the configured level, of other crates what they warn of.
pub fn filter(level: Level, rust_log: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    if let Some(directives) = rust_log.filter(|directives| !directives.trim().is_empty()) {
        return Ok(EnvFilter::try_new(directives)?);
    }
    let others = LevelFilter::from_level(level).min(LevelFilter::WARN);
    Ok(EnvFilter::try_new(format!("{others},shipby={level}"))?)
}

/// A log of that shape that goes to `writer`.
pub fn subscriber<W>(shape: Shape, filter: EnvFilter, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match shape {
        Shape::Json => Box::new(builder.json().flatten_event(true).with_current_span(true).finish()),
        Shape::Text { colour } => {
            let fields = debug_fn(|writer, field, value| {
                let text = plain(&format!("{value:?}"));
                match field.name() {
                    "message" => write!(writer, "{text}"),
                    name => write!(writer, "{name}={text}"),
                }
            });
            Box::new(builder.with_ansi(colour).fmt_fields(fields.delimited(" ")).finish())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(shape: Shape, level: Level, work: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(shape, filter(level, None).unwrap(), move || writer.clone());
        tracing::subscriber::with_default(subscriber, work);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const EVIL: &str = "1042\nINFO forged\r\u{1b}[31m\u{202e}";

    #[test]
    fn text_is_one_line_per_event_whatever_stands_in_it() {
        let text = logged(Shape::Text { colour: false }, Level::INFO, || {
            tracing::info!(order = EVIL, kind = %EVIL, "planned {EVIL}");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.trim_end().chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
        assert!(text.contains(r"planned 1042\nINFO forged\r\u{1b}[31m"), "{text}");
        assert!(text.contains(r"kind=1042\nINFO forged"), "{text}");
    }

    #[test]
    fn json_is_one_document_per_line() {
        let text = logged(Shape::Json, Level::INFO, || tracing::info!(order = EVIL, "planned"));
        assert_eq!(text.lines().count(), 1, "{text}");
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["order"], EVIL);
        assert_eq!(event["message"], "planned");
    }

    #[test]
    fn other_crates_are_heard_when_they_warn() {
        let text = logged(Shape::Json, Level::DEBUG, || {
            tracing::debug!(target: "shipby::planner", "ours");
            tracing::info!(target: "sqlx::query", "theirs");
            tracing::warn!(target: "sqlx::query", "their warning");
        });
        assert!(
            text.contains("ours") && text.contains("their warning") && !text.contains("theirs"),
            "{text}"
        );
    }

    #[test]
    fn colour_and_text_are_for_a_terminal() {
        assert_eq!(Shape::of(None, true, false), Shape::Text { colour: true });
        assert_eq!(Shape::of(None, true, true), Shape::Text { colour: false });
        assert_eq!(Shape::of(None, false, false), Shape::Json);
        assert_eq!(Shape::of(Some(false), false, false), Shape::Text { colour: false });
        assert!(filter(Level::INFO, Some("shipby=loud")).is_err());
    }
}
