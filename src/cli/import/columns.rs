//! What the columns of a CSV file are: the header against the declaration of the events' type.

use super::Usage;
use crate::event::{EventType, Field, FieldKind, Schema};

/// The type whose rows may do without a time of their own.
pub(super) const PROFILE: &str = "customer.profile";
/// How alike a column must be to be suggested.
const ALIKE: f64 = 0.8;
/// `--map COLUMN=-` leaves a column out.
const LEFT_OUT: &str = "-";

/// Where a cell goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Customer,
    Time,
    Id,
    /// A field of the data, by its path.
    Data(Vec<Box<str>>, Cell),
    Nowhere,
}

/// How a cell is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// As it is; amounts too, so that they stay exact.
    Text,
    Number,
    Boolean,
    Time,
    /// Texts with `;` between them.
    List,
}

/// The columns of a file, in order, and what is the same in each row.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// The header's name of each, for messages.
    pub(super) names: Vec<String>,
    pub(super) targets: Vec<Target>,
    pub(super) constants: Vec<(Target, String)>,
    /// Attributes that `schema.toml` does not declare.
    pub(super) undeclared: Vec<String>,
}

/// What the command line says about columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wishes<'a> {
    pub(super) map: &'a [(String, String)],
    pub(super) set: &'a [(String, String)],
    /// Whether `--time` was given.
    pub(super) has_time: bool,
}

impl Columns {
    /// Reads a header. All that is wrong with it is said at once.
    pub(super) fn plan(
        header: &[&str],
        kind: &EventType,
        schema: &Schema,
        wishes: Wishes<'_>,
    ) -> Result<Self, Usage> {
        let mut faults = Vec::new();
        let targets: Vec<Target> = header
            .iter()
            .map(|column| {
                let mapped = wishes.map.iter().find(|(name, _)| name == column);
                let field = mapped.map_or(*column, |(_, field)| field);
                if mapped.is_some() && field == LEFT_OUT {
                    return Target::Nowhere;
                }
                resolve(field, kind, schema).unwrap_or_else(|| {
                    faults.push(unknown(column, field, kind, schema));
                    Target::Nowhere
                })
            })
            .collect();
        for (column, _) in wishes.map {
            if !header.contains(&&**column) {
                let header = header.join(", ");
                faults.push(format!(
                    "--map {column}: the header has no such column; it has {header}"
                ));
            }
        }
        let mut constants = Vec::new();
        for (field, value) in wishes.set {
            match resolve(field, kind, schema) {
                Some(target @ Target::Data(..)) => constants.push((target, value.clone())),
                Some(_) => faults.push(format!("--set {field}: it must differ from row to row")),
                None => faults.push(format!("--set {}", unknown(field, field, kind, schema))),
            }
        }
        let columns = Self {
            names: header.iter().map(|name| (*name).to_owned()).collect(),
            undeclared: undeclared(&targets, kind, schema),
            targets,
            constants,
        };
        columns.check_whole(kind, wishes.has_time, &mut faults);
        if faults.is_empty() {
            Ok(columns)
        } else {
            Err(Usage(faults.join("\n  ")))
        }
    }

    /// What is there twice, and what is missing.
    fn check_whole(&self, kind: &EventType, has_time: bool, faults: &mut Vec<String>) {
        let constants = self.constants.iter().map(|(target, _)| target);
        let all: Vec<&Target> = self.targets.iter().chain(constants).collect();
        for (at, target) in all.iter().enumerate() {
            if **target != Target::Nowhere && all[..at].contains(target) {
                let name = self.names.get(at).map_or("--set", |name| name);
                faults.push(format!(
                    "{name}: another column says the same; leave one out with --map {name}=-"
                ));
            }
        }
        let has = |target: &Target| all.contains(&target);
        if !has(&Target::Customer) {
            faults.push(
                "no column says whose a row is: call it `customer`, or say which it is with --map COLUMN=customer"
                    .to_owned(),
            );
        }
        match (has(&Target::Time), has_time) {
            (true, true) => faults.push("--time: there is a column for it already".to_owned()),
            (false, false) if &*kind.name == PROFILE => faults.push(
                "no column says when a row was so: call it `time`, map one with --map COLUMN=time, or give one \
                 time for all rows with --time"
                    .to_owned(),
            ),
            (false, false) => faults.push(
                "no column says when a row happened: call it `time`, or say which it is with --map COLUMN=time"
                    .to_owned(),
            ),
            _ => {}
        }
        for field in kind.fields.iter().filter(|field| field.required) {
            let is_given = all.iter().any(|target| {
                matches!(target, Target::Data(path, _) if path.first().is_some_and(|name| field.name == **name))
            });
            if !is_given {
                faults.push(format!(
                    "`{0}` is missing, and {1} needs it: map a column with --map COLUMN={0}, or give one value for \
                     all rows with --set {0}=VALUE",
                    example(field),
                    kind.name
                ));
            }
        }
    }
}

