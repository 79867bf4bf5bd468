//! For each type of PostgreSQL the values at its ends, and those that others have taken for each other.

/// Values of one type, as PostgreSQL reads them. Those of one class are equal, those of different classes are not.
pub struct Extremes {
    pub declared: &'static str,
    pub classes: Vec<Vec<String>>,
    /// Whether the server spells all of them as we do.
    pub alike: bool,
}

fn of(declared: &'static str, classes: &[&[&str]]) -> Extremes {
    let owned = |class: &&[&str]| class.iter().map(|text| (*text).to_owned()).collect();
    Extremes { declared, classes: classes.iter().map(owned).collect(), alike: true }
}

/// Each value for itself.
fn apart(declared: &'static str, values: &[&str]) -> Extremes {
    of(declared, &values.iter().map(std::slice::from_ref).collect::<Vec<_>>())
}

impl Extremes {
    fn and(mut self, values: impl IntoIterator<Item = String>) -> Extremes {
        self.classes.extend(values.into_iter().map(|value| vec![value]));
        self
    }
}

/// What the types below need.
pub const PREPARE: &str = "
    CREATE EXTENSION citext;
    CREATE TYPE mood AS ENUM ('z', 'a', '', 'it''s', 'é', '1');
    CREATE TYPE pair_of AS (a int, b text);
    CREATE DOMAIN cents AS numeric(12,2);
    CREATE TABLE named ();";

pub fn all() -> Vec<Extremes> {
    [numbers(), texts(), moments(), documents(), opaque()].into_iter().flatten().collect()
}

fn numbers() -> Vec<Extremes> {
    vec![
        apart("boolean", &["true", "false"]),
        apart("smallint", &["-32768", "-1", "0", "1", "32767"]),
        apart("integer", &["-2147483648", "-1", "0", "1", "2147483647"]),
        apart(
            "bigint",
            &["-9223372036854775808", "-4294967296", "-1", "0", "1", "4294967295", "4294967296", "9223372036854775807"],
        ),
        of(
            "real",
            &[
                &["0", "-0"],
                &["NaN"],
                &["Infinity"],
                &["-Infinity"],
                &["1e-45"],
                &["-1e-45"],
                &["1.1754944e-38"],
                &["3.4028235e38"],
                &["-3.4028235e38"],
                &["0.1"],
                &["0.10000001"],
                &["16777216"],
            ],
        ),
        of(
            "double precision",
            &[
                &["0", "-0.0"],
                &["NaN"],
                &["Infinity"],
                &["-Infinity"],
                &["5e-324"],
                &["-5e-324"],
                &["2.2250738585072014e-308"],
                &["1.7976931348623157e308"],
                &["-1.7976931348623157e308"],
                &["0.1"],
                &["0.3"],
                &["0.30000000000000004"],
                &["1"],
                &["1.0000000000000002"],
                &["9007199254740993", "9007199254740992"],
                &["1e15"],
                &["1e16"],
                &["1e-7"],
            ],
        ),
        of(
            "numeric",
            &[
                &["0", "0.00", "-0.0"],
                &["1", "1.0", "1.00"],
                &["-1.5", "-1.50"],
                &["0.3"],
                &["0.30000000000000004"],
                &["123456789012.123456789012"],
                &["123456789012.123456789013"],
                &["NaN"],
                &["Infinity"],
                &["-Infinity"],
                &["1e131071"],
                &["1e-16383"],
                &["99999999999999999999999999999999999999"],
                &["-99999999999999999999999999999999999999"],
                &["9223372036854775808"],
                &["10000"],
                &["100000000"],
                &["0.0001"],
                &["9999.9999"],
                &["10", "10.0"],
                &["100"],
            ],
        ),
        of(
            "numeric(12,2)",
            &[&["0", "0.00", "-0.00"], &["-9999999999.99"], &["9999999999.99"], &["0.01"], &["NaN"], &["1.5", "1.50"]],
        ),
        of("cents", &[&["0", "0.00"], &["-9999999999.99"], &["10"]]),
        of("numeric(5,-2)", &[&["1200", "1234"], &["0", "49"], &["9999900"]]),
        apart("money", &["-92233720368547758.08", "0", "12.50", "92233720368547758.07"]),
    ]
}

