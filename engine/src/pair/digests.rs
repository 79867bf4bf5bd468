//! The digests that two tables share.

use super::Side;
use super::columns::Matched;
use super::domains::own_domain;
use crate::digest::DigestKind;
use crate::domain::Domain;
use crate::schema::{Column, DataType};

/// Kinds of digests that tell rows, not only their number. Hashing on arrival can always be done.
pub(super) fn shared_digests(
    source: Side<'_>,
    target: Side<'_>,
    columns: &[Matched],
    domains: &[Domain],
    same_types: bool,
) -> Vec<DigestKind> {
    let both = |kind| source.capabilities.digests.contains(&kind) && target.capabilities.digests.contains(&kind);
    let spelled = |((s, t), domain): (&Matched, &Domain)| {
        let by = |side: Side<'_>, column: &Column| !side.capabilities.typed || spells(&column.data_type, *domain);
        by(source, s) && by(target, t)
    };
    let mut digests = Vec::new();
    if same_types && both(DigestKind::Server) {
        digests.push(DigestKind::Server);
    }
    digests.push(DigestKind::Stream);
    if both(DigestKind::Portable) && columns.iter().zip(domains).all(spelled) {
        digests.push(DigestKind::Portable);
    }
    digests
}

/// Whether a server can spell what a column of this type holds in the canonical form of the domain, without a conversion
/// that may fail.
fn spells(data_type: &DataType, domain: Domain) -> bool {
    use DataType as T;
    match domain {
        Domain::Bool => *data_type == T::Bool,
        Domain::Int => matches!(data_type, T::Int { .. }),
        Domain::Decimal { .. } => matches!(data_type, T::Decimal { .. } | T::Int { .. }),
        Domain::Float | Domain::Float32 => matches!(data_type, T::Float { .. }),
        Domain::Text => matches!(data_type, T::Text { .. } | T::Enum { .. } | T::Other | T::Local),
        Domain::PaddedText => matches!(data_type, T::Text { .. } | T::PaddedText { .. }),
        Domain::Native => *data_type == T::Other,
        Domain::Coarse { moment, .. } => own_domain(data_type) == moment.domain(),
        // What is declared by the same word as the domain, and nothing else.
        _ => own_domain(data_type) == domain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::testing::{capabilities, column, table};
    use crate::pair::{PairOptions, pair};
    use crate::store::{Capabilities, Engine};

    #[test]
    fn a_portable_digest_is_offered_where_both_servers_can_spell_all_columns() {
        let kinds = |a: DataType, b: DataType, typed: bool| {
            let with = |data_type| {
                table(vec![column("id", DataType::Int { bits: 64 }, "bigint"), column("v", data_type, "its type")])
            };
            let mut here = capabilities("pg", true);
            here.digests.push(DigestKind::Portable);
            let there = Capabilities { typed, engine: Engine { name: "other", major_version: 1 }, ..here.clone() };
            let (a, b) = (with(a), with(b));
            let (source, target) =
                (Side { schema: &a, capabilities: &here }, Side { schema: &b, capabilities: &there });
            pair(source, target, &PairOptions::default()).unwrap().digests
        };
        let both = [DigestKind::Stream, DigestKind::Portable];
        let decimal = || DataType::Decimal { precision: None, scale: None };
        assert_eq!(kinds(DataType::Int { bits: 16 }, decimal(), true), both);
        assert_eq!(kinds(DataType::Json, DataType::Json, true), both);
        // What a store without types holds is converted where it is read.
        assert_eq!(kinds(DataType::Date, DataType::Text { max_chars: None }, false), both);
        assert_eq!(kinds(DataType::Json, DataType::Text { max_chars: None }, true), [DigestKind::Stream]);
        assert_eq!(kinds(DataType::Date, DataType::Timestamp, true), [DigestKind::Stream]);
        assert_eq!(kinds(decimal(), DataType::Float { bits: 64 }, true), [DigestKind::Stream]);
    }
}
