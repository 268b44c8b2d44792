//! What comes in from files and bodies becomes a [`Fact`](crate::domain::fact::Fact), or is refused with the place and the mend.
//!
//! In reading order: how a refusal is worded (`fault`), one value (`value`, `date`), one object (`fields`, `json`), the
//! way back (`write`), and files: lines (`lines`), a CSV's rows and columns (`csv`, `table`, `group`), and the
//! reader of both formats (`read`), which can be checked whole before it is applied (`spool`). There is one reading of each field: a CSV row is turned into the object it
//! stands for. Only `record` touches the database.

mod csv;
mod date;
mod fault;
mod fields;
mod group;
mod json;
mod lines;
mod read;
mod record;
mod spool;
mod strict;
mod table;
mod value;
mod write;

pub use fault::{FieldError, RowError, Spot};
pub use json::fact;
pub use read::{Format, FormatError, Row, Rows, format_of};
pub use record::{Recording, record};
pub use spool::{RowSpan, Sorting, Spool, SpoolError, Spooled, keep_first};
pub use table::CsvKind;
pub use write::to_json;
