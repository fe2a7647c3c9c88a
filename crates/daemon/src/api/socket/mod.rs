//! Connections to the home's place (`abide_platform::control`), for the API's runtime: a Unix socket's, or those
//! of a named pipe.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::{Acceptor, account};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::{Acceptor, account};

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::path::{Path, PathBuf};
    use std::thread::JoinHandle;
    use std::time::Duration;

    use abide_platform::account::Account;
    use abide_platform::control::Place;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::{Acceptor, account};

    #[cfg(unix)]
    use super::unix::client;
    #[cfg(windows)]
    use super::windows::client;

    const WITHIN: Duration = Duration::from_secs(60);

    /// Answers each line with itself, until it is ended; refuses who is not the owner.
    struct Echo {
        home: PathBuf,
        end: Option<oneshot::Sender<()>>,
        thread: Option<JoinHandle<()>>,
    }

    impl Echo {
        fn serve(place: Place, home: &Path) -> Self {
            let (end, mut ended) = oneshot::channel::<()>();
            let thread = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async move {
                    let owner = Account::own().expect("an account");
                    let mut acceptor = Acceptor::new(place).expect("it is served");
                    loop {
                        let stream = tokio::select! {
                            stream = acceptor.accept() => stream.expect("a connection"),
                            _ = &mut ended => return,
                        };
                        let owner = owner.clone();
                        tokio::spawn(async move {
                            let mut stream = stream;
                            let who = account(&stream, WITHIN).await;
                            let mut line = Vec::new();
                            while line.last() != Some(&b'\n') {
                                match stream.read_buf(&mut line).await {
                                    Ok(0) | Err(_) => return,
                                    Ok(_) => {}
                                }
                            }
                            if who.may_command(&owner) {
                                // It may have gone meanwhile.
                                let _ = stream.write_all(&line).await;
                            }
                        });
                    }
                });
            });
            Self {
                home: home.to_owned(),
                end: Some(end),
                thread: Some(thread),
            }
        }

        fn ask(&self, text: &str) -> String {
            ask(&self.home, text)
        }
    }

    impl Drop for Echo {
        fn drop(&mut self) {
            drop(self.end.take());
            if let Some(thread) = self.thread.take() {
                thread.join().expect("it served");
            }
        }
    }

    fn ask(home: &Path, text: &str) -> String {
        let mut stream = client(home).expect("it is served");
        stream.write_all(text.as_bytes()).expect("written");
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer).expect("an answer");
        String::from_utf8(answer).expect("text")
    }

    #[test]
    fn who_asks_is_known_and_answered() {
        let home = tempfile::tempdir().expect("a directory");
        let echo = Echo::serve(Place::take(home.path()).expect("free"), home.path());
        assert_eq!(echo.ask("hello\n"), "hello\n");
        let long = format!("{}\n", "x".repeat(300_000));
        assert_eq!(echo.ask(&long), long);
    }

    #[test]
    fn many_who_ask_at_once_are_all_answered() {
        let home = tempfile::tempdir().expect("a directory");
        let _echo = Echo::serve(Place::take(home.path()).expect("free"), home.path());
        std::thread::scope(|scope| {
            for client in 0..16 {
                let home = home.path();
                scope.spawn(move || {
                    for turn in 0..10 {
                        let text = format!("{client} {turn}\n");
                        assert_eq!(ask(home, &text), text);
                    }
                });
            }
        });
    }

    #[test]
    fn one_who_dies_half_way_holds_up_nobody() {
        let home = tempfile::tempdir().expect("a directory");
        let echo = Echo::serve(Place::take(home.path()).expect("free"), home.path());
        for _ in 0..5 {
            drop(client(home.path()).expect("it is served"));
            let mut half = client(home.path()).expect("it is served");
            half.write_all(b"no end").expect("written");
            drop(half);
            assert_eq!(echo.ask("whole\n"), "whole\n");
        }
    }

    #[test]
    fn the_next_daemon_goes_on_where_the_last_one_served() {
        let home = tempfile::tempdir().expect("a directory");
        let place = Place::take(home.path()).expect("free");
        let held = held_by_the_keeper(&place);
        let number = Place::number(home.path()).expect("a number");
        let echo = Echo::serve(place, home.path());
        assert_eq!(echo.ask("first\n"), "first\n");
        drop(echo);
        let place = Place::adopt(home.path(), number, held).expect("it is this home's");
        let waiting = {
            let home = home.path().to_owned();
            std::thread::spawn(move || ask(&home, "second\n"))
        };
        let _echo = Echo::serve(place, home.path());
        assert_eq!(waiting.join().expect("answered"), "second\n");
    }

    /// As the keeper holds it.
    fn held_by_the_keeper(place: &Place) -> abide_platform::Handle {
        place.try_clone().expect("a duplicate").into()
    }
}
