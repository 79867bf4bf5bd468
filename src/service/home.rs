//! The thread that all actors decide on, as others reach it.

use actix::{ArbiterHandle, System};
use tokio::sync::oneshot;

/// Work is brought here from the threads that answer HTTP, which end before it does.
#[derive(Clone)]
pub struct Home {
    arbiter: ArbiterHandle,
}

impl Home {
    /// The actor system of this thread.
    pub fn here() -> Home {
        Home { arbiter: System::current().arbiter().clone() }
    }

    /// Begins work on the thread of the actors.
    pub fn run<F: Future<Output = ()> + 'static>(&self, work: impl FnOnce() -> F + Send + 'static) {
        // False only where the system has ended, and then nobody is there to wait for anything.
        let _ = self.arbiter.spawn_fn(move || drop(actix::spawn(work())));
    }

    /// Waits for work that is done there; nothing where it panicked. Connections are made there: those that are made by a
    /// thread that answers HTTP would die with it.
    pub async fn work_out<T, F>(&self, work: impl FnOnce() -> F + Send + 'static) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let (answer, asked) = oneshot::channel();
        self.run(|| async move {
            // Whoever asked may have left.
            let _ = answer.send(work().await);
        });
        asked.await.ok()
    }

    /// Until the thread of the actors has come around to say so.
    pub async fn answers(&self) {
        self.work_out(|| async {}).await;
    }
}
