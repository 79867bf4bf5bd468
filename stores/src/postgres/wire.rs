//! The binary form in which a column's values travel, as COPY (FORMAT binary) has them.

use rowsync_engine::domain::Domain;
use rowsync_engine::schema::{Column, DataType};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    /// All types whose binary form is their text: text, varchar, name, citext, enums.
    Text,
    Bytea,
    Uuid,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
    Json,
    /// A version byte and the text.
    Jsonb,
    /// A type that only moves as it is, or as text by the server's own input and output functions.
    Opaque,
}

impl Wire {
    pub fn of(column: &Column) -> Wire {
        match &column.data_type {
            DataType::Bool => Wire::Bool,
            DataType::Int { bits: 16 } => Wire::Int2,
            DataType::Int { bits: 32 } => Wire::Int4,
            DataType::Int { .. } => Wire::Int8,
            DataType::Float { bits: 32 } => Wire::Float4,
            DataType::Float { .. } => Wire::Float8,
            DataType::Decimal { .. } => Wire::Numeric,
            // The binary form of xml may carry a declaration of its encoding.
            DataType::Text { .. } if column.declared == "xml" => Wire::Opaque,
            DataType::Text { .. } | DataType::PaddedText { .. } | DataType::Enum { .. } => Wire::Text,
            DataType::Bytes => Wire::Bytea,
            DataType::Uuid => Wire::Uuid,
            DataType::Date => Wire::Date,
            DataType::Time => Wire::Time,
            DataType::Timestamp => Wire::Timestamp,
            DataType::TimestampTz => Wire::TimestampTz,
            DataType::Interval => Wire::Interval,
            DataType::Json if column.declared == "json" => Wire::Json,
            DataType::Json => Wire::Jsonb,
            DataType::Dynamic | DataType::Other | DataType::Local => Wire::Opaque,
        }
    }

    /// The domain whose values this form holds without a conversion.
    pub fn domain(self) -> Domain {
        match self {
            Wire::Bool => Domain::Bool,
            Wire::Int2 | Wire::Int4 | Wire::Int8 => Domain::Int,
            Wire::Float4 => Domain::Float32,
            Wire::Float8 => Domain::Float,
            Wire::Numeric => Domain::Decimal { scale: None },
            Wire::Text => Domain::Text,
            Wire::Bytea => Domain::Bytes,
            Wire::Uuid => Domain::Uuid,
            Wire::Date => Domain::Date,
            Wire::Time => Domain::Time,
            Wire::Timestamp => Domain::Timestamp,
            Wire::TimestampTz => Domain::TimestampTz,
            Wire::Interval => Domain::Interval,
            Wire::Json | Wire::Jsonb => Domain::Json,
            Wire::Opaque => Domain::Native,
        }
    }

    /// The form of a column that is cast to this domain, and the type to cast to.
    pub fn cast_for(domain: Domain) -> Option<(Wire, &'static str)> {
        Some(match domain {
            Domain::Bool => (Wire::Bool, "boolean"),
            Domain::Int => (Wire::Int8, "bigint"),
            Domain::Float | Domain::Float32 => (Wire::Float8, "double precision"),
            Domain::Decimal { .. } => (Wire::Numeric, "numeric"),
            Domain::Text | Domain::PaddedText => (Wire::Text, "text"),
            Domain::Bytes => (Wire::Bytea, "bytea"),
            Domain::Uuid => (Wire::Uuid, "uuid"),
            Domain::Date => (Wire::Date, "date"),
            Domain::Time => (Wire::Time, "time"),
            Domain::Timestamp => (Wire::Timestamp, "timestamp"),
            Domain::TimestampTz => (Wire::TimestampTz, "timestamptz"),
            Domain::Coarse { moment, .. } => return Wire::cast_for(moment.domain()),
            Domain::Interval => (Wire::Interval, "interval"),
            Domain::Json => (Wire::Jsonb, "jsonb"),
            Domain::Dynamic | Domain::Native => return None,
        })
    }
}
