//! A real Prometheus looks at a running rowsync. Every query of the dashboards and every alert rule is asked, and has to
//! find something.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::dashboards::{DASHBOARDS, alerts, dashboard, file, program, queries};
use crate::merge::MERGE;
use crate::server::{Held, Server};
use crate::support::{CHINOOK, Database, Desk};

/// Nothing here takes as long, unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// Far more than are needed for all rates to be known.
const SCRAPES_MAX: usize = 60;

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Answers with what stands in a file, and says each time that it was asked.
fn offer(path: PathBuf) -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (asked, scrapes) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head = BufReader::new(stream.try_clone().unwrap()).lines();
            head.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(format!("{head}{text}").as_bytes());
            if asked.send(()).is_err() {
                return;
            }
        }
    });
    (address, scrapes)
}

struct Prometheus {
    _running: Running,
    address: String,
}

impl Prometheus {
    /// With the alert rules, and processes to look at, each second.
    fn watching(addresses: &[&str], folder: &Path) -> Prometheus {
        let rules = file("prometheus/rowsync.rules.yml");
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: [\"{}\"]\n\
             scrape_configs:\n- job_name: rowsync\n  static_configs: [{{ targets: {} }}]\n",
            rules.display(),
            serde_json::json!(addresses)
        );
        std::fs::write(folder.join("prometheus.yml"), config).unwrap();
        let mut child = Command::new(program("prometheus"))
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=prometheus.data", "--log.format=json"])
            .arg("--web.listen-address=127.0.0.1:0")
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let running = Running(child);
        let said =
            |line: String| serde_json::from_str::<Value>(&line).ok().filter(|said| said["msg"] == "Listening on");
        let listening = lines.find_map(said).expect("it says where it listens before it ends");
        // Read on and on, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Prometheus { _running: running, address: listening["address"].as_str().unwrap().to_owned() }
    }

    fn get(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
    }

    /// How many series answer a query.
    fn answers(&self, query: &str) -> usize {
        let typed: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let answer = self.get(&format!("/api/v1/query?query={typed}"));
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().len()
    }

    /// Looks on, scrape by scrape, until every query has found something.
    fn finds(&self, mut open: Vec<String>, scrapes: &Receiver<()>) {
        for _ in 0..SCRAPES_MAX {
            scrapes.recv_timeout(PATIENCE).expect("it looks every second");
            open.retain(|query| self.answers(query) == 0);
            if open.is_empty() {
                return;
            }
        }
        panic!("these find nothing: {open:#?}");
    }

    fn value(&self, query: &str) -> f64 {
        let typed: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let answer = self.get(&format!("/api/v1/query?query={typed}"));
        answer["data"]["result"][0]["value"][1].as_str().unwrap_or_else(|| panic!("{query}: {answer}")).parse().unwrap()
    }
}

