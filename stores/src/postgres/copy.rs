//! COPY in its binary format: tuples out of the server's stream, and tuples into it.
//!
//! A stream starts with a header; each tuple is the number of its fields in 16 bits, and for each field its length in
//! 32 bits (-1 is NULL) and its bytes; a field count of -1 ends the stream.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use rowsync_engine::error::{Kind, StoreError};
use sqlx::postgres::{PgConnection, PgCopyIn};
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use super::classify::classify;
use super::link::{Deadline, Lease};
use crate::statement::ask;

const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();
/// Data is sent in pieces of about this size: enough to make the cost of a message vanish, and little to hold.
const PIECE: usize = 128 * 1024;

/// What to do after a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    More,
    /// Enough; the connection is given up, as the rest is still on the wire.
    Stop,
}

/// How a reading ended.
pub struct Ended {
    pub bytes: u64,
    /// Whether the server has told all that was asked for, so that the connection is good for more.
    pub whole: bool,
}

/// A `COPY ... TO STDOUT (FORMAT binary)` under way.
pub struct Outflow<'a> {
    stream: BoxStream<'a, Result<Bytes, sqlx::Error>>,
    tuples: Tuples,
    deadline: Deadline,
    operation: &'static str,
    pub bytes: u64,
}

impl<'a> Outflow<'a> {
    pub async fn begin(lease: &'a mut Lease, sql: &str) -> Result<Outflow<'a>, StoreError> {
        let (operation, deadline) = (lease.operation(), lease.deadline());
        // The driver enters the span that it finds here anew for each row, which would cost more than reading it.
        let begun = lease.copy_out_raw(sql).with_subscriber(NoSubscriber::default());
        let stream = deadline.keep(begun).await?;
        Ok(Outflow { stream, tuples: Tuples::default(), deadline, operation, bytes: 0 })
    }

    /// The next tuple of those that have arrived.
    pub fn tuple(&mut self) -> Result<Option<Tuple<'_>>, StoreError> {
        self.tuples.next().map_err(|_| broken(self.operation))
    }

    /// Waits for more; `false` where that was all.
    pub async fn more(&mut self) -> Result<bool, StoreError> {
        // Each row is a message of its own, and most of them are here already: no clock is needed for these.
        let next = match self.stream.next().now_or_never() {
            Some(arrived) => arrived.transpose().map_err(|error| classify(self.operation, &error))?,
            None => self.deadline.keep(self.stream.next().map(Option::transpose)).await?,
        };
        let Some(piece) = next else {
            return if self.tuples.ended { Ok(false) } else { Err(broken(self.operation)) };
        };
        self.bytes += piece.len() as u64;
        self.tuples.feed(piece);
        Ok(true)
    }
}

/// Runs a `COPY ... TO STDOUT (FORMAT binary)` and hands over each tuple as it arrives.
pub async fn copy_out<F>(lease: &mut Lease, sql: &str, mut each: F) -> Result<Ended, StoreError>
where
    F: FnMut(Tuple<'_>) -> Result<Flow, StoreError> + Send,
{
    let _asked = ask(lease.operation(), sql);
    let mut rows = Outflow::begin(lease, sql).await?;
    while rows.more().await? {
        while let Some(tuple) = rows.tuple()? {
            if each(tuple)? == Flow::Stop {
                return Ok(Ended { bytes: rows.bytes, whole: false });
            }
        }
    }
    Ok(Ended { bytes: rows.bytes, whole: true })
}

fn broken(operation: &'static str) -> StoreError {
    StoreError::new(Kind::Unreachable, operation, "the server's stream of rows is broken")
}

/// The same where the connection goes back to its pool if it can.
pub async fn copy_out_once<F>(mut lease: Lease, sql: &str, each: F) -> Result<Ended, StoreError>
where
    F: FnMut(Tuple<'_>) -> Result<Flow, StoreError> + Send,
{
    let ended = copy_out(&mut lease, sql, each).await?;
    if ended.whole {
        lease.release();
    }
    Ok(ended)
}

/// One row of the stream.
pub struct Tuple<'a> {
    /// From the count of its fields on.
    pub bytes: &'a [u8],
    fields: &'a [Option<Range<usize>>],
}

impl<'a> Tuple<'a> {
    pub fn field(&self, index: usize) -> Option<&'a [u8]> {
        self.fields.get(index)?.clone().map(|range| &self.bytes[range])
    }

    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// The tuple as it would be without the fields from `kept` on.
    pub fn first_fields<'b>(&self, kept: usize, buffer: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        if kept >= self.fields.len() {
            return self.bytes;
        }
        let dropped: usize =
            self.fields[kept..].iter().map(|field| 4 + field.as_ref().map_or(0, ExactSizeIterator::len)).sum();
        buffer.clear();
        buffer.extend((kept as i16).to_be_bytes());
        buffer.extend_from_slice(&self.bytes[2..self.bytes.len() - dropped]);
        buffer
    }
}

