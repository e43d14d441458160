//! Secrets in command lines: `--password …`, `mysql -p…`, `curl -u user:…`, `docker login -p …`,
//! `echo … | chpasswd`, and assignments (`PGPASSWORD=… psql`).

use std::ops::Range;

use super::assignment::{Assignment, VARIABLE, assigned, assignments, is_written_out, without_variables};
use super::name::{is_method, is_secret_name};

/// Secrets in the words of a command line: flags with a value (`--password x`, `--requirepass=x`, `mysql -px`,
/// `redis-cli -a x`, `curl -u user:x`), words at a known place (`vault login x`), what is piped into a program that
/// takes a password, and assignments before or inside it (`PGPASSWORD=x`).
pub fn in_command(raw: &str) -> Vec<Assignment> {
    given_in_command(raw, |value| is_written_out(value, true))
}

/// Secrets behind the flags that a variable hands to a program: `REDIS_ARGS=--requirepass x`. What is assigned in the
/// text is [`assignments`]' to find.
pub fn in_arguments(raw: &str) -> Vec<Assignment> {
    if !raw.trim_start().starts_with('-') {
        return Vec::new();
    }
    let assigned = assignments(raw, false);
    let mut found = in_command(raw);
    found.retain(|flag| !assigned.iter().any(|known| known.value.start == flag.value.start));
    found
}

/// Where in a command line a variable of the file, and nothing else, gives a secret: `--password ${X}`.
pub fn variables_in_command(raw: &str) -> Vec<Assignment> {
    let mut found = given_in_command(raw, |value| value.chars().all(|part| part == VARIABLE));
    found.retain(|assignment| raw[assignment.value.clone()].starts_with("${"));
    found
}

fn given_in_command(raw: &str, wanted: impl Fn(&str) -> bool) -> Vec<Assignment> {
    let shadow = without_variables(raw, true);
    let words = words(&shadow);
    let mut found = assigned(raw, &shadow, &wanted);
    let (mut program, mut called) = ("", 0);
    // Where the simple command starts that a word belongs to.
    let mut start = 0;
    for (at, word) in words.iter().enumerate() {
        if at > 0 && parts_commands(&shadow[words[at - 1].end..word.start]) {
            start = at;
        }
        let text = &shadow[word.clone()];
        let name = text.rsplit('/').next().unwrap_or(text);
        if is_program(name) {
            (program, called) = (name, at);
        }
        let line =
            Line { text: &shadow, words: &words[start..], at: at - start, program, is_own: called >= start };
        found.extend(line.flag());
        found.extend(line.at_known_place(name));
    }
    found.extend(piped(&shadow));
    found.retain(|Assignment { name, value }| {
        let (name, value) = (&shadow[name.clone()], &shadow[value.clone()]);
        // `--tokens 5`
        let is_count = name.ends_with("tokens") && value.bytes().all(|byte| byte.is_ascii_digit());
        wanted(value) && !is_count && !is_method(name, value)
    });
    found.sort_by_key(|assignment| assignment.value.start);
    found.dedup_by_key(|assignment| assignment.value.start);
    found
}

/// Programs, and the short flag before a password; `…` at the end of a name stands for any ending. The password may
/// stand in the flag's own word.
const PASSWORD_FLAGS: &[(&str, &str)] = &[
    ("7z", "-p"),
    ("7za", "-p"),
    ("bcp", "-P"),
    ("cqlsh…", "-p"),
    ("cypher-shell", "-p"),
    ("isql", "-P"),
    ("keydb-cli…", "-a"),
    ("ldap…", "-w"),
    ("mongo…", "-p"),
    ("mosquitto_…", "-P"),
    ("openssl", "-k"),
    ("openssl", "-K"),
    ("rabbitmqadmin…", "-p"),
    ("redis-cli…", "-a"),
    ("sqlcmd…", "-P"),
    ("sshpass…", "-p"),
    ("tsql", "-P"),
    ("unzip", "-P"),
    ("valkey-cli…", "-a"),
    ("zip", "-P"),
];

