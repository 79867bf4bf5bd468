//! What an error of PostgreSQL means. The one place that reads SQLSTATE codes.

use std::io;

use rowsync_engine::error::{Kind, StoreError};
use sqlx::postgres::PgDatabaseError;

/// Translates an error of the driver. The message is the server's own, as far as it cannot hold values of rows: never
/// the detail, and no quoted parts where the server quotes input.
pub fn classify(operation: &'static str, error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
            Some(answer) => {
                let place = answer.r#where().and_then(copied_line);
                let error = StoreError::new(kind_of_answer(answer), operation, message_of(answer));
                StoreError { place: place.and_then(|line| line.checked_sub(1)), ..error }
            }
            None => StoreError::new(Kind::Bug, operation, "an error of another database"),
        },
        sqlx::Error::Io(io) => StoreError::new(kind_of_io(io), operation, format!("connection: {io}")),
        // A certificate that is not trusted now will not be trusted later.
        sqlx::Error::Tls(tls) => StoreError::new(Kind::Denied, operation, format!("TLS: {tls}")),
        sqlx::Error::PoolTimedOut => StoreError::new(Kind::Busy, operation, "all connections are in use"),
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            StoreError::new(Kind::Unreachable, operation, "the connection was closed")
        }
        sqlx::Error::Protocol(_) => StoreError::new(Kind::Unreachable, operation, "the server's answer made no sense"),
        sqlx::Error::Configuration(cause) => StoreError::new(Kind::NoDatabase, operation, format!("{cause}")),
        _ => StoreError::new(Kind::Bug, operation, "unexpected answer of the driver"),
    }
}

/// A server that follows another one refuses `READ WRITE` with the code of a feature that it lacks; the function that says
/// so tells it apart, whatever the language of its messages.
fn kind_of_answer(answer: &PgDatabaseError) -> Kind {
    match (answer.code(), answer.routine()) {
        ("0A000", Some("call_bool_check_hook")) => Kind::Forbidden,
        (code, _) => kind_of(code),
    }
}

/// What an error of the network or the system means.
fn kind_of_io(error: &io::Error) -> Kind {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Kind::Denied,
        io::ErrorKind::OutOfMemory => Kind::Exhausted,
        io::ErrorKind::InvalidInput => Kind::NoDatabase,
        // Refused, reset, timed out, no such host: whoever waits may see it pass.
        _ => Kind::Unreachable,
    }
}

/// Codes as of "Appendix A. PostgreSQL Error Codes"; five-letter codes before their two-letter classes.
pub fn kind_of(code: &str) -> Kind {
    match code {
        "57014" => Kind::Timeout,
        "53300" | "55006" | "55P03" | "55P04" | "57000" => Kind::Busy,
        // The snapshot went with its connection, and a new one is made with a new connection.
        "25P03" | "25P04" | "40003" | "72000" => Kind::Unreachable,
        "57P04" | "3D000" => Kind::NoDatabase,
        "42501" | "25006" => Kind::Forbidden,
        "53100" => Kind::Full,
        "54011" | "55000" => Kind::SchemaMismatch,
        // A row or a key that is too long for a page of the table or of an index.
        // 54001 is a document that is nested deeper than the server's stack goes.
        "54000" | "54001" => Kind::BadValue,
        "58P01" | "58P02" => Kind::Fault,
        "23505" | "23P01" => Kind::Duplicate,
        "40002" => Kind::Constraint,
        // Statements are written by us, and so are their mistakes.
        "22P04" | "42601" | "42602" | "42622" | "42702" | "42712" | "42725" | "42803" | "42P02" | "42P03" | "42P05"
        | "42P08" | "42P09" | "42P10" | "42P11" | "42P14" | "42P18" | "42P19" | "42P20" | "54023" | "55P02" => {
            Kind::Bug
        }
        _ => kind_of_class(code.get(..2).unwrap_or_default()),
    }
}

fn kind_of_class(class: &str) -> Kind {
    match class {
        "08" | "57" | "58" => Kind::Unreachable,
        "28" => Kind::Denied,
        "0L" | "0P" => Kind::Forbidden,
        "53" => Kind::Exhausted,
        "40" => Kind::Busy,
        "F0" | "XX" => Kind::Fault,
        "42" | "3F" | "0A" | "2B" | "HV" => Kind::SchemaMismatch,
        // Raised by code of the table itself, mostly a trigger that refuses the row.
        "09" | "20" | "21" | "23" | "27" | "2F" | "38" | "39" | "44" | "P0" => Kind::Constraint,
        "22" => Kind::BadValue,
        _ => Kind::Bug,
    }
}

/// The server calls that a lack of memory.
const TOO_LARGE: &str = "a row takes more than 1 GB with all its columns, which is the most that the server sends or takes in \
    one piece; leave a column out with `exclude_fields`, or the row by `where`";