fn texts() -> Vec<Extremes> {
    let lookalikes = [
        "",
        " ",
        "a",
        "a ",
        " a",
        "A",
        "<null>",
        "NULL",
        "null",
        "\n",
        "\r\n",
        "\t",
        "|",
        ",",
        "a|b",
        "\\",
        "\\N",
        "'",
        "\"",
        "0",
        "0.0",
        "00",
        "1e5",
        "é",
        "e\u{301}",
        "ß",
        "ss",
        "😀",
        "\u{10ffff}",
        "\u{a0}",
        "\u{feff}",
        "\u{1f}",
        "\u{2028}",
        "true",
        "2024-01-01",
    ];
    let long = [("x", 1_048_576), ("é", 524_288), ("😀", 3_000)].map(|(text, times)| text.repeat(times));
    vec![
        apart("text", &lookalikes).and(long),
        apart("character varying(10)", &["", " ", "a", "a ", "éééééééééé", "0", "<null>"]),
        of("character(5)", &[&["", " "], &["a", "a  "], &["ab"], &[" a"], &["ééééé"], &["a\t"], &["0"]]),
        apart("bpchar", &["", "a", "b"]),
        apart("citext", &["", "a", "A", "a "]),
        apart("name", &["", "a", "A", "é"]),
        apart("xml", &["<a/>", "<a></a>", "x"]),
        apart("mood", &["z", "a", "", "it's", "é", "1"]),
        apart("\"char\"", &["", "a", "1"]),
        apart("bytea", &["\\x", "\\x00", "\\x0000", "\\xff", "\\x6e756c6c", "\\x31"])
            .and([format!("\\x{}", "00ff".repeat(524_288)), format!("\\x{}", "41".repeat(9_000))]),
        of(
            "uuid",
            &[
                &["00000000-0000-0000-0000-000000000000"],
                &["ffffffff-ffff-ffff-ffff-ffffffffffff"],
                &[
                    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                    "{a0eebc999c0b4ef8bb6d6bb9bd380a11}",
                ],
            ],
        ),
    ]
}

fn moments() -> Vec<Extremes> {
    vec![
        apart(
            "date",
            &[
                "4714-11-24 BC",
                "0044-03-15 BC",
                "0001-01-01 BC",
                "0001-12-31 BC",
                "0001-01-01",
                "1969-12-31",
                "1970-01-01",
                "1999-12-31",
                "2000-01-01",
                "2000-02-29",
                "9999-12-31",
                "10000-01-01",
                "5874897-12-31",
                "infinity",
                "-infinity",
            ],
        ),
        apart("time without time zone", &["00:00", "00:00:00.000001", "12:34:56.789", "23:59:59.999999", "24:00"]),
        apart("time(3) without time zone", &["00:00", "12:34:56.789"]),
        of(
            "time with time zone",
            &[&["12:00+02", "12:00:00+02:00"], &["11:00+01"], &["10:00Z"], &["00:00+15:59:59"], &["24:00-15:59:59"]],
        ),
        apart(
            "timestamp without time zone",
            &[
                "4714-11-24 00:00 BC",
                "0044-03-15 01:02:03.5 BC",
                "0001-12-31 23:59:59.999999 BC",
                "0001-01-01",
                "1969-12-31 23:59:59.999999",
                "1970-01-01",
                "1999-12-31 23:59:59.999999",
                "2000-01-01",
                "2000-01-01 00:00:00.000001",
                "2024-02-29 12:34:56.789",
                "9999-12-31 23:59:59.999999",
                "10000-01-01",
                "294246-12-31 23:59:59.999999",
                "infinity",
                "-infinity",
            ],
        ),
        of(
            "timestamp with time zone",
            &[
                &["2024-05-01 12:00+02", "2024-05-01 10:00+00", "2024-05-01 05:30-04:30"],
                &["2024-05-01 12:00+00"],
                &["4714-11-24 00:00+00 BC"],
                &["0044-03-15 01:02:03.5+00 BC"],
                &["1970-01-01 00:00+00"],
                &["1969-12-31 23:59:59.999999+00"],
                &["2000-01-01 00:00+00"],
                &["10000-01-01 00:00+00"],
                &["294246-12-31 23:59:59.999999+00"],
                &["infinity"],
                &["-infinity"],
            ],
        ),
        of(
            "interval",
            &[
                &["0", "0 days"],
                &["1 mon"],
                &["30 days"],
                &["720 hours"],
                &["1 year", "12 mons"],
                &["-1 day 00:00:00.000001"],
                &["-00:00:00.5"],
                &["00:00:00.5"],
                &["178000000 years"],
                &["-178000000 years"],
                &["2147483647 days"],
                &["2562047788:00:54.775807"],
                &["-2562047788:00:54.775807"],
                &["1 mon -1 day"],
                &["-1 mon 1 day"],
            ],
        ),
    ]
}

