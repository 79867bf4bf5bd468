//! The threads that live as long as the service, as those reach them that answer HTTP: the one that all actors decide on, and
//! one beside it, so that who asks does not wait for actors, nor they for him.

use std::sync::Arc;

use actix::{Arbiter, ArbiterHandle, System};
use tokio::sync::oneshot;

/// Work is brought here from the threads that answer HTTP, which end before it does.
#[derive(Clone)]
pub struct Home {
    arbiter: ArbiterHandle,
    desk: Arc<Desk>,
}

/// The thread beside the actors'. It ends with the last one who knows it.
struct Desk(Arbiter);

impl Drop for Desk {
    fn drop(&mut self) {
        // False only where it has ended already.
        let _ = self.0.stop();
    }
}

impl Home {
    /// The actor system of this thread, and a new thread beside it.
    pub fn here() -> Home {
        Home { arbiter: System::current().arbiter().clone(), desk: Arc::new(Desk(Arbiter::new())) }
    }

    /// Begins work on the thread of the actors.
    pub fn run<F: Future<Output = ()> + 'static>(&self, work: impl FnOnce() -> F + Send + 'static) {
        run_on(&self.arbiter, work);
    }

    /// Waits for work that is done beside the actors; nothing where it panicked. Connections are made there: those that are
    /// made by a thread that answers HTTP would die with it.
    pub async fn work_out<T, F>(&self, work: impl FnOnce() -> F + Send + 'static) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let (answer, asked) = oneshot::channel();
        run_on(&self.desk.0.handle(), || async move {
            // Whoever asked may have left.
            let _ = answer.send(work().await);
        });
        asked.await.ok()
    }

    /// Until the thread of the actors has come around to say so.
    pub async fn answers(&self) {
        let (answer, asked) = oneshot::channel();
        self.run(|| async move {
            // Whoever asked may have left.
            let _ = answer.send(());
        });
        // It has said so, or it is gone, and there is nothing to wait for.
        let _ = asked.await;
    }
}

fn run_on<F: Future<Output = ()> + 'static>(thread: &ArbiterHandle, work: impl FnOnce() -> F + Send + 'static) {
    // False only where the thread has ended, and then nobody is there to wait for anything.
    let _ = thread.spawn_fn(move || drop(actix::spawn(work())));
}
