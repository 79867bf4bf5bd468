//! Runs a sync from a program of one's own: makes a small shop, and keeps a copy of it.
//!
//!     cargo run --example library

use std::error::Error;

use rowsync::orchestrator::SyncOrchestrator;
use rusqlite::Connection;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let shop = Connection::open(folder.path().join("shop.sqlite"))?;
    shop.execute_batch(
        "create table item (id integer primary key, name text);
         insert into item values (1, 'apple'), (2, 'pear');",
    )?;

    // What a sync is stands in a settings file, as it does for the command line.
    let settings = folder.path().join("shop.json");
    let place = folder.path().display();
    std::fs::write(
        &settings,
        format!(
            r#"{{ "connections": {{ "shop": {{ "url": "sqlite:{place}/shop.sqlite" }},
                                    "copy": {{ "url": "sqlite:{place}/copy.sqlite" }} }},
                 "source": "shop", "target": "copy", "create_missing_tables": true,
                 "state": "sqlite:{place}/state.sqlite" }}"#
        ),
    )?;

    let orchestrator = SyncOrchestrator::new([settings]).await?;
    let report = orchestrator.execute_sync("shop").await?;
    println!("first: {} rows added", report.totals.added);

    shop.execute("update item set name = 'plum' where id = 2", [])?;
    let report = orchestrator.execute_sync("shop").await?;
    println!("then: {} row modified", report.totals.modified);

    orchestrator.stop().await;
    Ok(())
}
