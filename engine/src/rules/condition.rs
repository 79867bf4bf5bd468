//! What a check asks of a row, where that means the same in every engine: columns beside numbers, texts and NULL.

#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compared(Term, Sign, Term),
    OneOf(Term, Vec<Term>),
    IsNull(String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    Column(String),
    /// The characters of a text column.
    Length(String),
    /// As it is spelled: digits, a point and a sign.
    Number(String),
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Sign {
    pub fn spelled(self) -> &'static str {
        match self {
            Sign::Equal => "=",
            Sign::Unequal => "<>",
            Sign::Less => "<",
            Sign::LessOrEqual => "<=",
            Sign::Greater => ">",
            Sign::GreaterOrEqual => ">=",
        }
    }
}

impl Condition {
    /// The same of columns with other names; `None` where one of them is not there.
    pub fn renamed(&self, name: &impl Fn(&str) -> Option<String>) -> Option<Condition> {
        let all = |parts: &[Condition]| parts.iter().map(|part| part.renamed(name)).collect::<Option<Vec<_>>>();
        Some(match self {
            Condition::All(parts) => Condition::All(all(parts)?),
            Condition::Any(parts) => Condition::Any(all(parts)?),
            Condition::Not(part) => Condition::Not(Box::new(part.renamed(name)?)),
            Condition::Compared(a, sign, b) => Condition::Compared(a.renamed(name)?, *sign, b.renamed(name)?),
            Condition::OneOf(term, values) => Condition::OneOf(term.renamed(name)?, values.clone()),
            Condition::IsNull(column) => Condition::IsNull(name(column)?),
        })
    }
}

impl Term {
    fn renamed(&self, name: &impl Fn(&str) -> Option<String>) -> Option<Term> {
        Some(match self {
            Term::Column(column) => Term::Column(name(column)?),
            Term::Length(column) => Term::Length(name(column)?),
            Term::Number(_) | Term::Text(_) => self.clone(),
        })
    }
}
