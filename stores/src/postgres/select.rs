//! The SQL of a view: what to select, in which order, and between which keys.

use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::schema::{Column, DataType, KeyOrder, TableName, TableView, ViewColumn};
use rowsync_engine::value::{Value, ValueRef};

use super::filter;
use super::fit::fit;
use super::literal::{identifier, spelled, table, text_literal};
use super::wire::Wire;

/// A column as it is selected.
#[derive(Clone, Debug)]
pub struct Selected {
    pub expression: String,
    pub wire: Wire,
    pub domain: Domain,
    pub name: String,
}

/// A column of the key as it is compared and ordered by.
#[derive(Clone, Debug)]
struct KeyPart {
    expression: String,
    /// What literals are cast to; `None` where it depends on the value.
    literal_type: Option<String>,
    /// What the column equals a literal by: it has to be served by an index whatever the order is.
    equality: Equality,
    wire: Wire,
    nullable: bool,
    name: String,
}

#[derive(Clone, Debug)]
enum Equality {
    /// The expression of the order is as good.
    Expression,
    /// The plain column, since equality by bytes is that of every deterministic collation.
    Column(String),
    /// The plain column and a literal of its own type, then by bytes, as the type takes different texts as equal.
    Loose { column: String, declared: String },
    /// An enum and its label.
    Label { column: String, declared: String },
}

impl Equality {
    fn with(&self, expression: &str, other: &str) -> String {
        match self {
            Equality::Expression => format!("{expression} = {other}"),
            Equality::Column(column) => format!("{column} = {other}"),
            Equality::Label { column, declared } => format!("{column} = ({other})::{declared}"),
            Equality::Loose { column, declared } => {
                format!("{column} = ({other})::{declared} AND {column}::text COLLATE \"C\" = ({other})::text")
            }
        }
    }
}

pub struct ViewSql {
    name: TableName,
    /// Quoted.
    pub table: String,
    /// The same under the name by which all columns are qualified: unqualified, ORDER BY would take `"k"` as the column
    /// of the answer, which may be the text of the table's, and a list of keys might have a column of the same name.
    pub from: String,
    /// All rows of the table under that name, those outside of the view too.
    pub unfiltered: String,
    /// ` AND` the row is one of the view, beside `unfiltered`.
    pub also: String,
    pub columns: Vec<Selected>,
    parts: Vec<KeyPart>,
    modify_time: Option<(String, Option<Wire>)>,
}

impl ViewSql {
    pub fn new(view: &TableView) -> ViewSql {
        let is_key = |index: usize| index < view.key_len;
        ViewSql {
            name: view.table.clone(),
            table: table(&view.table),
            from: filter::rows(view),
            unfiltered: format!("{} AS rowsync_t", table(&view.table)),
            also: filter::also(view),
            columns: view.columns.iter().enumerate().map(|(index, column)| selected(column, is_key(index))).collect(),
            parts: view.key_columns().iter().map(|column| key_part(column, view.key_order)).collect(),
            modify_time: view.modify_time.as_ref().map(|name| {
                let column = view.columns.iter().find(|column| column.column.name == *name);
                (qualified(name), column.map(|column| Wire::of(&column.column)))
            }),
        }
    }

    /// Whether every column is read as it is, and none as a text or a cast of it.
    pub fn selects_plain_columns(&self) -> bool {
        self.columns.iter().all(|column| column.expression == qualified(&column.name))
    }

    pub fn key_columns(&self) -> &[Selected] {
        &self.columns[..self.parts.len()]
    }

    pub fn expressions(columns: &[Selected]) -> String {
        columns.iter().map(|column| column.expression.as_str()).collect::<Vec<_>>().join(", ")
    }

    pub fn order_by(&self, direction: &str) -> String {
        self.parts.iter().map(|part| format!("{}{direction}", part.expression)).collect::<Vec<_>>().join(", ")
    }

    /// The condition of a range, `true` for a whole table without nullable keys.
    pub fn within(&self, range: &KeyRange) -> Result<String, StoreError> {
        let after = range.after.as_ref().map(|key| self.literals(key)).transpose()?;
        let through = range.through.as_ref().map(|key| self.literals(key)).transpose()?;
        Ok(self.between(after.as_deref(), through.as_deref()))
    }

    /// The same between two lists of expressions.
    pub fn between(&self, after: Option<&[String]>, through: Option<&[String]>) -> String {
        let mut conditions: Vec<String> = self.not_null().collect();
        let expressions: Vec<String> = self.parts.iter().map(|part| part.expression.clone()).collect();
        for (bound, operator) in [(after, ">"), (through, "<=")] {
            if let Some(bound) = bound {
                conditions.push(format!("{} {operator} {}", row(&expressions), row(bound)));
            }
        }
        if conditions.is_empty() { "true".into() } else { conditions.join(" AND ") }
    }

