//! Part of a transaction that may fail without it.

use rowsync_engine::error::{Class, Kind, StoreError};

use super::link::Lease;

/// Carries out all of the statements or none of them; whether the server took them.
pub async fn taken(lease: &mut Lease, statements: &[String]) -> Result<bool, StoreError> {
    lease.execute("SAVEPOINT part").await?;
    let mut taken = true;
    for statement in statements {
        match lease.execute(statement).await {
            Ok(_) => {}
            Err(error) if error.class() == Class::Connection && error.kind != Kind::Forbidden => return Err(error),
            Err(_) => {
                lease.execute("ROLLBACK TO SAVEPOINT part").await?;
                taken = false;
                break;
            }
        }
    }
    lease.execute("RELEASE SAVEPOINT part").await?;
    Ok(taken)
}