struct Broken;

/// Cuts the stream into tuples, wherever its messages were cut.
#[derive(Default)]
struct Tuples {
    /// The last message, or what is left of some that end within a tuple.
    data: Bytes,
    start: usize,
    fields: Vec<Option<Range<usize>>>,
    began: bool,
    ended: bool,
}

impl Tuples {
    /// A server sends each tuple as one message, which is looked at where it lies.
    fn feed(&mut self, piece: Bytes) {
        let rest = std::mem::take(&mut self.data).split_off(std::mem::take(&mut self.start));
        self.data = if rest.is_empty() { piece } else { joined(rest, &piece) };
    }

    fn next(&mut self) -> Result<Option<Tuple<'_>>, Broken> {
        if !self.began && !self.skip_header()? {
            return Ok(None);
        }
        if self.start == self.data.len() {
            // Whoever waits for the next message holds the last one no longer.
            (self.data, self.start) = (Bytes::new(), 0);
        }
        if self.ended {
            return if self.start == self.data.len() { Ok(None) } else { Err(Broken) };
        }
        let Some(length) = measure(&self.data[self.start..], &mut self.fields)? else { return Ok(None) };
        let bytes = &self.data[self.start..self.start + length];
        self.start += length;
        self.ended = bytes == TRAILER;
        if self.ended { Ok(None) } else { Ok(Some(Tuple { bytes, fields: &self.fields })) }
    }

    fn skip_header(&mut self) -> Result<bool, Broken> {
        let Some(header) = self.data.first_chunk::<19>() else { return Ok(false) };
        let extension = u32::from_be_bytes([header[15], header[16], header[17], header[18]]) as usize;
        if header[..11] != HEADER[..11] {
            return Err(Broken);
        }
        if self.data.len() < HEADER.len() + extension {
            return Ok(false);
        }
        self.start = HEADER.len() + extension;
        self.began = true;
        Ok(true)
    }
}

fn joined(rest: Bytes, piece: &[u8]) -> Bytes {
    let mut joined = rest.try_into_mut().unwrap_or_else(|shared| BytesMut::from(shared.as_ref()));
    joined.extend_from_slice(piece);
    joined.freeze()
}

/// Finds the fields of the first tuple; how long it is, or `None` while a part of it is missing.
fn measure(data: &[u8], fields: &mut Vec<Option<Range<usize>>>) -> Result<Option<usize>, Broken> {
    fields.clear();
    let Some(count) = data.first_chunk::<2>() else { return Ok(None) };
    if *count == TRAILER {
        return Ok(Some(TRAILER.len()));
    }
    let mut at = 2;
    for _ in 0..u16::try_from(i16::from_be_bytes(*count)).map_err(|_| Broken)? {
        let Some(length) = data.get(at..).and_then(<[u8]>::first_chunk::<4>) else { return Ok(None) };
        at += 4;
        match i32::from_be_bytes(*length) {
            -1 => fields.push(None),
            length => {
                let end = at + usize::try_from(length).map_err(|_| Broken)?;
                fields.push(Some(at..end));
                at = end;
            }
        }
    }
    Ok((at <= data.len()).then_some(at))
}

/// Takes stored tuples apart, one after the other, without looking for their room anew.
#[derive(Default)]
pub struct Stored {
    fields: Vec<Option<Range<usize>>>,
}

