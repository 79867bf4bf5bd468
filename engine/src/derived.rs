//! Values that are made instead of read: each column of a view comes from a column of the table, or from an expression
//! over several; NULL may become a default, and what the target's column cannot hold may be rounded or become NULL.
//!
//! Rows are made here, where they arrive, so they are the same whatever store they come from. Whoever reads by such a view
//! is shown made rows alone: what is compared is what will be written.

mod capacity;
mod exact;
mod expression;
mod kept;
mod kind;
mod snapshot;
mod worth;

use std::sync::Arc;

pub use capacity::{Capacity, OnLossy};
pub use exact::refuse_lossy;
pub use expression::{Expression, Operand};
pub use kept::KeptKeys;
pub use snapshot::{Beside, DerivedRows};

use crate::domain::Domain;
use crate::row::{FieldsError, fields, push_field};
use crate::schema::TableView;
use crate::value::{Value, ValueRef};
use kept::with_kept;
use worth::in_domain;

/// How the rows of a view are made of the rows of its table.
#[derive(Clone, Debug, PartialEq)]
pub struct Derivation {
    /// What is read: the columns of the key, which are never made, and behind them all that some column is made of.
    pub read: Arc<TableView>,
    /// The columns of the view behind the key.
    pub columns: Vec<Derived>,
    /// JSON columns that keep what only the target has.
    pub kept: Option<KeptKeys>,
}

/// How a value is made. The places are those of the columns that are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Derived {
    pub expression: Expression<usize>,
    /// Of the column that the value is for; none where it is read in that domain.
    pub domain: Option<Domain>,
    /// In place of NULL.
    pub default: Option<Value>,
    /// What is done with a value that the target's column cannot hold.
    pub fit: Option<(Capacity, OnLossy)>,
}

impl Derivation {
    /// Appends the row that is made of one that was read, both in `Fields` form; `beside` is what the target holds in place of
    /// it, by the view of [`KeptKeys`].
    ///
    /// # Errors
    /// When the row is not of that form.
    pub fn make(&self, read: &[u8], beside: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), FieldsError> {
        let values: Vec<ValueRef<'_>> = fields(read).collect::<Result<_, _>>()?;
        if values.len() < self.read.columns.len() {
            return Err(FieldsError);
        }
        values[..self.read.key_len].iter().for_each(|value| push_field(out, *value));
        let theirs: Vec<ValueRef<'_>> = fields(beside.unwrap_or_default()).collect::<Result<_, _>>()?;
        let kept = self.kept.as_ref().map_or(&[][..], |kept| &kept.places);
        for (place, column) in self.columns.iter().enumerate() {
            let their = kept.iter().position(|kept| *kept == place).and_then(|at| theirs.get(self.read.key_len + at));
            let value = column.value(&values);
            let value = match their {
                Some(their) => with_kept(value, *their),
                None => value,
            };
            push_field(out, value.as_ref());
        }
        Ok(())
    }

    /// What the made values depend on, for a memory of them.
    pub fn shape(&self) -> String {
        let kept = self.kept.as_ref().map(|kept| &kept.places);
        kept.map_or_else(|| format!("{:?}", self.columns), |kept| format!("{:?} keeping {kept:?}", self.columns))
    }
}

impl Derived {
    fn value(&self, read: &[ValueRef<'_>]) -> Value {
        let value = self.expression.value(read);
        let value = match self.domain {
            Some(domain) => in_domain(value, domain),
            None => value,
        };
        let value = match (&value, &self.default) {
            (Value::Null, Some(default)) => default.clone(),
            _ => value,
        };
        match &self.fit {
            Some((capacity, on_lossy)) => capacity.fitted(value, *on_lossy),
            None => value,
        }
    }
}
