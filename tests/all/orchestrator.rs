//! rowsync as a library, asked from a runtime that is not its own.

use rowsync::orchestrator::SyncOrchestrator;
use rowsync::service::Refusal;
use rowsync_engine::report::RunStatus;

use crate::server::Held;
use crate::support::{Database, Desk};

fn shop(desk: &Desk, source: &str) {
    let state = desk.sqlite("state");
    desk.sync("shop", source, &desk.sqlite("copy"), &format!("\"state\": \"{state}\","));
}

#[tokio::test]
async fn a_program_runs_its_syncs_and_reads_their_reports() {
    let desk = Desk::new();
    desk.in_sqlite("shop", "create table item (id integer primary key, v text); insert into item values (1, 'a')");
    shop(&desk, &desk.sqlite("shop"));
    let orchestrator = SyncOrchestrator::new([desk.path("shop.json")]).await.unwrap();
    let report = orchestrator.execute_sync("shop").await.unwrap();
    assert_eq!((report.status, report.totals.added), (RunStatus::Completed, 1));
    let refusal = orchestrator.execute_sync("none").await.unwrap_err();
    assert_eq!(refusal, Refusal::Unknown("none".into()));
    assert_eq!(orchestrator.configurations()[0].name, "shop");
    orchestrator.stop().await;
    assert_eq!(desk.dump("copy", "item"), desk.dump("shop", "item"));
    // The same history as everywhere else.
    assert_eq!(desk.rowsync(&["history", "shop.json"]).report()["executions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_one_sync_one_execution_is_at_work_and_it_can_be_cancelled() {
    let (desk, source) = (Desk::new(), Database::new());
    source.sql("create table item (id int primary key); insert into item values (1)");
    shop(&desk, &source.url);
    let orchestrator = SyncOrchestrator::new([desk.path("shop.json")]).await.unwrap();
    let held = Held::table(&source, "item");
    let execution = orchestrator.start_sync("shop").unwrap();
    let refusal = orchestrator.start_sync("shop").err().unwrap();
    assert_eq!(refusal, Refusal::Running { sync: "shop".into(), execution_id: execution.id });
    assert!(orchestrator.cancel(&execution.id));
    held.release();
    assert_eq!(execution.ended().await.unwrap().report.status, RunStatus::Interrupted);
    orchestrator.stop().await;
}

#[tokio::test]
async fn wrong_files_are_refused_with_everything_that_is_wrong() {
    let desk = Desk::new();
    desk.sync("shop", "sqlite:a", "sqlite:b", r#""batch_sise": 1, "listen": "0.0.0.0:1","#);
    let told = SyncOrchestrator::new([desk.path("shop.json")]).await.err().unwrap().to_string();
    assert!(told.contains("did you mean `batch_size`"), "{told}");
    assert!(SyncOrchestrator::new(Vec::<std::path::PathBuf>::new()).await.is_err());
}