/// As Grafana would ask it for all syncs, or for one table.
fn filled_in(query: &str) -> String {
    let query = query.replace("$__rate_interval", "1m").replace("$table", "Track");
    let query = query.replace(r#"=~"$sync""#, r#"=~".*""#).replace("$sync", "shop");
    assert!(!query.contains('$'), "{query}");
    query
}

/// What a rule looks at, without what is too much of it.
fn without_threshold(rule: &str) -> &str {
    let left = [" > ", " == "].iter().filter_map(|sign| rule.rsplit_once(sign)).max_by_key(|(left, _)| left.len());
    left.unwrap_or_else(|| panic!("{rule} has no threshold")).0
}

fn all_queries() -> Vec<String> {
    let drawn = DASHBOARDS.iter().flat_map(|name| queries(&dashboard(name))).map(|(_, query)| filled_in(&query));
    let looked_at = alerts().into_iter().map(|(_, rule)| without_threshold(&rule).to_owned());
    drawn.chain(looked_at).collect()
}

/// A sync that goes on in cycles and keeps its metrics in a file.
fn running_sync(desk: &Desk) -> Running {
    let (source, target) = (desk.sample("chinook.sqlite"), desk.sqlite("copy.sqlite"));
    let tables = serde_json::json!(CHINOOK);
    desk.sync("shop", &source, &target, &format!(r#""tables": {tables}, "sleep_seconds": 3,"#));
    let mut command = desk.command(&["run", "shop.json", "--metrics-file", "shop.prom"]);
    Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn a_real_prometheus_finds_data_for_every_panel_and_every_alert_rule() {
    let desk = Desk::new();
    let (address, scrapes) = offer(desk.path("shop.prom"));
    let prometheus = Prometheus::watching(&[&address], &desk.path(""));
    let _sync = running_sync(&desk);
    prometheus.finds(all_queries(), &scrapes);
    assert_eq!(prometheus.value("sum(rowsync_records_added_total)"), 15607.0);
    assert_eq!(prometheus.value(r#"sum(rowsync_table_rows{side="target"})"#), 15607.0);
    assert_eq!(prometheus.value("sum(rowsync_table_differences) + sum(rowsync_table_parked)"), 0.0);
    let groups = prometheus.get("/api/v1/rules")["data"]["groups"].clone();
    let rules: Vec<Value> =
        groups.as_array().unwrap().iter().flat_map(|g| g["rules"].as_array().unwrap().clone()).collect();
    assert_eq!(rules.len(), alerts().len());
    for rule in rules {
        assert!(rule["health"] == "ok" && rule["state"] != "firing", "{rule}");
    }
}

/// A service with a sync that goes on in cycles, one that is held in the midst of its work, and one that leaves a conflict.
fn service(desk: &Desk, source: &Database) -> Server {
    let tables = serde_json::json!(CHINOOK);
    let (shop, copy) = (desk.sample("chinook.sqlite"), desk.sqlite("copy.sqlite"));
    desk.sync("shop", &shop, &copy, &format!(r#""listen": "127.0.0.1:0", "tables": {tables}, "sleep_seconds": 3,"#));
    source.sql("create table item (id bigint primary key)");
    desk.sync("held", &source.url, &desk.sqlite("held.sqlite"), "");
    for (name, value) in [("left.sqlite", "left"), ("right.sqlite", "right")] {
        let insert = format!("create table t (id integer primary key, v text); insert into t values (1, '{value}')");
        desk.in_sqlite(name, &insert);
    }
    let both = format!(r#"{MERGE} "conflict_resolution": "manual","#);
    desk.sync("both", &desk.sqlite("left.sqlite"), &desk.sqlite("right.sqlite"), &both);
    Server::start(desk, &["shop.json", "held.json", "both.json"])
}

#[test]
fn a_real_prometheus_finds_data_in_a_service_while_it_syncs() {
    let (desk, source) = (Desk::new(), Database::new());
    let server = service(&desk, &source);
    // Nothing is to be found here: it only says that Prometheus has looked.
    let (clock, scrapes) = offer(desk.path("none.prom"));
    let prometheus = Prometheus::watching(&[&server.address, &clock], &desk.path(""));
    assert_eq!(server.run("both")["totals"]["conflicts"], 1);
    let held = Held::table(&source, "item");
    let execution = server.execute("held");
    let mut queries = all_queries();
    let is_at_work = |executions: u8| format!(r#"rowsync_executions_running{{sync="held"}} == {executions}"#);
    queries.extend([is_at_work(1), r#"rowsync_conflicts_open{sync="both"} == 1"#.to_owned()]);
    // What waits for a person alarms.
    queries.extend(alerts().into_iter().map(|(_, rule)| rule).filter(|rule| rule.contains("conflicts_open")));
    prometheus.finds(queries, &scrapes);
    held.release();
    assert_eq!(server.report(&execution)["status"], "completed");
    prometheus.finds(vec![is_at_work(0)], &scrapes);
    assert_eq!(prometheus.value(r#"sum(rowsync_records_added_total{sync="shop"})"#), 15607.0);
}