impl Stored {
    /// `None` where the bytes are no tuple.
    pub fn tuple<'a>(&'a mut self, bytes: &'a [u8]) -> Option<Tuple<'a>> {
        let length = measure(bytes, &mut self.fields).ok().flatten()?;
        (length == bytes.len()).then_some(Tuple { bytes, fields: &self.fields })
    }
}

/// What a writing has cost.
pub struct Copied {
    pub rows: u64,
    pub bytes: u64,
}

/// Runs a `COPY ... FROM STDIN (FORMAT binary)` with as many tuples as `fill` has, one a call: what it appends, and behind
/// it the bytes that it returns; `None` where there are no more. After an error the connection must not be used again.
pub async fn copy_in<'r, F>(lease: &mut Lease, sql: &str, mut fill: F) -> Result<Copied, StoreError>
where
    F: FnMut(&mut Vec<u8>) -> Result<Option<&'r [u8]>, StoreError> + Send,
{
    let deadline = lease.deadline();
    let _asked = ask(lease.operation(), sql);
    let mut stream = deadline.keep(lease.copy_in_raw(sql)).await?;
    let mut bytes = 0;
    let mut piece = Vec::with_capacity(PIECE + PIECE / 4);
    piece.extend_from_slice(HEADER);
    while let Some(behind) = fill(&mut piece)? {
        let is_large = behind.len() >= PIECE;
        if !is_large {
            piece.extend_from_slice(behind);
        }
        if is_large || piece.len() >= PIECE {
            bytes += send(&mut stream, &piece, deadline).await?;
            piece.clear();
            // What one large value took is not kept for the others.
            piece.shrink_to(2 * PIECE);
        }
        if is_large {
            bytes += send(&mut stream, behind, deadline).await?;
        }
    }
    piece.extend(TRAILER);
    bytes += send(&mut stream, &piece, deadline).await?;
    let rows = deadline.keep(stream.finish()).await?;
    Ok(Copied { rows, bytes })
}

/// The driver copies what it sends, so it is given no more than a piece at once.
async fn send(stream: &mut PgCopyIn<&mut PgConnection>, bytes: &[u8], deadline: Deadline) -> Result<u64, StoreError> {
    for piece in bytes.chunks(2 * PIECE) {
        deadline.keep(stream.send(piece)).await?;
    }
    Ok(bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(tuples: &[&[Option<&[u8]>]]) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        for tuple in tuples {
            bytes.extend((tuple.len() as i16).to_be_bytes());
            for field in *tuple {
                bytes.extend(field.map_or(-1, |f| f.len() as i32).to_be_bytes());
                bytes.extend(field.unwrap_or_default());
            }
        }
        bytes.extend(TRAILER);
        bytes
    }

    #[test]
    fn tuples_are_found_wherever_the_stream_is_cut() {
        let bytes = stream(&[&[Some(b"ab"), None], &[], &[Some(b""), Some(b"xyz")]]);
        for size in 1..bytes.len() {
            let mut tuples = Tuples::default();
            let mut seen = Vec::new();
            for piece in bytes.chunks(size) {
                tuples.feed(Bytes::copy_from_slice(piece));
                while let Ok(Some(tuple)) = tuples.next() {
                    seen.push((0..tuple.len()).map(|i| tuple.field(i).map(<[u8]>::to_vec)).collect::<Vec<_>>());
                }
            }
            assert!(tuples.ended);
            let expected =
                vec![vec![Some(b"ab".to_vec()), None], vec![], vec![Some(Vec::new()), Some(b"xyz".to_vec())]];
            assert_eq!(seen, expected, "pieces of {size}");
        }
    }

    #[test]
    fn a_tuple_without_its_last_fields_is_a_tuple() {
        let bytes = stream(&[&[Some(b"ab"), None, Some(b"c")]]);
        let short = stream(&[&[Some(b"ab"), None]]);
        let mut tuples = Tuples::default();
        tuples.feed(bytes.into());
        let Ok(Some(tuple)) = tuples.next() else { panic!("there is a tuple") };
        assert_eq!(tuple.first_fields(2, &mut Vec::new()), &short[19..short.len() - 2]);
    }

    #[test]
    fn a_stream_of_something_else_is_refused() {
        let mut tuples = Tuples::default();
        tuples.feed(Bytes::from_static(b"this is not what was asked for"));
        assert!(tuples.next().is_err());
    }
}
