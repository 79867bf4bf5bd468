//! Every type to every type that is allowed: the extremes of each arrive as they are, or their rows are put aside, as the
//! table says that the manual is written from.

use rowsync_engine::pair::Fit;
use rowsync_engine::pair::matrix::{Kind, SampledType};

use crate::support::{Database, Desk, Ended, Side};

/// Columns of different types never share a row, so that each row tells of one pair.
struct Sheet {
    source: SampledType,
    targets: Vec<(SampledType, Fit)>,
}

impl Sheet {
    fn new(source: SampledType, targets: Vec<SampledType>) -> Sheet {
        let fits = targets.into_iter().map(|target| (source.fit_in(&target).fit, target));
        let targets = fits.filter(|(fit, _)| *fit != Fit::Impossible).map(|(fit, target)| (target, fit)).collect();
        Sheet { source, targets }
    }

    fn create(&self, types: impl Iterator<Item = &'static str>) -> String {
        let columns: String = types.enumerate().map(|(place, declared)| format!(", c{place} {declared}")).collect();
        format!("create table t (id integer primary key{columns});")
    }

    fn create_source(&self) -> String {
        self.create(self.targets.iter().map(|_| self.source.declared))
    }

    fn create_target(&self) -> String {
        self.create(self.targets.iter().map(|(target, _)| target.declared))
    }

    /// Key, column and literal of each row; the key says both.
    fn rows(&self) -> impl Iterator<Item = (usize, usize, &'static str)> {
        let samples = self.source.samples;
        (0..self.targets.len()).flat_map(move |place| {
            samples.iter().enumerate().map(move |(at, sample)| (place * 100 + at, place, *sample))
        })
    }

    fn fill(&self) -> String {
        self.rows()
            .map(|(id, place, sample)| format!("insert into t (id, c{place}) values ({id}, {sample});"))
            .collect()
    }

    fn names(&self, fit: impl Fn(Fit) -> bool) -> Vec<String> {
        let places = self.targets.iter().enumerate().filter(|(_, (_, found))| fit(*found));
        places.map(|(place, _)| format!("c{place}")).collect()
    }
}

fn side(kind: Kind, name: &'static str) -> Side {
    match kind {
        Kind::PostgreSql => Side::Server(Database::new()),
        Kind::Sqlite => Side::File(name),
    }
}

fn failed(ended: &Ended) -> u64 {
    ended.report()["totals"]["failed"].as_u64().unwrap()
}

