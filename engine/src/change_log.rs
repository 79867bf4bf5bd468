//! The log of changes that triggers write beside a table of the source: what it tells at a moment, and its name.
//!
//! A log names keys, not rows: whoever follows it looks up what the rows are by now. So it does not matter how often or
//! in which order a row was changed, and reading a change twice does no harm.

use xxhash_rust::xxh3::xxh3_64;

use crate::key::Key;
use crate::schema::TableName;

/// What the names of all logs begin with. Such tables belong to nobody's data.
pub const LOG_PREFIX: &str = "rowsync_log_";

/// Bytes of the table's name that stay readable in that of its log; no engine cuts names that are as short as these.
const READABLE_BYTES: usize = 28;

/// The log of a table for one sync. Each sync has its own, since what one has read another has not.
pub fn log_name(table: &TableName, owner: &str) -> TableName {
    let mut end = table.name.len().min(READABLE_BYTES);
    while !table.name.is_char_boundary(end) {
        end -= 1;
    }
    let hash = xxh3_64(format!("{owner}\n{table}").as_bytes());
    let name = format!("{LOG_PREFIX}{}_{hash:016x}", &table.name[..end]);
    TableName { schema: table.schema.clone(), name }
}

/// What a log tells at the moment of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStanding {
    /// The table, its columns, the triggers and the log itself. Where any of them is not what it was, rows may have
    /// changed without a word.
    pub mark: String,
    /// The last number that was given to a change.
    pub last: i64,
    /// Changes that wait.
    pub pending: u64,
    /// Why it does not tell all that has changed.
    pub gap: Option<String>,
    /// Names exactly the changes that the snapshot sees, for `Store::acknowledge`.
    pub through: String,
}

/// What a run saw of a log, to be compared with what the next one sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSeen {
    pub mark: String,
    pub last: i64,
}

impl LogStanding {
    /// Why the changes since an earlier run are not all in the log; none where they are.
    pub fn gap_since(&self, earlier: Option<&LogSeen>) -> Option<String> {
        let told = match earlier {
            _ if self.gap.is_some() => return self.gap.clone(),
            None => "the table was not compared since its changes are logged",
            Some(earlier) if earlier.mark != self.mark => {
                "the table, its triggers or the log were made anew or altered"
            }
            Some(earlier) if earlier.last > self.last => "the log is older than what was read of it",
            Some(_) => return None,
        };
        Some(told.to_owned())
    }
}

/// Keys of changed rows, in the order of the log; one may come more than once.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    pub keys: Vec<Key>,
    /// The number of the last change of the page; none where the log has no more.
    pub last: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_two_syncs_or_tables_never_share_a_name_and_fit_every_engine() {
        let long = "ö".repeat(40);
        let names: Vec<String> = [("a", "one"), ("a", "two"), (&long, "one"), (&format!("{long}b"), "one")]
            .map(|(table, owner)| log_name(&TableName::in_schema("public", table), owner).name)
            .to_vec();
        assert!(names.iter().all(|name| name.len() <= 63 - 2 && name.starts_with(LOG_PREFIX)), "{names:?}");
        assert!((1..names.len()).all(|place| !names[..place].contains(&names[place])), "{names:?}");
    }

    #[test]
    fn a_log_is_believed_only_where_it_goes_on_where_the_last_run_ended() {
        let standing = LogStanding { mark: "a".into(), last: 7, pending: 0, gap: None, through: String::new() };
        let seen = |mark: &str, last| LogSeen { mark: mark.into(), last };
        assert_eq!(standing.gap_since(Some(&seen("a", 7))), None);
        assert!(standing.gap_since(Some(&seen("b", 7))).unwrap().contains("altered"));
        assert!(standing.gap_since(Some(&seen("a", 8))).unwrap().contains("older"));
        assert!(standing.gap_since(None).unwrap().contains("not compared"));
        let truncated = LogStanding { gap: Some("truncated".into()), ..standing };
        assert_eq!(truncated.gap_since(Some(&seen("a", 7))).as_deref(), Some("truncated"));
    }
}