    /// NULL in a key is beyond every range, but in a comparison of rows it may hide behind the other columns.
    fn not_null(&self) -> impl Iterator<Item = String> {
        self.parts.iter().filter(|part| part.nullable).map(|part| format!("{} IS NOT NULL", part.expression))
    }

    pub fn null_keys(&self) -> Option<String> {
        let nulls: Vec<String> =
            self.parts.iter().filter(|part| part.nullable).map(|part| format!("{} IS NULL", part.expression)).collect();
        (!nulls.is_empty()).then(|| nulls.join(" OR "))
    }

    /// Equality of the key with expressions.
    pub fn key_equals(&self, others: impl Iterator<Item = String>) -> String {
        let pairs = self.parts.iter().zip(others);
        pairs.map(|(part, other)| part.equality.with(&part.expression, &other)).collect::<Vec<_>>().join(" AND ")
    }

    /// A row of VALUES for each key.
    pub fn key_rows<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> Result<String, StoreError> {
        let rows: Result<Vec<String>, StoreError> =
            keys.into_iter().map(|key| Ok(format!("({})", self.literals(key)?.join(", ")))).collect();
        Ok(rows?.join(", "))
    }

    pub fn modify_time(&self) -> Option<&str> {
        self.modify_time.as_ref().map(|(column, _)| column.as_str())
    }

    pub fn modified_after(&self, moment: &Value) -> Result<String, StoreError> {
        let Some((column, wire)) = &self.modify_time else {
            return Err(StoreError::new(Kind::Bug, "read", "the view has no modify time").at(&self.name));
        };
        let literal = literal(moment.as_ref(), wire.unwrap_or(Wire::Opaque), None)
            .ok_or_else(|| StoreError::new(Kind::BadValue, "read", "the modify time is no moment").at(&self.name))?;
        Ok(format!("{column} > {}", literal.sql()))
    }

    /// The selected columns of a key, of the row called `name`, as the range compares them.
    pub fn as_bounds(&self, name: &str) -> Vec<String> {
        let bound = |(index, part): (usize, &KeyPart)| {
            let cast = part.literal_type.as_ref().map_or(String::new(), |cast| format!("::{cast}"));
            format!("{name}.k{index}{cast}")
        };
        self.parts.iter().enumerate().map(bound).collect()
    }

    /// The literals of a key's values.
    pub fn literals(&self, key: &Key) -> Result<Vec<String>, StoreError> {
        Ok(self.typed_literals(key)?.iter().map(Literal::sql).collect())
    }

    /// The same with their types told apart.
    pub fn typed_literals(&self, key: &Key) -> Result<Vec<Literal>, StoreError> {
        let values = key.values().map_err(|e| StoreError::new(Kind::Bug, "read", e.to_string()).at(&self.name))?;
        if values.len() != self.parts.len() {
            return Err(StoreError::new(Kind::Bug, "read", "a key of other columns").at(&self.name));
        }
        let pairs = values.into_iter().zip(&self.parts);
        pairs
            .map(|(value, part)| {
                literal(value, part.wire, part.literal_type.as_deref()).ok_or_else(|| {
                    let message = format!("column \"{}\": a key ({}) that it cannot hold", part.name, value.kind());
                    StoreError::new(Kind::BadValue, "read", message).at(&self.name)
                })
            })
            .collect()
    }
}

fn qualified(column: &str) -> String {
    format!("rowsync_t.{}", identifier(column))
}

fn row(expressions: &[String]) -> String {
    match expressions {
        [single] => single.clone(),
        several => format!("({})", several.join(", ")),
    }
}

/// Whether the type's values are texts to the server.
fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Text { .. } | DataType::PaddedText { .. } | DataType::Enum { .. })
}

/// How a column is read: as it is where the form fits the domain, as text or cast where it does not. A text under a
/// domain of another kind is read as text and parsed here, but in a key it has to sort as what it means.
fn selected(column: &ViewColumn, is_key: bool) -> Selected {
    let plain = qualified(&column.column.name);
    let own = Wire::of(&column.column);
    let (expression, wire, domain) = match column.domain {
        // A key is compared in statements, where only its text can be written.
        Domain::Native if is_key && own == Wire::Opaque => (format!("{plain}::text"), Wire::Text, Domain::Text),
        Domain::Native if is_key => (plain, own, own.domain()),
        Domain::Native => (plain, Wire::Opaque, Domain::Native),
        domain @ (Domain::Text | Domain::PaddedText) if own != Wire::Text => {
            (as_text(&plain, &column.column), Wire::Text, domain)
        }
        domain => match Wire::cast_for(domain) {
            Some((wire, cast)) if own == Wire::Opaque => (format!("({plain}::text)::{cast}"), wire, domain),
            Some((wire, cast)) if is_key && own == Wire::Text && wire != own => {
                (format!("({plain}::text)::{cast}"), wire, domain)
            }
            _ => (plain, own, domain),
        },
    };
    Selected { expression, wire, domain, name: column.column.name.clone() }
}