fn message_of(answer: &PgDatabaseError) -> String {
    let code = answer.code();
    let mut message = match code.get(..2).unwrap_or_default() {
        _ if answer.routine() == Some("enlargeStringInfo") => TOO_LARGE.to_owned(),
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

/// The line out of `COPY items, line 3, column price: "..."`; in the binary format that is the number of the tuple.
fn copied_line(context: &str) -> Option<usize> {
    let (_, rest) = context.lines().find(|line| line.starts_with("COPY "))?.split_once(", line ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The column out of `COPY items, line 3, column price: "..."`.
fn copied_column(context: &str) -> Option<&str> {
    let (_, rest) = context.lines().find(|line| line.starts_with("COPY "))?.split_once(", column ")?;
    Some(rest.split_once(':').map_or(rest, |(column, _)| column))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code of Appendix A that is an error, and those of later versions that matter here.
    const CODES: &[(Kind, &str)] = &[
        (
            Kind::Unreachable,
            "08000 08001 08003 08004 08006 08007 08P01 25P03 25P04 40003 57P01 57P02 57P03 57P05 58000 58030 72000",
        ),
        (Kind::Timeout, "57014"),
        (Kind::Busy, "40000 40001 40P01 53300 55006 55P03 55P04 57000"),
        (Kind::Denied, "28000 28P01"),
        (Kind::Forbidden, "0L000 0LP01 0P000 25006 42501"),
        (Kind::NoDatabase, "3D000 57P04"),
        (Kind::Full, "53100"),
        (Kind::Exhausted, "53000 53200 53400"),
        (Kind::Fault, "58P01 58P02 F0000 F0001 XX000 XX001 XX002"),
        (
            Kind::SchemaMismatch,
            "0A000 2B000 2BP01 3F000 42000 42611 42701 42703 42704 42710 42723 42804 42809 42830 42846 42883 428C9 42939 \
             42P01 42P04 42P06 42P07 42P12 42P13 42P15 42P16 42P17 42P21 42P22 54011 55000 HV000 HV001 HV002 HV004 HV005 \
             HV006 HV007 HV008 HV009 HV00A HV00B HV00C HV00D HV00J HV00K HV00L HV00M HV00N HV00P HV00Q HV00R HV010 HV014 \
             HV021 HV024 HV090 HV091",
        ),
        (
            Kind::Constraint,
            "09000 20000 21000 23000 23001 23502 23503 23514 27000 2F000 2F002 2F003 2F004 2F005 38000 38001 38002 38003 \
             38004 39000 39001 39004 39P01 39P02 39P03 40002 44000 P0000 P0001 P0002 P0003 P0004",
        ),
        (Kind::Duplicate, "23505 23P01"),
        (
            Kind::BadValue,
            "22000 22001 22002 22003 22004 22005 22007 22008 22009 2200B 2200C 2200D 2200F 2200G 2200H 2200L 2200M 2200N \
             2200S 2200T 22010 22011 22012 22013 22014 22015 22016 22018 22019 2201B 2201E 2201F 2201G 2201W 2201X 22021 \
             22022 22023 22024 22025 22026 22027 2202E 2202G 2202H 22030 22031 22032 22033 22034 22035 22036 22037 22038 \
             22039 2203A 2203B 2203C 2203D 2203E 2203F 2203G 22P01 22P02 22P03 22P05 22P06 54000 54001",
        ),
        (
            Kind::Bug,
            "03000 0B000 0F000 0F001 0Z000 0Z002 22P04 24000 25000 25001 25002 25003 25004 25005 25007 25008 25P01 25P02 \
             26000 2D000 34000 3B000 3B001 42601 42602 42622 42702 42712 42725 42803 42P02 42P03 42P05 42P08 42P09 42P10 \
             42P11 42P14 42P18 42P19 42P20 54023 55P02",
        ),
    ];

    #[test]
    fn every_code_means_what_it_is_said_to_mean() {
        let mut codes = 0;
        for (kind, list) in CODES {
            for code in list.split_whitespace() {
                assert_eq!(kind_of(code), *kind, "{code}");
                codes += 1;
            }
        }
        assert!(codes > 240, "{codes}");
    }

    #[test]
    fn errors_of_the_network_are_told_from_those_that_waiting_does_not_mend() {
        use io::ErrorKind::*;
        let check = |kind: io::ErrorKind, expected| {
            assert_eq!(classify("connect", &sqlx::Error::Io(kind.into())).kind, expected, "{kind:?}");
        };
        for kind in [
            ConnectionRefused,
            ConnectionReset,
            ConnectionAborted,
            NotConnected,
            BrokenPipe,
            UnexpectedEof,
            TimedOut,
            HostUnreachable,
            NetworkUnreachable,
            NetworkDown,
            AddrNotAvailable,
            Interrupted,
            NotFound,
            Other,
        ] {
            check(kind, Kind::Unreachable);
        }
        check(PermissionDenied, Kind::Denied);
        check(OutOfMemory, Kind::Exhausted);
        check(InvalidInput, Kind::NoDatabase);
    }

    #[test]
    fn errors_of_the_driver_are_told_apart() {
        use sqlx::Error::*;
        let check = |error: sqlx::Error, kind| assert_eq!(classify("read", &error).kind, kind, "{error}");
        check(PoolTimedOut, Kind::Busy);
        check(PoolClosed, Kind::Unreachable);
        check(WorkerCrashed, Kind::Unreachable);
        check(Protocol("cut off".into()), Kind::Unreachable);
        check(Tls("not trusted".into()), Kind::Denied);
        check(Configuration("no such option".into()), Kind::NoDatabase);
        check(RowNotFound, Kind::Bug);
    }

    #[test]
    fn messages_lose_the_values_that_the_server_quotes() {
        assert_eq!(without_quotes("value \"123\" is out of range"), "value ... is out of range");
        assert_eq!(without_quotes("invalid input: \"a\"b\""), "invalid input: ...");
        assert_eq!(copied_column("COPY t, line 1, column price: \"x\""), Some("price"));
        assert_eq!(copied_column("COPY t, line 1, column price"), Some("price"));
        assert_eq!(copied_column("SQL function"), None);
        assert_eq!(copied_line("COPY t, line 12, column price: \"x\""), Some(12));
        assert_eq!(copied_line("SQL statement \"x\"\nCOPY t, line 7"), Some(7));
        assert_eq!(copied_line("COPY t"), None);
    }
}
