//! A look at a block: the rows of both sides, laid beside what is remembered.

use std::sync::Arc;

use rowsync_engine::budget::Permit;
use rowsync_engine::key::KeyRange;
use rowsync_engine::row::Form;
use rowsync_engine::search::SideName;
use rowsync_engine::three_way::{Memory, Merged};

use super::{Marks, Merger, Open};
use crate::differ::read_alike;
use crate::failure::Failure;

/// The first rows of a block, merged.
pub(super) struct Looked {
    pub(super) number: u64,
    pub(super) part: KeyRange,
    /// What is left of the block where it has more rows than that.
    pub(super) rest: Option<KeyRange>,
    /// What is remembered of rows that neither side has in this part.
    pub(super) left: Memory,
    pub(super) merged: Merged,
    pub(super) permit: Permit,
}

impl Merger {
    pub(super) async fn look(self: Arc<Self>, open: Open, marks: Marks, deletes: bool) -> Result<Looked, Failure> {
        let desk = &self.desk;
        desk.check_stop()?;
        let mut memory = match open.memory {
            Some(memory) => memory,
            None => self.memory.rows(open.number).await?,
        };
        let mut permit = desk.permit(2 * desk.options.page_bytes).await;
        let page = |side: SideName, range: KeyRange| {
            let mut request = desk.request(range, Form::Fields);
            request.rows_max = self.block_rows;
            desk.reader(side).page(request)
        };
        let (source, target, through) = read_alike(&open.range, page).await?;
        permit.settle(source.bytes() + target.bytes());
        desk.learn(if source.is_empty() { &target } else { &source });
        let merged = self.merging.merge(&source, &target, &mut memory, deletes);
        let merged = merged.map_err(|error| Failure::of_compare(error, &desk.pair.source.table))?;
        let merged = Merged {
            to_source: merged.to_source.known_since(marks.source),
            to_target: merged.to_target.known_since(marks.target),
            ..merged
        };
        permit.settle(merged.to_source.bytes() + merged.to_target.bytes());
        desk.progress.rows_done(source.len().max(target.len()) as u64);
        let is_cut = through != open.range.through;
        let rest = is_cut.then(|| KeyRange::new(through.clone(), open.range.through));
        let part = KeyRange::new(open.range.after, through);
        Ok(Looked { number: open.number, part, rest, left: memory, merged, permit })
    }
}
