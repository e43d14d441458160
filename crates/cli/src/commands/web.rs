//! `cosec web`: the browser page on loopback. The whole of it is one file that was built in; the page asks for
//! nothing more.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anstream::{eprintln, println};

use crate::args::WebArgs;
use crate::failure::Failure;

/// The page, where this program was built with it: the page needs Node to be made, the program must not.
#[cfg(feature = "web")]
const PAGE: Option<&[u8]> =
    Some(include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/dist/cosec.html")));
#[cfg(not(feature = "web"))]
const PAGE: Option<&[u8]> = None;

/// Browsers keep what they are asked to keep by port: the same one each time. (`cosec` on a telephone's keys.)
const USUAL_PORT: u16 = 26732;

/// A request line and its headers fit in here, or it is none of a browser's.
const LONGEST_HEAD: u64 = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &WebArgs) -> Result<ExitCode, Failure> {
    let Some(page) = PAGE else {
        return Err(Failure::Cannot(
            "this cosec was built without the page; run `cargo xtask web`, then build with `--features web`"
                .to_owned(),
        ));
    };
    let fail = |error: std::io::Error| Failure::Cannot(format!("cannot listen on 127.0.0.1: {error}"));
    let listener = listen(args.port).map_err(fail)?;
    let port = listener.local_addr().map_err(fail)?.port();
    println!("http://127.0.0.1:{port}/");
    if args.port.is_none() && port != USUAL_PORT {
        eprintln!(
            "port {USUAL_PORT} is taken, so this is a free one; what a browser was asked to keep for the page belongs to its port"
        );
    }
    eprintln!("only programs on this machine can reach it; Ctrl-C ends it");
    for stream in listener.incoming().flatten() {
        // One at a time would let one silent connection keep all others out.
        std::thread::spawn(move || {
            // A browser that has gone away is nobody to tell.
            drop(serve(&stream, port, page));
        });
    }
    Ok(ExitCode::SUCCESS)
}

/// At the port that was asked for, else at the usual one if it is free.
fn listen(port: Option<u16>) -> std::io::Result<TcpListener> {
    let at = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match port {
        Some(port) => at(port),
        None => at(USUAL_PORT).or_else(|_| at(0)),
    }
}

fn serve(mut stream: &TcpStream, port: u16, page: &[u8]) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    for line in BufReader::new(stream.take(LONGEST_HEAD)).lines() {
        match line? {
            line if line.is_empty() => break,
            line => head.push(line),
        }
    }
    let status = judge(&head, port);
    let (length, body) = if status == Status::Ok { (page.len(), page) } else { (0, &b""[..]) };
    write!(
        stream,
        "HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\nConnection: close\r\n\r\n",
        status.line(),
    )?;
    stream.write_all(body)?;
    stream.flush()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    /// The name is not ours: some other page has had its own name point here.
    Misdirected,
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed\r\nAllow: GET",
            Status::Misdirected => "421 Misdirected Request",
        }
    }
}

/// The head of a request, line by line.
fn judge(head: &[String], port: u16) -> Status {
    let Some((request, headers)) = head.split_first() else { return Status::BadRequest };
    let mut words = request.split(' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Status::BadRequest;
    };
    if !version.starts_with("HTTP/1.") {
        return Status::BadRequest;
    }
    let mut hosts = headers.iter().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    let own = |host: &str| {
        [format!("127.0.0.1:{port}"), format!("localhost:{port}")]
            .iter()
            .any(|own| own.eq_ignore_ascii_case(host))
    };
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if own(host) => {}
        _ => return Status::Misdirected,
    }
    let path = target.split('?').next().unwrap_or_default();
    match (method, path) {
        ("GET", "/") => Status::Ok,
        ("GET", _) => Status::NotFound,
        _ => Status::MethodNotAllowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(lines: &[&str]) -> Status {
        judge(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>(), 4711)
    }

    #[test]
    fn a_page_elsewhere_cannot_reach_it_by_a_name_of_its_own() {
        assert_eq!(answer(&["GET / HTTP/1.1", "Host: 127.0.0.1:4711"]), Status::Ok);
        assert_eq!(answer(&["GET /?x HTTP/1.1", "HOST: LocalHost:4711"]), Status::Ok);
        for host in ["evil.example:4711", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:4711"] {
            assert_eq!(answer(&["GET / HTTP/1.1", &format!("Host: {host}")]), Status::Misdirected, "{host}");
        }
        assert_eq!(answer(&["GET / HTTP/1.1"]), Status::Misdirected);
        let twice = ["GET / HTTP/1.1", "Host: 127.0.0.1:4711", "Host: evil.example"];
        assert_eq!(answer(&twice), Status::Misdirected);
    }

    #[test]
    fn it_gives_its_page_and_takes_nothing() {
        let host = "Host: localhost:4711";
        assert_eq!(answer(&["POST / HTTP/1.1", host]), Status::MethodNotAllowed);
        assert_eq!(answer(&["GET /etc/passwd HTTP/1.1", host]), Status::NotFound);
        assert_eq!(answer(&["GET /../x HTTP/1.1", host]), Status::NotFound);
        assert_eq!(answer(&["nonsense"]), Status::BadRequest);
        assert_eq!(answer(&[]), Status::BadRequest);
    }
}