/// Programs, the flag before `user:password`, and what parts the two.
const USER_FLAGS: &[(&str, &str, char)] = &[
    ("curl", "-u", ':'),
    ("curl", "-U", ':'),
    ("http", "-a", ':'),
    ("https", "-a", ':'),
    ("lftp", "-u", ','),
    ("smbclient", "-U", '%'),
];

/// Long flags before `user:password`, whatever the program; `--user 1000:1000` is one of curl alone.
const LONG_USER_FLAGS: &[&str] = &["proxy-user", "creds", "src-creds", "dest-creds", "basic-auth"];

/// A program, the word behind which its arguments start, and which of them is a password, from 0.
const PLACES: &[(&str, &str, usize)] = &[
    ("rabbitmqctl", "add_user", 1),
    ("rabbitmqctl", "authenticate_user", 1),
    ("rabbitmqctl", "change_password", 1),
    ("neo4j-admin", "set-initial-password", 0),
    ("vault", "login", 0),
];

/// The programs whose short flags we know.
fn is_program(name: &str) -> bool {
    is_sql_client(name)
        || PASSWORD_FLAGS.iter().any(|(program, _)| is_called(name, program))
        || USER_FLAGS.iter().any(|(program, ..)| name == *program)
}

fn is_called(name: &str, program: &str) -> bool {
    match program.strip_suffix('…') {
        Some(start) => name.starts_with(start),
        None => name == program,
    }
}

/// They take the password in the same word: `-pPASSWORD`.
fn is_sql_client(name: &str) -> bool {
    name.starts_with("mysql") || name.starts_with("mariadb")
}

/// Of `requirepass` and its like it is the whole word that says it.
fn is_secret_flag(name: &str) -> bool {
    is_secret_name(name)
        || matches!(name, "requirepass" | "masterauth" | "storepass" | "keypass" | "dev-root-token-id")
}

/// A word of a simple command.
struct Line<'a> {
    text: &'a str,
    /// The command's words, and what follows it.
    words: &'a [Range<usize>],
    /// Which word is looked at.
    at: usize,
    /// The program whose flags it may be one of.
    program: &'a str,
    /// Whether the program is this command's, not an earlier one's: what looks like several commands may be one, with
    /// a `;` in quotes.
    is_own: bool,
}

