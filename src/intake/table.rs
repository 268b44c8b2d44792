//! The columns of each kind of CSV, and the object that rows of it stand for.
//!
//! The header names the columns, in any order; one that is not known refuses the file, for what it holds would be lost.

use serde_json::{Map, Value};

use super::csv;
use super::fault::{FieldError, RowError, quoted, short, unknown};
use crate::text::either;

/// What the rows of a CSV are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsvKind {
    /// One row per order line; the rows of one order stand together.
    Orders,
    Supply,
    Receipts,
    /// One row per shipped line; the rows of one shipment stand together.
    Shipments,
}

/// Where in the object a column's cell goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowSpan {
    Top,
    Customer,
    Line,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Number,
    Flag,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    place: RowSpan,
    form: Form,
    must: bool,
}

impl Column {
    const fn of(place: RowSpan, name: &'static str) -> Self {
        Self { name, place, form: Form::Text, must: false }
    }
    const fn top(name: &'static str) -> Self {
        Self::of(RowSpan::Top, name)
    }
    const fn customer(name: &'static str) -> Self {
        Self::of(RowSpan::Customer, name)
    }
    const fn line(name: &'static str) -> Self {
        Self::of(RowSpan::Line, name)
    }
    const fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }
    /// The header must have it, its cells may be empty all the same.
    const fn must(self) -> Self {
        Self { must: true, ..self }
    }

    fn value(&self, cell: &str) -> Value {
        let read = match self.form {
            Form::Text => None,
            // Spreadsheets and statistics programs write 2.0 where they mean 2.
            Form::Number => {
                let whole = cell.split_once('.').filter(|(_, rest)| rest.bytes().all(|byte| byte == b'0'));
                whole.map_or(cell, |(whole, _)| whole).parse::<i64>().ok().map(Value::from)
            }
            Form::Flag => match cell.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Some(Value::Bool(true)),
                "false" | "no" | "0" => Some(Value::Bool(false)),
                _ => None,
            },
        };
        // What is no number or flag stays a text, and is refused as one by the reader of the object.
        read.unwrap_or_else(|| Value::String(cell.to_owned()))
    }
}

const ORDERS: &[Column] = &[
    Column::top("order").must(),
    // Without it every order would count as placed today, and the queue is by age.
    Column::top("placed_at").must(),
    Column::customer("email").must(),
    Column::customer("name"),
    Column::customer("locale"),
    Column::customer("timezone"),
    Column::customer("country"),
    Column::top("channel"),
    Column::top("payment"),
    Column::line("line"),
    Column::line("sku").must(),
    Column::line("title").must(),
    Column::line("quantity").form(Form::Number).must(),
    Column::line("kind").must(),
    Column::line("promised"),
    Column::top("at"),
    Column::top("currency"),
    Column::line("unit_price"),
    Column::top("partial"),
];
const SUPPLY: &[Column] = &[
    Column::top("sku").must(),
    Column::top("supply"),
    Column::top("quantity").form(Form::Number),
    // A forgotten column would withdraw the date of everybody who waits.
    Column::top("eta").must(),
    Column::top("state").must(),
    Column::top("reason"),
    Column::top("at"),
    Column::top("supplier"),
    Column::top("confirmed").form(Form::Flag),
    Column::top("cause"),
    Column::top("alternative"),
    Column::top("goodwill"),
];
const RECEIPTS: &[Column] = &[
    // Two equal receipts are two, so nothing else in a row can stand for it.
    Column::top("id").must(),
    Column::top("sku").must(),
    Column::top("supply"),
    Column::top("quantity").form(Form::Number).must(),
    Column::top("at"),
];
const SHIPMENTS: &[Column] = &[
    Column::top("id").must(),
    Column::top("order").must(),
    Column::line("line"),
    Column::line("quantity").form(Form::Number),
    Column::top("carrier"),
    Column::top("tracking"),
    Column::top("url"),
    Column::top("at"),
    Column::top("handed_over").form(Form::Flag),
];

