//! What a request is told: a queue of one sender and one receiver in a single small block, since each request has one and
//! hears a decision or two. (The channels at hand reserve room for 32 of them, some kilobytes for each open stream.)

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A mailbox, empty.
pub(in crate::gateway) fn mailbox<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Mutex::new(Letters { told: VecDeque::new(), waker: None, ends: Ends::Both }));
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ends {
    Both,
    /// One is gone.
    One,
}

#[derive(Debug)]
struct Letters<T> {
    /// Takes no memory before the first.
    told: VecDeque<T>,
    waker: Option<Waker>,
    ends: Ends,
}

fn lock<T>(shared: &Mutex<Letters<T>>) -> MutexGuard<'_, Letters<T>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells.
#[derive(Debug)]
pub(in crate::gateway) struct Sender<T>(Arc<Mutex<Letters<T>>>);

/// Hears.
#[derive(Debug)]
pub(in crate::gateway) struct Receiver<T>(Arc<Mutex<Letters<T>>>);

impl<T> Sender<T> {
    /// Tells; where nobody hears any more, nothing.
    pub(in crate::gateway) fn send(&self, letter: T) {
        let mut letters = lock(&self.0);
        if letters.ends == Ends::Both {
            letters.told.push_back(letter);
            let waker = letters.waker.take();
            drop(letters);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl<T> Receiver<T> {
    /// The next that was told; `None` where nobody tells any more.
    pub(in crate::gateway) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut letters = lock(&self.0);
        if let Some(letter) = letters.told.pop_front() {
            return Poll::Ready(Some(letter));
        }
        if letters.ends == Ends::One {
            return Poll::Ready(None);
        }
        if !letters.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            letters.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut letters = lock(&self.0);
        letters.ends = Ends::One;
        let waker = letters.waker.take();
        drop(letters);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut letters = lock(&self.0);
        letters.ends = Ends::One;
        // A waker would keep the task that heard.
        let left = (std::mem::take(&mut letters.told), letters.waker.take());
        drop(letters);
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn letters_come_in_order_and_then_the_end() {
        let (sender, mut receiver) = mailbox();
        let reading = tokio::spawn(async move {
            let mut heard = Vec::new();
            while let Some(letter) = poll_fn(|cx| receiver.poll_recv(cx)).await {
                heard.push(letter);
            }
            heard
        });
        for letter in 0..100 {
            sender.send(letter);
            if letter % 3 == 0 {
                tokio::task::yield_now().await;
            }
        }
        drop(sender);
        assert_eq!(reading.await.expect("no panic"), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn what_nobody_hears_is_not_kept() {
        let (sender, receiver) = mailbox();
        let letter = Arc::new(());
        sender.send(Arc::clone(&letter));
        assert_eq!(Arc::strong_count(&letter), 2);
        drop(receiver);
        sender.send(Arc::clone(&letter));
        assert_eq!(Arc::strong_count(&letter), 1);
    }

    #[test]
    fn the_end_wakes_whoever_waits() {
        struct Count(std::sync::atomic::AtomicU32);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let count = Arc::new(Count(0.into()));
        let waker = Waker::from(Arc::clone(&count));
        let (sender, mut receiver) = mailbox::<()>();
        assert!(receiver.poll_recv(&mut Context::from_waker(&waker)).is_pending());
        drop(sender);
        assert_eq!(count.0.load(std::sync::atomic::Ordering::Relaxed), 1);
        assert_eq!(receiver.poll_recv(&mut Context::from_waker(&waker)), Poll::Ready(None));
    }
}
