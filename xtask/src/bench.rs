//! `cargo xtask bench`: what an audited open costs beside a plain file and the smallest FUSE file system, and
//! what many secrets cost. All in one run, since one machine's hour is not another's.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, root, run as run_command};

const OPENS: usize = 20_000;

pub(crate) fn run() -> Result<()> {
    run_command(&mut cargo(&["build", "--quiet", "--release", "--package", "cosec"]))?;
    run_command(&mut cargo(&[
        "build",
        "--quiet",
        "--release",
        "--package",
        "cosec-fuse",
        "--example",
        "minimal",
    ]))?;
    let place = root().join("target/bench");
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(place.join("secrets"))?;
    fs::create_dir_all(place.join("mnt"))?;
    fs::create_dir_all(place.join("runtime"))?;
    fs::write(place.join("secrets/pw"), [b'x'; 64])?;
    fs::write("/dev/shm/cosec-bench", [b'x'; 64])?;
    println!("open+read+close of 64 bytes, {OPENS} times, one reader");
    println!("tmpfs          {}", measure(Path::new("/dev/shm/cosec-bench"))?);
    println!("this disk      {}", measure(&place.join("secrets/pw"))?);
    fs::remove_file("/dev/shm/cosec-bench")?;
    let mut minimal = Command::new(root().join("target/release/examples/minimal"))
        .arg(place.join("mnt"))
        .stderr(Stdio::null())
        .spawn()?;
    let start = Instant::now();
    while !place.join("mnt/pw").exists() && start.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let measured = measure(&place.join("mnt/pw"));
    run_command(Command::new("umount").arg(place.join("mnt")))?;
    minimal.wait()?;
    println!("minimal FUSE   {}", measured?);
    let compose = "services: {db: {image: x, secrets: [pw]}}\nsecrets: {pw: {file: ./secrets/pw}}\n";
    fs::write(place.join("compose.yaml"), compose)?;
    println!("audited open   {}", served(&place, "/run/secrets/pw")?);
    for count in [10, 1_000, 10_000] {
        many(&place, count)?;
    }
    let words = ["test", "--quiet", "--package", "cosec", "--test", "docker", "--", "what_up_costs"];
    let program = root().join("target/release/cosec");
    run_command(cargo(&words).env("COSEC_BENCH", "1").env("COSEC_PROGRAM", program))
}

/// What `cargo xtask __measure FILE` prints.
pub(crate) fn measure_here(path: &str) -> Result<()> {
    println!("{}", measure(Path::new(path))?);
    Ok(())
}

fn measure(path: &Path) -> Result<String> {
    let mut times = Vec::with_capacity(OPENS);
    let mut bytes = [0; 128];
    for _ in 0..OPENS {
        let start = Instant::now();
        let mut file = fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let count = file.read(&mut bytes)?;
        drop(file);
        times.push(start.elapsed());
        if count != 64 {
            bail!("{count} bytes in place of 64");
        }
    }
    times.sort_unstable();
    let at = |part: usize| times[OPENS * part / 1000].as_nanos() as f64 / 1000.0;
    Ok(format!("p50 {:7.1} µs   p99 {:7.1} µs", at(500), at(990)))
}

fn cosec(place: &Path) -> Command {
    let mut command = Command::new(root().join("target/release/cosec"));
    command.current_dir(place).env("XDG_RUNTIME_DIR", place.join("runtime")).env("XDG_STATE_HOME", place);
    command.args(["run", "--allow-unignored", "--"]);
    command
}

fn served(place: &Path, file: &str) -> Result<String> {
    let output = cosec(place).arg(std::env::current_exe()?).args(["__measure", file]).output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn many(place: &Path, count: usize) -> Result<()> {
    let (mut names, mut definitions) = (String::new(), String::new());
    for number in 0..count {
        fs::write(place.join(format!("secrets/s{number}")), [b'x'; 64])?;
        names.push_str(&format!("s{number}, "));
        definitions.push_str(&format!("  s{number}: {{file: ./secrets/s{number}}}\n"));
    }
    let text = format!("services: {{db: {{image: x, secrets: [{names}]}}}}\nsecrets:\n{definitions}");
    fs::write(place.join("compose.yaml"), text)?;
    let start = Instant::now();
    let mut child =
        cosec(place).args(["sh", "-c", "echo ready; exec sleep 600"]).stdout(Stdio::piped()).spawn()?;
    let mut line = [0; 6];
    child.stdout.as_mut().context("no output")?.read_exact(&mut line)?;
    let took = start.elapsed();
    let resident = worker_memory(&child);
    run_command(Command::new("kill").arg(child.id().to_string()))?;
    child.wait()?;
    println!(
        "{count:6} secrets   `cosec run` ready in {:.0} ms, worker {} MB",
        took.as_secs_f64() * 1000.0,
        resident / 1024
    );
    Ok(())
}

/// Resident memory of the worker below a `cosec run`, in KiB.
fn worker_memory(child: &Child) -> u64 {
    let children =
        |pid: &str| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let of_child = children(&child.id().to_string());
    let grandchildren = of_child.split_whitespace().map(children).collect::<String>();
    let worker = grandchildren.split_whitespace().find(|pid| {
        fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words.contains("__worker"))
    });
    let status =
        worker.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok()).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
