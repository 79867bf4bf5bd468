//! What an error of PostgreSQL means. The one place that reads SQLSTATE codes.

use rowsync_engine::error::{Kind, StoreError};
use sqlx::postgres::PgDatabaseError;

/// Translates an error of the driver. The message is the server's own, as far as it cannot hold values of rows: never
/// the detail, and no quoted parts where the server quotes input.
pub fn classify(operation: &'static str, error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
            Some(answer) => StoreError::new(kind_of(answer.code()), operation, message_of(answer)),
            None => StoreError::new(Kind::Bug, operation, "an error of another database"),
        },
        sqlx::Error::Io(io) => StoreError::new(Kind::Unreachable, operation, format!("connection: {io}")),
        sqlx::Error::Tls(tls) => StoreError::new(Kind::Unreachable, operation, format!("TLS: {tls}")),
        sqlx::Error::PoolTimedOut => StoreError::new(Kind::Busy, operation, "all connections are in use"),
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            StoreError::new(Kind::Unreachable, operation, "the connection was closed")
        }
        sqlx::Error::Protocol(_) => StoreError::new(Kind::Unreachable, operation, "the server's answer made no sense"),
        sqlx::Error::Configuration(cause) => StoreError::new(Kind::NoDatabase, operation, format!("{cause}")),
        _ => StoreError::new(Kind::Bug, operation, "unexpected answer of the driver"),
    }
}

/// Codes as of "Appendix A. PostgreSQL Error Codes"; five-letter codes before their two-letter classes.
pub fn kind_of(code: &str) -> Kind {
    match code {
        "57014" => Kind::Timeout,
        "57P03" | "53300" | "40001" | "40P01" | "55P03" => Kind::Busy,
        "57P01" | "57P02" | "57P05" | "25P03" => Kind::Unreachable,
        "57P04" | "3D000" => Kind::NoDatabase,
        "42501" | "25006" | "0LP01" | "0P000" => Kind::Denied,
        "42601" => Kind::Bug,
        "44000" => Kind::Constraint,
        "2200F" => Kind::BadValue,
        _ => kind_of_class(code.get(..2).unwrap_or_default()),
    }
}

fn kind_of_class(class: &str) -> Kind {
    match class {
        "08" | "57" | "58" => Kind::Unreachable,
        "28" => Kind::Denied,
        "53" | "54" => Kind::Full,
        "40" | "55" => Kind::Busy,
        "42" | "3F" | "0A" | "2B" => Kind::SchemaMismatch,
        // P0: raised by code of the table itself, a trigger that refuses the row.
        "23" | "27" | "P0" | "09" | "38" | "39" => Kind::Constraint,
        "22" => Kind::BadValue,
        _ => Kind::Bug,
    }
}

fn message_of(answer: &PgDatabaseError) -> String {
    let code = answer.code();
    let mut message = match code.get(..2).unwrap_or_default() {
        // What a trigger says is free text, and often names the row.
        "P0" => "the table's own code refused the row".to_owned(),
        "08" | "23" | "28" | "3D" | "3F" | "40" | "42" | "44" | "53" | "55" | "57" | "0A" | "25" if code != "42601" => {
            answer.message().to_owned()
        }
        _ => without_quotes(answer.message()),
    };
    if let Some(constraint) = answer.constraint()
        && !message.contains(constraint)
    {
        message.push_str(&format!(", constraint \"{constraint}\""));
    }
    let column = answer.column().or_else(|| answer.r#where().and_then(copied_column));
    if let Some(column) = column
        && !message.contains(&format!("\"{column}\""))
    {
        message.push_str(&format!(", column \"{column}\""));
    }
    format!("{message} ({code})")
}

/// `value "12345678" is out of range` without the value.
fn without_quotes(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => format!("{}...{}", &message[..first], &message[last + 1..]),
        _ => message.to_owned(),
    }
}

/// The column out of `COPY items, line 3, column price: "..."`.
fn copied_column(context: &str) -> Option<&str> {
    let (_, rest) = context.lines().find(|line| line.starts_with("COPY "))?.split_once(", column ")?;
    Some(rest.split_once(':').map_or(rest, |(column, _)| column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fall_into_the_classes_of_the_manual() {
        let cases = [
            ("08006", Kind::Unreachable),
            ("57P01", Kind::Unreachable),
            ("57P03", Kind::Busy),
            ("57014", Kind::Timeout),
            ("53100", Kind::Full),
            ("53300", Kind::Busy),
            ("40P01", Kind::Busy),
            ("28P01", Kind::Denied),
            ("42501", Kind::Denied),
            ("25006", Kind::Denied),
            ("3D000", Kind::NoDatabase),
            ("42P01", Kind::SchemaMismatch),
            ("3F000", Kind::SchemaMismatch),
            ("23505", Kind::Constraint),
            ("22003", Kind::BadValue),
            ("XX000", Kind::Bug),
        ];
        for (code, kind) in cases {
            assert_eq!(kind_of(code), kind, "{code}");
        }
    }

    #[test]
    fn messages_lose_the_values_that_the_server_quotes() {
        assert_eq!(without_quotes("value \"123\" is out of range"), "value ... is out of range");
        assert_eq!(without_quotes("invalid input: \"a\"b\""), "invalid input: ...");
        assert_eq!(copied_column("COPY t, line 1, column price: \"x\""), Some("price"));
        assert_eq!(copied_column("COPY t, line 1, column price"), Some("price"));
        assert_eq!(copied_column("SQL function"), None);
    }
}
