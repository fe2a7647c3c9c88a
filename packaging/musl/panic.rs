//! Ends with 0 if panics are caught, of this thread and of another: the unwinder of static programs is put together by
//! hand, and abide goes on when its API panics.

fn deep(n: u32) -> u32 {
    if n == 0 {
        panic!("on purpose");
    }
    deep(n - 1) + 1
}

fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    let here = std::panic::catch_unwind(|| deep(10)).is_err();
    let there = std::thread::spawn(|| deep(3)).join().is_err();
    std::process::exit(if here && there { 0 } else { 1 });
}