/// The name by which a required field can be given.
fn example(field: &Field) -> String {
    match &field.kind {
        FieldKind::Record(inner) => match inner.iter().find(|inner| inner.required) {
            Some(inner) => format!("{}.{}", field.name, inner.name),
            None => field.name.to_string(),
        },
        _ => field.name.to_string(),
    }
}

/// The profile's attributes that rules cannot read.
fn undeclared(targets: &[Target], kind: &EventType, schema: &Schema) -> Vec<String> {
    let attribute = |target: &Target| match target {
        Target::Data(path, _) if &*kind.name == PROFILE && &*path[0] == "attributes" => {
            path.get(1).map(ToString::to_string)
        }
        _ => None,
    };
    let names = targets.iter().filter_map(attribute);
    names
        .filter(|name| schema.attribute(name).is_none())
        .collect()
}

fn unknown(column: &str, field: &str, kind: &EventType, schema: &Schema) -> String {
    let name = if column == field {
        format!("`{field}`")
    } else {
        format!("`{field}`, which --map names for `{column}`,")
    };
    let last = |known: &str| known.rsplit('.').next() == Some(field);
    let names = known(kind, schema);
    let alike = names.iter().find(|known| last(known)).cloned().or_else(|| {
        let names = names.iter();
        let all = names.map(|known| (strsim::jaro_winkler(known, field), known));
        all.filter(|(likeness, _)| *likeness >= ALIKE)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, known)| known.clone())
    });
    let hint = alike.map_or_else(String::new, |known| {
        format!("; --map '{column}={known}' if it is that")
    });
    format!(
        "{name} is no field of {}{hint}; --map '{column}={LEFT_OUT}' to leave it out",
        kind.name
    )
}

/// The names that columns may have.
fn known(kind: &EventType, schema: &Schema) -> Vec<String> {
    let mut names: Vec<String> = ["customer", "time", "id"].map(String::from).into();
    fn walk(prefix: &str, fields: &[Field], names: &mut Vec<String>) {
        for field in fields {
            match &field.kind {
                FieldKind::Record(inner) => {
                    walk(&format!("{prefix}{}.", field.name), inner, names);
                }
                FieldKind::Open => {}
                _ => names.push(format!("{prefix}{}", field.name)),
            }
        }
    }
    walk("", &kind.fields, &mut names);
    if &*kind.name == PROFILE {
        let attributes = schema.attributes();
        names.extend(attributes.map(|(name, _)| format!("attributes.{name}")));
        names.extend(["segments.add", "segments.remove"].map(String::from));
        let channels = schema.channels().map(|c| c.keys().map(|c| &**c).collect());
        for channel in channels.unwrap_or_else(|| vec!["push", "sms"]) {
            names.extend(["consents", "reachable"].map(|of| format!("{of}.{channel}")));
        }
    }
    names
}

/// Where a field of that name goes; none if the type has none.
fn resolve(field: &str, kind: &EventType, schema: &Schema) -> Option<Target> {
    let (path, is_data) = match field.strip_prefix("data.") {
        Some(path) => (path, true),
        None => (field, false),
    };
    match path {
        "customer" | "subject" if !is_data => return Some(Target::Customer),
        "time" if !is_data => return Some(Target::Time),
        "id" if !is_data => return Some(Target::Id),
        // Ours: it is set beside `amount`.
        "original_amount" => return None,
        _ => {}
    }
    let names: Vec<&str> = path.split('.').collect();
    let mut fields = &kind.fields;
    for (at, name) in names.iter().enumerate() {
        let found = fields.iter().find(|field| &*field.name == *name)?;
        let rest = &names[at + 1..];
        let cell = match &found.kind {
            FieldKind::Record(inner) if !rest.is_empty() => {
                fields = inner;
                continue;
            }
            FieldKind::Open => open(name, rest, schema)?,
            kind if rest.is_empty() => cell(kind)?,
            _ => return None,
        };
        return Some(Target::Data(
            names.into_iter().map(Box::from).collect(),
            cell,
        ));
    }
    None
}

fn cell(kind: &FieldKind) -> Option<Cell> {
    Some(match kind {
        FieldKind::Text | FieldKind::Word(_) | FieldKind::Money | FieldKind::SignedMoney => {
            Cell::Text
        }
        FieldKind::Number => Cell::Number,
        FieldKind::Boolean => Cell::Boolean,
        FieldKind::Time => Cell::Time,
        FieldKind::List => Cell::List,
        FieldKind::Record(_) | FieldKind::Open => return None,
    })
}

/// The parts of a profile.
fn open(part: &str, names: &[&str], schema: &Schema) -> Option<Cell> {
    match (part, names) {
        ("attributes", [name]) if !name.is_empty() => Some(match schema.attribute(name) {
            Some(FieldKind::Number) => Cell::Number,
            Some(FieldKind::Boolean) => Cell::Boolean,
            Some(FieldKind::Time) => Cell::Time,
            _ => Cell::Text,
        }),
        ("segments", ["add" | "remove"]) => Some(Cell::List),
        ("consents" | "reachable", [channel]) if !channel.is_empty() => Some(Cell::Boolean),
        _ => None,
    }
}
