//! What each table's newest change was when it was last brought in line.

use rowsync_actors::job::Earlier;
use rowsync_actors::messages::TableOutcome;
use rowsync_engine::change_log::LogSeen;
use rowsync_engine::overlap::no_later_than;
use rowsync_engine::report::{RunReport, TableStatus};
use rowsync_engine::value::Value;

use super::session::Session;
use super::statement::Statement;
use super::{Place, State, StateError};

impl State {
    /// What an earlier successful run of this table saw.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn earlier(&self, place: &Place, table: &str, shape: &str) -> Result<Option<Earlier>, StateError> {
        self.read_earlier(place, table, shape).await.map_err(|error| self.error(error))
    }

    async fn read_earlier(&self, place: &Place, table: &str, shape: &str) -> Result<Option<Earlier>, sqlx::Error> {
        let sql = "select newest, log_mark, log_last from sync_change_tracking where sync = $1 and ends = $2 and table_name = $3 and shape = $4";
        let select = Statement::new(sql).bind(&place.sync).bind(&place.ends).bind(table).bind(shape);
        let Some(found) = self.database.session().await?.fetch_optional(select).await? else { return Ok(None) };
        let newest: Option<String> = found.get("newest")?;
        let (mark, last): (Option<String>, Option<i64>) = (found.get("log_mark")?, found.get("log_last")?);
        let log = mark.zip(last).map(|(mark, last)| LogSeen { mark, last });
        Ok(Some(Earlier { newest: newest.as_deref().and_then(parse_moment), log }))
    }
}

/// Remembers a table that ended well, and keeps what is known of one that did not.
pub(super) async fn write(
    transaction: &mut Session,
    place: &Place,
    report: &RunReport,
    shape: &str,
    outcome: &TableOutcome,
) -> Result<(), sqlx::Error> {
    if outcome.report.status != TableStatus::Completed || !outcome.report.verified {
        return Ok(());
    }
    let sql =
        "insert into sync_change_tracking (sync, ends, table_name, shape, newest, execution_id, log_mark, log_last)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (sync, ends, table_name)
        do update set shape = excluded.shape, newest = excluded.newest, execution_id = excluded.execution_id,
            log_mark = excluded.log_mark, log_last = excluded.log_last";
    let insert = Statement::new(sql)
        .bind(&place.sync)
        .bind(&place.ends)
        .bind(&outcome.report.table)
        .bind(shape)
        .bind(newest_of(outcome, &report.started_at).as_ref().and_then(moment_text))
        .bind(&report.execution_id)
        .bind(outcome.log.as_ref().map(|log| log.mark.clone()))
        .bind(outcome.log.as_ref().map(|log| log.last));
    transaction.execute(insert).await.map(drop)
}

/// No later than the run itself began.
fn newest_of(outcome: &TableOutcome, started_at: &str) -> Option<Value> {
    let newest = outcome.newest.clone()?;
    match started_at.parse::<jiff::Timestamp>() {
        Ok(moment) => Some(no_later_than(newest, moment.as_microsecond())),
        Err(_) => Some(newest),
    }
}

/// A modify time as it is kept: its kind, and its number.
fn moment_text(value: &Value) -> Option<String> {
    match value {
        Value::Int(i) => Some(format!("int:{i}")),
        Value::Date(days) => Some(format!("date:{days}")),
        Value::Timestamp(micros) => Some(format!("timestamp:{micros}")),
        Value::TimestampTz(micros) => Some(format!("timestamptz:{micros}")),
        Value::Text(text) => Some(format!("text:{text}")),
        _ => None,
    }
}

fn parse_moment(text: &str) -> Option<Value> {
    let (kind, number) = text.split_once(':')?;
    match kind {
        "int" => number.parse().ok().map(Value::Int),
        "date" => number.parse().ok().map(Value::Date),
        "timestamp" => number.parse().ok().map(Value::Timestamp),
        "timestamptz" => number.parse().ok().map(Value::TimestampTz),
        "text" => Some(Value::Text(number.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_survive_being_kept() {
        for value in
            [Value::Int(-5), Value::Date(3), Value::Timestamp(7), Value::TimestampTz(-9), Value::Text("a:b".into())]
        {
            assert_eq!(parse_moment(&moment_text(&value).unwrap()), Some(value));
        }
    }
}