impl CsvKind {
    /// As the command line calls it.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "orders" => Some(Self::Orders),
            "supply" => Some(Self::Supply),
            "receipts" => Some(Self::Receipts),
            "shipments" => Some(Self::Shipments),
            _ => None,
        }
    }

    fn columns(self) -> &'static [Column] {
        match self {
            Self::Orders => ORDERS,
            Self::Supply => SUPPLY,
            Self::Receipts => RECEIPTS,
            Self::Shipments => SHIPMENTS,
        }
    }

    /// The column by which rows belong together, where several make one fact.
    fn key(self) -> Option<&'static str> {
        match self {
            Self::Orders => Some("order"),
            Self::Shipments => Some("id"),
            Self::Supply | Self::Receipts => None,
        }
    }

    /// What one fact of it is called, as in "the rows of one order".
    pub(super) fn fact(self) -> &'static str {
        match self {
            Self::Orders => "order",
            Self::Supply => "supply",
            Self::Receipts => "receipt",
            Self::Shipments => "shipment",
        }
    }
}

/// One row, as far as it could be read.
pub(super) struct Record {
    pub(super) line: u64,
    pub(super) raw: String,
    pub(super) cells: Vec<String>,
    pub(super) fault: Option<RowError>,
}

impl Record {
    pub(super) fn cell(&self, column: usize) -> Option<&str> {
        self.cells.get(column).map(|cell| cell.trim())
    }

    /// What it says in the column by which rows belong together, if that could be read.
    pub(super) fn name(&self, key: usize) -> Option<&str> {
        self.cell(key).filter(|name| !name.is_empty())
    }
}

/// The header of a CSV, understood.
pub(super) struct Table {
    pub(super) kind: CsvKind,
    pub(super) separator: char,
    pub(super) header: String,
    pub(super) columns: Vec<&'static Column>,
    /// The place of the column by which rows belong together.
    pub(super) key: Option<usize>,
}

impl Table {
    pub(super) fn new(kind: CsvKind, header: &str, line: u64) -> Result<Self, RowError> {
        let separator = if header.contains(';') { ';' } else { ',' };
        if separator == ',' && header.contains('\t') && !header.contains(',') {
            return Err(RowError::row(
                line,
                "the columns are separated by tabs; separate them by commas or semicolons",
            ));
        }
        let (names, fault) = csv::cells(header, separator);
        if let Some(fault) = fault {
            return Err(RowError::row(line, format!("the header cannot be read: {fault}")));
        }
        let known: Vec<_> = kind.columns().iter().map(|column| column.name).collect();
        let mut columns: Vec<&'static Column> = Vec::new();
        let column = |name: &str| {
            let wanted = name.trim().to_lowercase();
            kind.columns().iter().find(|column| column.name == wanted)
        };
        for (i, name) in names.iter().enumerate() {
            let Some(column) = column(name) else {
                let name = name.trim();
                let mut says = if name.is_empty() {
                    "has no name; name it or remove it".into()
                } else {
                    unknown(name, &known)
                };
                let others = names.iter().skip(i + 1).filter(|name| !name.trim().is_empty());
                let others: Vec<_> =
                    others.filter(|name| column(name).is_none()).map(|name| short(name.trim())).collect();
                if !others.is_empty() {
                    let nor = format!("; neither are {}: rename or remove them", others.join(", "));
                    says.push_str(&nor);
                }
                let name = if name.is_empty() { (i + 1).to_string() } else { short(name) };
                return Err(RowError::column(line, name, says));
            };
            if columns.iter().any(|other| other.name == column.name) {
                return Err(RowError::column(line, column.name, "stands in the header twice; remove one"));
            }
            columns.push(column);
        }
        let missing: Vec<_> = kind
            .columns()
            .iter()
            .filter(|column| column.must && !columns.iter().any(|c| c.name == column.name))
            .map(|column| column.name)
            .collect();
        if !missing.is_empty() {
            let all = missing.join(", ");
            return Err(RowError::row(
                line,
                format!("the header of {} lacks {all}; its first row names the columns", named(kind)),
            ));
        }
        let key = columns.iter().position(|column| Some(column.name) == kind.key());
        Ok(Self { kind, separator, header: header.to_owned(), columns, key })
    }

