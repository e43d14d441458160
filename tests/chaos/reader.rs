//! Opens and reads a secret again and again, and counts the answers that are no one version, or an old one.
//! Built without a C library's help, so that it runs in an image that has nothing.

use std::fs;
use std::time::{Duration, Instant};

fn number(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(1);
    let start = Instant::now();
    let (mut opens, mut failed, mut torn, mut stale, mut worst) = (0_u32, 0_u32, 0_u32, 0_u32, Duration::ZERO);
    let mut first_error = String::new();
    while start.elapsed().as_secs() < seconds {
        let floor = fs::read("/shared/floor").ok().and_then(|bytes| number(&bytes)).unwrap_or(0);
        let before = Instant::now();
        let read = fs::read("/run/secrets/pw");
        worst = worst.max(before.elapsed());
        match read {
            Err(error) => {
                failed += 1;
                first_error = error.to_string();
            }
            Ok(bytes) => {
                opens += 1;
                let first = bytes.get(..9).map(<[u8]>::to_vec).unwrap_or_default();
                if bytes.len() != 9000 || bytes.chunks(9).any(|line| line != first) {
                    torn += 1;
                } else if number(&first).is_none_or(|now| now < floor) {
                    stale += 1;
                }
            }
        }
    }
    println!("{opens} opens {failed} failed {torn} torn {stale} stale, worst {worst:?} {first_error} done");
}