impl Line<'_> {
    fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| &self.text[word.clone()])
    }

    /// The words behind this one, as far as the command goes.
    fn behind(&self) -> impl Iterator<Item = Range<usize>> {
        let pairs = self.words[self.at..].windows(2);
        let joined = |pair: &&[Range<usize>]| !parts_commands(&self.text[pair[0].end..pair[1].start]);
        pairs.take_while(joined).map(|pair| pair[1].clone())
    }

    fn flag(&self) -> Option<Assignment> {
        let word = self.words[self.at].clone();
        let written = &self.text[word.clone()];
        let next = || self.behind().next().filter(|next| !self.text[next.clone()].starts_with('-'));
        let given = |value: Range<usize>| Some(Assignment { name: word.clone(), value });
        let pair = |value: Range<usize>, parted: char| {
            let at = self.text[value.clone()].find(parted)? + value.start + parted.len_utf8();
            (at < value.end).then(|| Assignment { name: word.clone(), value: at..value.end })
        };
        let takes_user =
            |long: &str| LONG_USER_FLAGS.contains(&long) || (long == "user" && self.program == "curl");
        if let Some(long) = written.strip_prefix("--") {
            let Some((flag, value)) = long.split_once('=') else {
                return match long {
                    _ if takes_user(long) => pair(next()?, ':'),
                    _ if is_secret_flag(long) => given(next()?),
                    _ => None,
                };
            };
            let start = word.end - value.len();
            let name = word.start..start - 1;
            return match flag {
                _ if takes_user(flag) => pair(start..word.end, ':'),
                _ if is_secret_flag(flag) => Some(Assignment { name, value: start..word.end }),
                _ => None,
            };
        }
        if matches!(written, "requirepass" | "masterauth") {
            return given(next()?);
        }
        // `openssl … -passin pass:x`
        if written.starts_with("pass:") && self.at > 0 && self.word(self.at - 1).starts_with("-pass") {
            let name = self.words[self.at - 1].clone();
            return Some(Assignment { name, value: word.start + "pass:".len()..word.end });
        }
        let short = written.strip_prefix('-')?;
        // Whatever the password looks like: `-psome-password` is no flag of that name.
        if is_sql_client(self.program) && written.len() > 2 && written.starts_with("-p") {
            return Some(Assignment { name: word.start..word.start + 2, value: word.start + 2..word.end });
        }
        // `keytool -storepass x`, `tool -token x`, `vault server -dev-root-token-id=x`
        if short.len() > 3 && !short.contains('=') && is_secret_flag(short) {
            return given(next()?);
        }
        if let Some((flag, value)) = short.split_once('=').filter(|(flag, _)| is_secret_flag(flag)) {
            let start = word.end - value.len();
            return (flag.len() > 3)
                .then_some(Assignment { name: word.start..start - 1, value: start..word.end });
        }
        for (program, flag) in PASSWORD_FLAGS.iter().filter(|(program, _)| is_called(self.program, program)) {
            if written == *flag && !program.starts_with("7z") {
                return given(next()?);
            }
            if self.is_own && written.starts_with(flag) && written.len() > flag.len() && *program != "openssl"
            {
                let value = word.start + flag.len();
                return Some(Assignment { name: word.start..value, value: value..word.end });
            }
        }
        for (_, flag, parted) in USER_FLAGS.iter().filter(|(program, ..)| self.program == *program) {
            // The last of several short ones takes the value: `-sSfu user:x`.
            let is_last = short.ends_with(&flag[1..]) && short.bytes().all(|byte| byte.is_ascii_alphabetic());
            if is_last && let Some(found) = next().and_then(|value| pair(value, *parted)) {
                return Some(found);
            }
            if self.is_own && written.starts_with(flag) && written.len() > flag.len() {
                return pair(word.start + flag.len()..word.end, *parted);
            }
        }
        // Whatever one logs in to: `docker login -u user -p x`.
        let logs_in = written == "-p" && (0..self.at).any(|at| self.word(at) == "login");
        if logs_in { given(next()?) } else { None }
    }

    /// A password that stands at a known place behind this word.
    fn at_known_place(&self, name: &str) -> Option<Assignment> {
        let word = self.words[self.at].clone();
        let plain = |range: &Range<usize>| {
            let text = &self.text[range.clone()];
            !text.starts_with(['-', '<', '>']) && !text.ends_with('>')
        };
        match name {
            "mc" | "mcli" => return minio_key(self.text, &self.words[self.at + 1..]),
            "htpasswd" | "mosquitto_passwd" => {
                let short = |range: &Range<usize>| {
                    let flag =
                        self.text[range.clone()].strip_prefix('-').filter(|rest| !rest.starts_with('-'));
                    flag.map(str::to_owned)
                };
                let flags: String = self.behind().filter_map(|range| short(&range)).collect();
                // File, user and password; without the file where it only prints.
                let place = if flags.contains('n') { 1 } else { 2 };
                let value = self.behind().filter(|range| plain(range)).nth(place)?;
                return flags.contains('b').then_some(Assignment { name: word, value });
            }
            // `npm config set //registry.npmjs.org/:_authToken x`
            "set" => {
                let mut behind = self.behind();
                let key = behind.next()?;
                let last = self.text[key.clone()].rsplit(['/', ':']).next().unwrap_or_default();
                let value = behind.next().filter(plain)?;
                return is_secret_name(last).then_some(Assignment { name: key, value });
            }
            _ => {}
        }
        let (_, _, place) = PLACES.iter().find(|(program, verb, _)| {
            *verb == name && (0..self.at).any(|at| self.word(at).rsplit('/').next() == Some(*program))
        })?;
        let value = self.behind().nth(*place).filter(plain)?;
        Some(Assignment { name: word, value })
    }
}