/// As the server prints it. The cast of a single address adds its prefix length, which nobody writes.
fn as_text(expression: &str, column: &Column) -> String {
    match column.declared.as_str() {
        "inet" => format!("textin(inet_out({expression}))"),
        _ => format!("{expression}::text"),
    }
}

fn key_part(column: &ViewColumn, order: KeyOrder) -> KeyPart {
    let selected = selected(column, true);
    let own = qualified(&column.column.name);
    // A native key of an opaque type is read as text, but found and ordered by its own type.
    let (mut expression, wire) = match column.domain {
        Domain::Native => (own.clone(), Wire::of(&column.column)),
        _ => (selected.expression, selected.wire),
    };
    let as_it_is = expression == own;
    let textual = wire == Wire::Text;
    let sorts_otherwise = !as_it_is || column.column.collation.is_some() || is_enum(column);
    if order == KeyOrder::Bytewise && textual && sorts_otherwise {
        let cast = if is_enum(column) || is_citext(column) { "::text" } else { "" };
        expression = format!("{expression}{cast} COLLATE \"C\"");
    }
    let literal_type = match wire {
        Wire::Opaque => Some(column.column.declared.clone()),
        Wire::Text if !as_it_is || expression.contains("::text") => Some("text".into()),
        Wire::Text if is_enum(column) || is_citext(column) => Some(column.column.declared.clone()),
        Wire::Text if matches!(column.column.data_type, DataType::PaddedText { .. }) => Some("bpchar".into()),
        Wire::Text => Some("text".into()),
        _ => None,
    };
    KeyPart {
        equality: equality(column, &expression, own, as_it_is && textual),
        expression,
        literal_type,
        wire,
        nullable: column.column.nullable,
        name: column.column.name.clone(),
    }
}

fn equality(column: &ViewColumn, expression: &str, own: String, plain_text: bool) -> Equality {
    let declared = column.column.declared.clone();
    let loose = tells_apart_less_than_bytes(column);
    if !plain_text || expression == own && !loose {
        Equality::Expression
    } else if is_enum(column) {
        Equality::Label { column: own, declared }
    } else if loose {
        Equality::Loose { column: own, declared: if is_citext(column) { declared } else { "text".into() } }
    } else {
        Equality::Column(own)
    }
}

/// Whether texts of other bytes may be equal to the column.
pub fn tells_apart_less_than_bytes(column: &ViewColumn) -> bool {
    is_citext(column) || column.column.collation.as_deref().is_some_and(|collation| collation.contains('~'))
}

pub fn is_enum(column: &ViewColumn) -> bool {
    matches!(column.column.data_type, DataType::Enum { .. })
}

fn is_citext(column: &ViewColumn) -> bool {
    is_text(&column.column.data_type) && column.column.declared.rsplit('.').next() == Some("citext")
}

/// A literal that keeps the index usable: its type is of the family of the column's.
fn literal(value: ValueRef<'_>, wire: Wire, literal_type: Option<&str>) -> Option<Literal> {
    let mut scratch = String::new();
    let uuid;
    let value = match value {
        ValueRef::Uuid(bytes) if wire == Wire::Bytea => {
            uuid = bytes;
            ValueRef::Bytes(&uuid)
        }
        value => value,
    };
    let fitted = match fit(value, wire.domain(), &mut scratch) {
        Ok(fitted) => fitted,
        // A bound between two values of the column: compared as what it is.
        Err(_) => value,
    };
    let text = spelled(fitted)?;
    if text.contains('\0') {
        return None;
    }
    let literal_type = literal_type.or(match fitted {
        ValueRef::Bool(_) => Some("boolean"),
        ValueRef::Int(_) => Some("bigint"),
        ValueRef::Float(_) => Some("double precision"),
        ValueRef::Decimal(_) => Some("numeric"),
        ValueRef::Text(_) => Some("text"),
        ValueRef::Bytes(_) => Some("bytea"),
        ValueRef::Uuid(_) => Some("uuid"),
        ValueRef::Date(_) => Some("date"),
        ValueRef::Time(_) => Some("time"),
        ValueRef::Timestamp(_) => Some("timestamp"),
        ValueRef::TimestampTz(_) => Some("timestamptz"),
        ValueRef::Interval(_) => Some("interval"),
        ValueRef::Json(_) => Some("jsonb"),
        ValueRef::Null | ValueRef::Native(_) | ValueRef::Unfit(..) => None,
    })?;
    Some(Literal { text, sql_type: literal_type.to_owned() })
}

/// A value as text, and the type that it is cast to.
pub struct Literal {
    pub text: String,
    pub sql_type: String,
}

impl Literal {
    pub fn sql(&self) -> String {
        format!("{}::{}", text_literal(&self.text), self.sql_type)
    }
}

/// Whether values of the column are written as text, for the server to read: those of opaque types that do not come in
/// their own binary form, among them all keys, which are read as text.
pub fn is_spelled(column: &ViewColumn, is_key: bool) -> bool {
    Wire::of(&column.column) == Wire::Opaque && (is_key || column.domain != Domain::Native)
}