fn documents() -> Vec<Extremes> {
    let documents: &[&[&str]] = &[
        &[r#"{"a": 1.0, "b": [1e2, null]}"#, r#"{"b":[100,null],"a":1}"#, r#"{"b":[1.00e2,null],"a":10e-1}"#],
        &["null"],
        &["true"],
        &["\"\""],
        &["\"null\""],
        &["0", "-0", "0.0", "0e5"],
        &["1", "1.0", "10e-1"],
        &["\"1\""],
        &["\"1.0\""],
        &["\"1.00\""],
        &[r#""a\"1.0""#, r#""a\u00221.0""#],
        &[r#"["\\", 1.50]"#, r#"["\\", 1.5]"#],
        &[r#""\\1.50""#],
        &["[]"],
        &["{}"],
        &["[[]]"],
        &["[1, [2]]"],
        &["[[1], 2]"],
        &["[1, 2]"],
        &["[2, 1]"],
        &[r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, r#"{"a":0,"b":2,"a":1}"#],
        &[r#"{"a":2,"b":1}"#],
        &[r#"{"bb":1,"a":2}"#, r#"{"a":2,"bb":1}"#],
        &[r#"{"a":{"b":1}}"#],
        &["12345678901234567890.1"],
        &["12345678901234567890.2"],
        &["0.3"],
        &["0.30000000000000004"],
        &["0.05", "0.050", "5e-2"],
        &["1e1000"],
        &["-1.5e-20"],
        &[r#""é""#, r#""\u00e9""#],
        &[r#""😀""#, r#""\ud83d\ude00""#],
        &[r#""\u001f\u007f\b\f\n\r\t\/""#, r#""\u001F\u007f\u0008\u000c\u000a\u000d\u0009/""#],
    ];
    let deep = format!("{}1.0{}", "[{\"a\": ".repeat(500), "}]".repeat(500));
    let long = format!("[\"{}\", 1.10]", "x.0".repeat(350_000));
    // What `json` takes and `jsonb` does not, or looks like it.
    let beyond = [r#""\u0000""#, r#""\ud800""#, r#""\udc00""#, "1e999999", r#"{"1e99999": 1.50}"#];
    vec![
        of("jsonb", documents).and([deep.clone(), long.clone()]),
        of("json", documents).and([deep, long]),
        Extremes { alike: false, ..apart("json", &beyond) },
    ]
}

fn opaque() -> Vec<Extremes> {
    vec![
        apart("integer[]", &["{}", "{NULL}", "{1}", "{{1}}", "{1,2}", "{2,1}", "{{1,2}}", "{{1},{2}}", "[0:1]={1,2}"]),
        apart(
            "text[]",
            &[
                "{}",
                "{NULL}",
                "{\"NULL\"}",
                "{\"\"}",
                "{\"a,b\"}",
                "{a,b}",
                "{\"a|b\",c}",
                "{a,\"b|c\"}",
                "{\"a\\\\\"}",
                "{😀}",
            ],
        ),
        apart("bigint[]", &["{-1}", "{4294967295}"]),
        apart("timestamp with time zone[]", &["{infinity}", "{\"2024-01-01 00:00:00+00\"}"]),
        apart("mood[]", &["{}", "{z,a}", "{a,z}", "{NULL}", "{\"\"}"]),
        apart("pair_of", &["(1,a)", "(1,)", "(,a)", "(1,\"\")", "(,)"]),
        apart("pair_of[]", &["{}", "{\"(1,a)\"}"]),
        apart("regclass", &["named", "pg_class"]),
        of("int4range", &[&["empty", "(1,1)"], &["[1,5)", "[1,4]"], &["(,)"], &["[1,)"], &["(,5)"]]),
        apart("numrange", &["empty", "[1.0,2.5]", "[1.0,2.5)", "(,)"]),
        apart("tstzrange", &["empty", "[2024-01-01 00:00+00,2024-01-02 00:00+00)", "[-infinity,infinity)", "(,)"]),
        apart("daterange", &["empty", "[2024-01-01,2024-01-02)", "(,infinity)"]),
        of("int4multirange", &[&["{}"], &["{[1,2),[5,6)}", "{[5,5],[1,1]}"], &["{(,)}"]]),
        of(
            "inet",
            &[
                &["10.0.0.1", "10.0.0.1/32"],
                &["10.0.0.1/24"],
                &["10.0.0.0/24"],
                &["::1", "0:0::1"],
                &["::/0"],
                &["::ffff:1.2.3.4"],
            ],
        ),
        of("cidr", &[&["10.0.0.0/8", "10"], &["10.0.0.1/32"], &["::/0"]]),
        of("macaddr", &[&["08:00:2b:01:02:03", "08002B010203"], &["00:00:00:00:00:00"]]),
        of("macaddr8", &[&["08:00:2b:01:02:03:04:05", "08002b0102030405"]]),
        apart("bit(3)", &["000", "101"]),
        apart("bit varying", &["", "0", "00", "1", "101"]),
        apart("tsvector", &["", "a:1 b:2", "a b"]),
        apart("tsquery", &["", "a & b", "a | b"]),
        apart("point", &["(0,0)", "(1,2)", "(0.1,0.30000000000000004)"]),
        apart("box", &["(0,0),(1,1)", "(0,0),(2,1)"]),
        apart("path", &["[(0,0),(1,1)]", "((0,0),(1,1))"]),
        apart("circle", &["<(0,0),1>", "<(0,0),2>"]),
        apart("pg_lsn", &["0/0", "16/B374D848"]),
        apart("oid", &["0", "4294967295"]),
        apart("jsonpath", &["$.a", "$.b"]),
    ]
}
