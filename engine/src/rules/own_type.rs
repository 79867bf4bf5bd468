//! Types of a database's own that columns are made of: composites, ranges, and what arrays and those are over.

/// The type of a column, and what has to be there before it.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnType {
    pub column: String,
    pub named: Words,
    /// Parts before what is made of them.
    pub needs: Vec<OwnType>,
}

impl ColumnType {
    pub(super) fn not_carried(&self) -> String {
        not_carried(&self.named.spelled(str::to_owned), &self.column)
    }
}

/// What is told of a column that is made of texts, since the target has no such type.
pub fn not_carried(declared: &str, column: &str) -> String {
    format!("the type {declared} of column {column} is not carried over: it is made of texts")
}

/// A type as its engine makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnType {
    pub name: String,
    /// What the engine calls this kind of type where it makes one.
    pub kind: &'static str,
    /// What stands behind `AS`.
    pub body: Words,
}

/// Words of an engine, in which the names of a database's own types stand apart: they belong to another schema there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words(pub Vec<Word>);

#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    Plain(String),
    /// The name of an own type.
    Own(String),
}

impl Words {
    pub fn plain(text: impl Into<String>) -> Words {
        Words(vec![Word::Plain(text.into())])
    }

    pub fn own(name: impl Into<String>) -> Words {
        Words(vec![Word::Own(name.into())])
    }

    #[must_use]
    pub fn then(mut self, text: impl Into<String>) -> Words {
        self.0.push(Word::Plain(text.into()));
        self
    }

    #[must_use]
    pub fn and(mut self, more: Words) -> Words {
        self.0.extend(more.0);
        self
    }

    /// As one text, with each own name as `called` spells it.
    pub fn spelled(&self, called: impl Fn(&str) -> String) -> String {
        let word = |word: &Word| match word {
            Word::Plain(text) => text.clone(),
            Word::Own(name) => called(name),
        };
        self.0.iter().map(word).collect()
    }
}