/// Whether one command ends and another one starts in what stands between two words.
fn parts_commands(between: &str) -> bool {
    let continued = between.contains('\\');
    between.contains([';', '|', '&']) || (between.contains('\n') && !continued)
}

/// What is piped into a program that takes a password: `echo "user:x" | chpasswd`, `echo x | docker login
/// --password-stdin`.
fn piped(text: &str) -> Vec<Assignment> {
    let mut found = Vec::new();
    for (at, taker) in text.match_indices("chpasswd").chain(text.match_indices("--password-stdin")) {
        let Some(pipe) = text[..at].rfind('|') else { continue };
        let start = text[..pipe].rfind(['&', ';', '|', '\n']).map_or(0, |at| at + 1);
        let words: Vec<Range<usize>> = words(&text[start..pipe]);
        let shifted = |word: &Range<usize>| word.start + start..word.end + start;
        let is_told = words.iter().any(|word| matches!(&text[shifted(word)], "echo" | "printf"));
        let Some(last) = words.last().map(shifted).filter(|_| is_told && words.len() > 1) else { continue };
        let last = match taker {
            "chpasswd" => match text[last.clone()].find(':') {
                Some(colon) => last.start + colon + 1..last.end,
                None => continue,
            },
            _ => last,
        };
        // `\n` of printf.
        let written = text[last.clone()].trim_end_matches("\\n");
        if !written.is_empty() && !written.starts_with('-') {
            let value = last.start..last.start + written.len();
            found.push(Assignment { name: at..at + taker.len(), value });
        }
    }
    found
}

/// The secret key of `mc alias set NAME URL ACCESS_KEY SECRET_KEY`, `mc config host add …` likewise.
fn minio_key(text: &str, words: &[Range<usize>]) -> Option<Assignment> {
    let [first, second, third, ..] = words else { return None };
    let is = |word: &Range<usize>, name: &str| text[word.clone()] == *name;
    let at = match () {
        () if is(first, "alias") && is(second, "set") => 2,
        () if is(first, "config") && is(second, "host") && is(third, "add") => 3,
        () => return None,
    };
    let [_, url, access, secret] = words.get(at..at + 4)? else { return None };
    let is_url = text[url.clone()].starts_with("http") || text[url.clone()].starts_with(VARIABLE);
    is_url.then(|| Assignment { name: access.clone(), value: secret.clone() })
}

