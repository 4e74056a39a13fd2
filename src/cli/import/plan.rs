//! What is to be read, and how, made out before anything is published.

use super::columns::{Columns, PROFILE, Wishes};
use super::records::{Place, Records};
use super::rows::Rows;
use super::{Import, Input, Usage};
use crate::clock::format_rfc3339;
use crate::event::{EventType, Schema};
use crate::terms::BROADCAST_PREFIX;
use anyhow::Context as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

const STANDARD_INPUT: &str = "-";
/// What files with refused lines are called.
pub(super) const REJECTS: &str = ".rejects";

/// One input.
pub(super) struct Plan {
    /// As it was named on the command line.
    pub(super) name: String,
    /// None for standard input, which cannot be read twice.
    pub(super) path: Option<PathBuf>,
    pub(super) kind: Input,
    pub(super) delimiter: u8,
    pub(super) rows: Option<Rows>,
    /// The header of a CSV file.
    pub(super) header: Vec<u8>,
    /// Behind the header.
    pub(super) start: Place,
    /// The options that make events of its records.
    pub(super) options: String,
    /// Standard input, behind the header.
    pub(super) records: Option<Records>,
}

impl Plan {
    /// Looks at the beginning of an input.
    pub(super) fn new(import: &Import, name: &str, schema: &Schema) -> anyhow::Result<Self> {
        let path = (name != STANDARD_INPUT).then(|| PathBuf::from(name));
        let input: Box<dyn Read + Send> = match &path {
            None => Box::new(std::io::stdin()),
            Some(path) => {
                let opened = File::open(path).with_context(|| format!("could not read {name}"))?;
                if opened.metadata()?.is_dir() {
                    return Err(Usage(format!("{name} is a folder: name its files")).into());
                }
                Box::new(opened)
            }
        };
        let mut input = BufReader::new(input);
        let head = input
            .fill_buf()
            .with_context(|| format!("could not read {name}"))?;
        let kind = detect(import.input, path.as_deref(), name, head)?;
        let delimiter = import.delimiter()?;
        let mut records = Records::new(Box::new(input), kind, delimiter, Place::START);
        let mut plan = Self {
            name: name.to_owned(),
            path,
            kind,
            delimiter,
            rows: None,
            header: Vec::new(),
            start: Place::START,
            options: "--input ndjson".to_owned(),
            records: None,
        };
        match kind {
            Input::Csv => plan.read_header(import, schema, &mut records)?,
            _ => import.check_only_csv(name)?,
        }
        plan.records = plan.path.is_none().then_some(records);
        Ok(plan)
    }

    fn read_header(
        &mut self,
        import: &Import,
        schema: &Schema,
        records: &mut Records,
    ) -> anyhow::Result<()> {
        let name = &self.name;
        let usage = |text: String| Usage(format!("{name}: {text}"));
        let kind = row_type(import, schema).map_err(usage)?;
        let header = match records.next()? {
            Some((_, Ok(()))) => records.cells().map_err(|e| usage(e.detail))?,
            Some((_, Err(rejection))) => return Err(usage(rejection.detail).into()),
            None => {
                let empty = "it is empty: a CSV file begins with a header";
                return Err(usage(empty.to_owned()).into());
            }
        };
        if let [only] = header[..]
            && let Some(other) = only.chars().find(|c| ";\t|".contains(*c))
        {
            let text = format!("its delimiter seems to be {other:?}: say so with --delimiter");
            return Err(usage(text).into());
        }
        let wishes = Wishes {
            map: &import.map,
            set: &import.set,
            has_time: import.time.is_some(),
        };
        let columns = Columns::plan(&header, kind, schema, wishes).map_err(|e| usage(e.0))?;
        if !columns.undeclared.is_empty() {
            eprintln!(
                "{name}: schema.toml declares no attribute {}: rules will not be able to read it",
                columns.undeclared.join(", ")
            );
        }
        let base_name = self.path.as_deref().map_or("stdin", base_name).to_owned();
        let source = import.source.clone();
        let rows = Rows {
            columns,
            kind: kind.name.clone(),
            source: source.unwrap_or_else(|| format!("import/{base_name}")),
            base_name,
            time: import.time,
            zone: import.zone.clone(),
        };
        self.options = options(import, &rows);
        self.header = records.raw().to_vec();
        self.start = records.place();
        self.rows = Some(rows);
        Ok(())
    }
}

/// The declaration of what the rows are.
fn row_type<'a>(import: &Import, schema: &'a Schema) -> Result<&'a EventType, String> {
    let is_of_customers = |name: &str| !name.starts_with(BROADCAST_PREFIX);
    let kinds = || {
        let kinds = schema.event_types().map(|kind| &*kind.name);
        let kinds: Vec<&str> = kinds.filter(|name| is_of_customers(name)).collect();
        kinds.join(", ")
    };
    let Some(name) = &import.kind else {
        return Err(format!("say with --type what its rows are: {}", kinds()));
    };
    let kind = schema
        .event_type(name)
        .filter(|kind| is_of_customers(&kind.name))
        .ok_or_else(|| {
            format!(
                "--type {name} is not declared in schema.toml, so nobody knows what its columns hold; declared \
                 are {}",
                kinds()
            )
        })?;
    if import.time.is_some() && &*kind.name != PROFILE {
        return Err("--time is for customer.profile: what happened has its own time".to_owned());
    }
    Ok(kind)
}

/// The file's name without what refused lines add to it, so that a mended row is of the same source.
fn base_name(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or("file");
    name.strip_suffix(REJECTS).unwrap_or(name)
}

fn options(import: &Import, rows: &Rows) -> String {
    let mut text = format!("--input csv --type {} --source {}", rows.kind, rows.source);
    for (flag, pairs) in [("map", &import.map), ("set", &import.set)] {
        for (name, value) in pairs {
            text += &format!(" --{flag} {name}={value}");
        }
    }
    if let Some(time) = import.time {
        text += &format!(" --time {}", format_rfc3339(time));
    }
    if let Some(zone) = import.zone.as_ref().and_then(|zone| zone.iana_name()) {
        text += &format!(" --zone {zone}");
    }
    if import.delimiter != ',' {
        text += &format!(" --delimiter {:?}", import.delimiter);
    }
    text
}

fn detect(wish: Input, path: Option<&Path>, name: &str, head: &[u8]) -> Result<Input, Usage> {
    if head.starts_with(&[0x1f, 0x8b]) {
        return Err(Usage(format!(
            "{name} is compressed: zcat {name} | onscene import … -"
        )));
    }
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(Usage(format!(
            "{name} is UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`"
        )));
    }
    if wish != Input::Auto {
        return Ok(wish);
    }
    let ending = path.map(base_name).and_then(|name| name.rsplit_once('.'));
    match ending
        .map(|(_, ending)| ending.to_ascii_lowercase())
        .as_deref()
    {
        Some("csv" | "tsv") => Ok(Input::Csv),
        Some("ndjson" | "jsonl" | "json") => Ok(Input::Ndjson),
        _ => {
            let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
            let is_json = head.trim_ascii_start().first() == Some(&b'{');
            Ok(if is_json { Input::Ndjson } else { Input::Csv })
        }
    }
}