    /// What a column is called.
    pub(super) fn name_of(&self, column: usize) -> &'static str {
        self.columns.get(column).map_or("", |column| column.name)
    }

    /// The object that these rows stand for: those of one order or shipment, else a single one.
    pub(super) fn object(&self, rows: &[Record]) -> Result<Value, RowError> {
        if let Some(fault) = rows.iter().find_map(|row| row.fault.as_ref()) {
            return Err(fault.clone());
        }
        self.agree(rows)?;
        let mut top = Map::new();
        top.insert("fact".into(), self.kind.fact().into());
        let Some(first) = rows.first() else { return Ok(Value::Object(top)) };
        self.fill(&mut top, first, RowSpan::Top);
        if self.kind == CsvKind::Orders {
            let mut customer = Map::new();
            self.fill(&mut customer, first, RowSpan::Customer);
            top.insert("customer".into(), customer.into());
        }
        if self.kind.key().is_some() {
            let lines: Vec<_> = rows.iter().zip(1..).map(|(row, number)| self.line(row, number)).collect();
            // A shipment in one row that names no line ships all that is open.
            if lines.len() > 1 || lines.iter().any(|line| !line.is_empty()) {
                top.insert("lines".into(), lines.into_iter().map(Value::Object).collect());
            }
        }
        Ok(Value::Object(top))
    }

    /// Whether other rows may be hidden in this one, by a quote that was meant to close on its own line.
    pub(super) fn may_hide_rows(&self, row: &Record) -> bool {
        let separators = |cell: &str| cell.matches(self.separator).count();
        let hidden = |cell: &String| cell.contains('\n') && separators(cell) + 1 >= self.columns.len();
        row.raw.contains('\n') && (row.fault.is_some() || row.cells.iter().any(hidden))
    }

    fn line(&self, row: &Record, number: usize) -> Map<String, Value> {
        let mut line = Map::new();
        self.fill(&mut line, row, RowSpan::Line);
        if self.kind == CsvKind::Orders && !line.contains_key("id") {
            line.insert("id".into(), number.to_string().into());
        }
        line
    }

    fn fill(&self, into: &mut Map<String, Value>, row: &Record, place: RowSpan) {
        for (column, cell) in self.columns.iter().zip(&row.cells).filter(|(column, _)| column.place == place)
        {
            let cell = cell.trim();
            if !cell.is_empty() {
                let name = if column.name == "line" { "id" } else { column.name };
                into.insert(name.into(), column.value(cell));
            }
        }
    }

    /// What is said of the whole in each row must be the same in each; an empty cell says the same as the first.
    fn agree(&self, rows: &[Record]) -> Result<(), RowError> {
        let Some((first, others)) = rows.split_first() else { return Ok(()) };
        for row in others {
            for (i, column) in
                self.columns.iter().enumerate().filter(|(_, column)| column.place != RowSpan::Line)
            {
                let (here, there) = (row.cell(i).unwrap_or_default(), first.cell(i).unwrap_or_default());
                if !here.is_empty() && here != there {
                    let (line, whole) = (first.line, self.kind.fact());
                    let (here, there) = (quoted(here), quoted(there));
                    let says = format!(
                        "{here} differs from {there} on line {line}; the rows of one {whole} must agree"
                    );
                    return Err(RowError::column(row.line, column.name, says));
                }
            }
        }
        Ok(())
    }

    /// A refused field of the object, at the row and in the column it came from.
    pub(super) fn refusal(&self, error: &FieldError, rows: &[Record]) -> RowError {
        let of_line = error.field.strip_prefix("lines[").and_then(|rest| rest.split_once("]."));
        let (row, name) = match of_line {
            Some((index, name)) => (index.parse().unwrap_or(0), if name == "id" { "line" } else { name }),
            None => (0, error.field.strip_prefix("customer.").unwrap_or(&error.field)),
        };
        let line = rows.get(row).or(rows.first()).map_or(0, |row| row.line);
        RowError::column(line, name, error.says())
    }
}

fn named(kind: CsvKind) -> &'static str {
    match kind {
        CsvKind::Orders => "orders",
        CsvKind::Supply => "supply",
        CsvKind::Receipts => "receipts",
        CsvKind::Shipments => "shipments",
    }
}

/// The words of the kinds, for a message.
pub(super) fn kinds() -> String {
    either(&[CsvKind::Orders, CsvKind::Supply, CsvKind::Receipts, CsvKind::Shipments].map(named))
}