/// Words as a shell would see them, roughly: blanks part them, quotes around one fall away.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    let parts = |c: char| c.is_whitespace() || matches!(c, ';' | '|' | '&' | '(' | ')' | '"' | '\'');
    for (at, character) in text.char_indices() {
        if parts(character) {
            if let Some(start) = start.take() {
                words.push(start..at);
            }
        } else if start.is_none() {
            start = Some(at);
        }
    }
    words.extend(start.map(|start| start..text.len()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(found: &[Assignment], raw: &str) -> Vec<String> {
        found.iter().map(|assignment| raw[assignment.value.clone()].to_owned()).collect()
    }

    #[test]
    fn secrets_in_command_lines_are_found() {
        let found = |raw: &str| values(&in_command(raw), raw);
        assert_eq!(found("redis-server --requirepass hunter2 --port 1"), ["hunter2"]);
        assert_eq!(found("redis-server --requirepass=hunter2"), ["hunter2"]);
        let handed = |raw: &str| values(&in_arguments(raw), raw);
        assert_eq!(handed("--requirepass hunter2 --port 1"), ["hunter2"]);
        for raw in ["-Dpassword=hunter2", "--requirepass ${PW}", "see --password hunter2"] {
            assert_eq!(handed(raw), Vec::<String>::new(), "{raw}");
        }
        assert_eq!(found("app --auth-token hunter2 --token 5"), ["hunter2", "5"]);
        assert_eq!(found("mysqladmin ping -uroot -phunter2"), ["hunter2"]);
        assert_eq!(found("mysql -h mariadb -uroot -pmy-password"), ["my-password"]);
        assert_eq!(found("redis-cli -a hunter2 ping"), ["hunter2"]);
        assert_eq!(found("curl -u admin:hunter2 http://x"), ["hunter2"]);
        assert_eq!(found("curl -H 'Authorization: Bearer hunter2' http://x"), ["hunter2"]);
        assert_eq!(found("wget --header=\"X-Api-Key: hunter2\" http://x"), ["hunter2"]);
        assert_eq!(found("PGPASSWORD=hunter2 psql -U x"), ["hunter2"]);
        assert_eq!(found("/opt/tools/bin/sqlcmd -S x -U sa -P hunter2 -Q y"), ["hunter2"]);
        assert_eq!(found("mc alias set m http://minio:9000 admin hunter2 && mc mb m/x"), ["hunter2"]);
        assert_eq!(found("mc config host add m ${URL} admin hunter2;"), ["hunter2"]);
        for line in [
            "docker login -u me -p hunter2 registry.example",
            "openssl pkcs12 -export -passin pass:hunter2 -out x",
            "openssl enc -aes-256-cbc -k hunter2",
            "htpasswd -bc /etc/x admin hunter2",
            "htpasswd -Bbn admin hunter2 > /x",
            "sshpass -phunter2 ssh x",
            "curl -uadmin:hunter2 http://x",
            "curl --user=admin:hunter2 http://x",
            "curl -sSfu admin:hunter2 http://x",
            "curl --proxy-user u:hunter2 http://x",
            "sqlcmd -Phunter2",
            "smbclient -U user%hunter2 //x/y",
            "rabbitmqctl add_user me hunter2 && rabbitmqctl set_user_tags me administrator",
            "vault login hunter2",
            "vault server -dev -dev-root-token-id hunter2",
            "vault server -dev -dev-root-token-id=hunter2",
            "rabbitmqctl authenticate_user me hunter2",
            "curl -H 'Authorization:Bearer hunter2' http://x",
            "npm config set //registry.npmjs.org/:_authToken hunter2",
            "echo hunter2 | docker login -u x --password-stdin",
            "echo \"root:hunter2\" | chpasswd",
            "keytool -storepass hunter2 -list",
            "skopeo copy --src-creds u:hunter2 docker://x y",
            "7z a -phunter2 x.7z",
            "mosquitto_passwd -b /x bob hunter2",
        ] {
            assert_eq!(found(line), ["hunter2"], "{line}");
        }
        for raw in [
            "docker run --user 1000:1000 -p 8080:80 x",
            "docker login -u x --password-stdin; docker run -p 8080 x",
            "htpasswd -c /etc/x admin",
            "zipkin -P 80",
            "vault login -method=userpass",
            "cat /run/secrets/pw | docker login --password-stdin",
            "echo \"root:$PW\" | chpasswd",
            "openssl req -key server.pem -keyout x",
            "set -e",
            "git config set user.name x",
            "vault kv get -field=password secret/db",
            "postgres -c password_encryption=scram-sha-256",
            "curl -X POST -u admin: http://x",
            "unzip -p x.zip",
            "7z x a.7z; vswhere -latest -products x",
            "redis-server --requirepass $$PW",
            "redis-server --requirepass ${PW}",
            "mysqladmin ping -p$$MYSQL_PASSWORD",
            "mysqladmin ping -h db -P 3306",
            "curl -u admin:$(cat /x) http://x",
            "app --token-file /x --password-stdin",
            "ssh -p 22",
            "sqlcmd -P $$PW",
            "mc alias set m http://minio:9000 $USER $PW",
            "mc alias set m http://minio:9000",
            "mc alias list m a b c d",
            "echo -password",
            "bench --tokens 5",
            "etcd --auth-token simple",
            "mysql --default-auth=mysql_native_password",
        ] {
            assert_eq!(found(raw), Vec::<String>::new(), "{raw}");
        }
    }
}