fn check(from: Kind, to: Kind) {
    let (source, target, back) = (side(from, "s.sqlite"), side(to, "t.sqlite"), side(from, "b.sqlite"));
    let mut wrong = Vec::new();
    for sheet in from.types().into_iter().map(|source| Sheet::new(source, to.types())) {
        let desk = Desk::new();
        source.run(&desk, &format!("drop table if exists t; {} {}", sheet.create_source(), sheet.fill()));
        target.run(&desk, &format!("drop table if exists t; {}", sheet.create_target()));
        let more = r#""tables": ["t"], "max_error_count": 100000, "#;
        desk.sync("over", &source.url(&desk), &target.url(&desk), more);
        let ended = desk.rowsync(&["run", "over.json"]);
        let declared = sheet.source.declared;
        if !matches!(ended.code, Some(0 | 1)) || ended.totals().0 + failed(&ended) != sheet.rows().count() as u64 {
            wrong.push(format!("{declared}: {}{}", ended.stdout, ended.stderr));
            continue;
        }
        wrong.extend(misjudged(&sheet, &desk, &target));
        wrong.extend(unequal(declared, &desk, failed(&ended)));
        wrong.extend(changed_on_the_way(&sheet, &desk, [&source, &target, &back], failed(&ended)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Samples that were refused though the way is said to be open, and pairs of which nothing is ever refused though they are
/// said to refuse some.
fn misjudged(sheet: &Sheet, desk: &Desk, target: &Side) -> Vec<String> {
    let there: Vec<usize> = target.lines(desk, "select '' || id from t").iter().map(|id| id.parse().unwrap()).collect();
    let open = |place: usize| matches!(sheet.targets[place].1, Fit::Exact | Fit::Rounded);
    let refused =
        sheet.rows().filter(|(id, place, sample)| open(*place) && !there.contains(id) && is_declared(sheet, sample));
    refused
        .map(|(_, place, sample)| {
            format!("{} {sample} is refused by {}", sheet.source.declared, sheet.targets[place].0.declared)
        })
        .collect()
}

/// A verdict is one of the values that the declared type lets in, which SQLite does not hold its columns to.
fn is_declared(sheet: &Sheet, sample: &str) -> bool {
    sheet.source.kind == Kind::PostgreSql || !BESIDE_THEIR_TYPE.contains(&(sheet.source.declared, sample))
}

/// What SQLite stores in such columns all the same.
const BESIDE_THEIR_TYPE: [(&str, &str); 15] = [
    ("INTEGER", "2.5"),
    ("INTEGER", "'text'"),
    ("REAL", "'text'"),
    ("NUMERIC(9,2)", "'text'"),
    ("VARCHAR(5)", "'longer'"),
    ("BOOLEAN", "2"),
    ("BOOLEAN", "'true'"),
    ("UUID TEXT", "'text'"),
    ("DATE", "'2023-02-29'"),
    ("TIME", "'25:00:00'"),
    ("TIMESTAMP", "'300000-01-01 00:00:00'"),
    ("TIMESTAMPTZ", "'text'"),
    ("INTERVAL", "'PT0S'"),
    ("INTERVAL", "'text'"),
    ("JSON BLOB", "'{'"),
];

/// Whatever arrived is equal, and whatever was refused is missing.
fn unequal(declared: &str, desk: &Desk, failed: u64) -> Option<String> {
    let table = desk.rowsync(&["verify", "over.json", "--explain"]).report()["tables"][0].clone();
    let as_told = table["missing"] == failed && table["different"] == 0 && table["extra"] == 0;
    (!as_told).then(|| format!("{declared}: {failed} refused, but {table}"))
}

/// What comes back from columns to which the way is exact is equal to what went. SQLite's own spellings are not kept by a
/// column that has a type, so only the way itself is asked about there, by the run's own proof.
fn changed_on_the_way(sheet: &Sheet, desk: &Desk, [source, target, back]: [&Side; 3], refused: u64) -> Option<String> {
    let exact = sheet.names(|fit| fit == Fit::Exact);
    if exact.is_empty() {
        return None;
    }
    back.run(desk, &format!("drop table if exists t; {}", sheet.create_source()));
    let more = format!(r#""tables": ["t"], "max_error_count": 100000, "fields": ["id", "{}"],"#, exact.join("\", \""));
    desk.sync("back", &target.url(desk), &back.url(desk), &more);
    let ended = desk.rowsync(&["run", "back.json"]);
    if sheet.source.kind == Kind::Sqlite {
        return (ended.code != Some(0))
            .then(|| format!("{} did not come back: {}", sheet.source.declared, ended.stdout));
    }
    desk.sync("round", &source.url(desk), &back.url(desk), &more);
    let table = desk.rowsync(&["verify", "round.json", "--explain"]).report()["tables"][0].clone();
    let came_back = ended.code == Some(0) && table["missing"] == refused && table["different"] == 0;
    let samples = table["samples"].to_string();
    (!came_back)
        .then(|| format!("{} came back otherwise: {refused} {} {samples}", sheet.source.declared, table["missing"]))
}

#[test]
fn every_type_of_a_server_goes_to_every_type_of_another() {
    check(Kind::PostgreSql, Kind::PostgreSql);
}

#[test]
fn every_type_of_a_server_goes_to_every_type_of_a_file() {
    check(Kind::PostgreSql, Kind::Sqlite);
}

#[test]
fn every_type_of_a_file_goes_to_every_type_of_a_server() {
    check(Kind::Sqlite, Kind::PostgreSql);
}

#[test]
fn every_type_of_a_file_goes_to_every_type_of_another() {
    check(Kind::Sqlite, Kind::Sqlite);
}
