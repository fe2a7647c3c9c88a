//! A real rsyslog, over UDP, TCP and TLS.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use abide_e2e::{Home, skip, wait};
use serde_json::Value;

use crate::free_port;

struct Rsyslog<'h> {
    home: &'h Home,
    child: Child,
    ports: [u16; 3],
}

impl Drop for Rsyslog<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What it takes to play this, or what is missing.
fn missing() -> Option<&'static str> {
    if skip::program("rsyslogd").is_none() {
        return Some("there is no rsyslogd (package rsyslog)");
    }
    if skip::program("openssl").is_none() {
        return Some("there is no openssl to make certificates with");
    }
    let drivers = [
        "/usr/lib/x86_64-linux-gnu/rsyslog",
        "/usr/lib/aarch64-linux-gnu/rsyslog",
        "/usr/lib/rsyslog",
    ];
    let has_tls = |dir: &&str| std::path::Path::new(dir).join("lmnsd_gtls.so").exists();
    if !drivers.iter().any(has_tls) {
        return Some("rsyslog has no TLS (package rsyslog-gnutls)");
    }
    None
}

/// An authority, and a certificate of it for 127.0.0.1.
fn certificates(home: &Home) {
    let make = r#"
        key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
        key ca.key; key key.pem
        openssl req -x509 -new -key ca.key -subj /CN=authority -days 30 -out ca.pem
        openssl req -new -key key.pem -subj /CN=logs -out request.pem
        printf 'subjectAltName=IP:127.0.0.1\n' > names
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile names -out cert.pem
    "#;
    let mut openssl = Command::new("sh");
    openssl.args(["-e", "-c", make]).current_dir(home.path("."));
    let _ = home.finish(openssl, "openssl").expect(0);
}

impl<'h> Rsyslog<'h> {
    fn start(home: &'h Home, ports: [u16; 3]) -> Self {
        let dir = home.path("rsyslog");
        std::fs::create_dir_all(&dir).expect("made");
        let (dir, folder) = (dir.display(), home.path(""));
        let folder = folder.display();
        let [udp, tcp, tls] = ports;
        let configuration = format!(
            r#"global(workDirectory="{dir}" maxMessageSize="256k" parser.escapeControlCharactersOnReceive="off"
    defaultNetstreamDriverCAFile="{folder}/ca.pem" defaultNetstreamDriverCertFile="{folder}/cert.pem"
    defaultNetstreamDriverKeyFile="{folder}/key.pem")
module(load="imudp")
module(load="imtcp")
input(type="imudp" address="127.0.0.1" port="{udp}" name="udp")
input(type="imtcp" address="127.0.0.1" port="{tcp}" name="tcp")
input(type="imtcp" address="127.0.0.1" port="{tls}" name="tls"
    streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="json" type="list") {{
    constant(value="{{")
    property(outname="msg" name="msg" format="jsonf") constant(value=",")
    property(outname="data" name="structured-data" format="jsonf") constant(value=",")
    property(outname="app" name="app-name" format="jsonf") constant(value=",")
    property(outname="kind" name="msgid" format="jsonf") constant(value=",")
    property(outname="host" name="hostname" format="jsonf") constant(value=",")
    property(outname="priority" name="pri" format="jsonf") constant(value=",")
    property(outname="input" name="inputname" format="jsonf") constant(value="}}\n")
}}
action(type="omfile" file="{dir}/received" template="json")
"#
        );
        home.write("rsyslog.conf", &configuration);
        let program = skip::program("rsyslogd").expect("it is there");
        let child = Command::new(program)
            .arg("-n")
            .arg("-f")
            .arg(home.path("rsyslog.conf"))
            .arg("-i")
            .arg(home.path("rsyslog.pid"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it can be run");
        wait::until("rsyslog listens", wait::GENEROUS, || {
            let listens = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
            ports[1..].iter().all(listens).then_some(())
        });
        Self { home, child, ports }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(self.home.path("rsyslog.pid"));
    }

    fn restart(&mut self) {
        self.kill();
        let mut next = Self::start(self.home, self.ports);
        std::mem::swap(&mut self.child, &mut next.child);
    }

    /// What came over one input so far, as objects.
    fn received(&self, input: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.home.path("rsyslog/received")).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        // What a killed receiver had begun to write is torn, and the next one's first line stands behind it.
        let lines = whole
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["input"] == input).collect()
    }

    fn output(&self, input: &str) -> Vec<Value> {
        let mut lines = self.received(input);
        lines.retain(|line| line["kind"] == "stdout");
        lines
    }
}

/// The text behind the byte order mark.
fn text(line: &Value) -> &str {
    let text = line["msg"].as_str().unwrap_or_default();
    text.trim_start_matches([' ', '\u{feff}'])
}

#[test]
fn rsyslog_receives_everything_over_udp_tcp_and_tls_and_may_be_killed_meanwhile() {
    if let Some(why) = missing() {
        return skip::skip("system_logs::rsyslog", why);
    }
    let home = Home::new("syslog-rsyslog");
    certificates(&home);
    let ports = [free_port(), free_port(), free_port()];
    let mut rsyslog = Rsyslog::start(&home, ports);
    // Waits for a file, so that it goes on when the test says so.
    home.write(
        "program.sh",
        r#"printf '{"level":"error","msg":"two\\nlines \\"ä\\" ]","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}\n'
head -c 65536 /dev/zero | tr '\0' x; echo
n=0; until [ -e go-on ]; do n=$((n+1)); echo "line $n"; sleep 0.01; done; echo "last $n"; exec sleep 1000
"#,
    );
    let [udp, tcp, tls] = ports;
    home.write(
        "abide.toml",
        &format!(
            "[service.web]\ncommand = [\"sh\", \"program.sh\"]\nsystem_log = [\n\
             {{ to = \"udp://127.0.0.1:{udp}\", output = true, facility = \"local0\" }},\n\
             {{ to = \"tcp://127.0.0.1:{tcp}\", output = true, host = \"web-1\" }},\n\
             {{ to = \"tls://127.0.0.1:{tls}\", output = true, ca = \"ca.pem\" }},\n]\n"
        ),
    );
    home.ok(&["up"]);
    for input in ["udp", "tcp", "tls"] {
        let lines = wait::until("the first lines are there", wait::GENEROUS, || {
            Some(rsyslog.output(input)).filter(|lines| lines.len() > 10)
        });
        let first = &lines[0];
        assert_eq!(text(first), "two\nlines \"ä\" ]", "{first}");
        assert_eq!(first["app"], "web");
        let facility = if input == "udp" { 16 } else { 3 };
        assert_eq!(first["priority"], (facility * 8 + 3).to_string());
        if input == "tcp" {
            assert_eq!(first["host"], "web-1");
        }
        let data = first["data"].as_str().expect("a text");
        for field in [
            "service_name=\"web\"",
            "instance_id=\"web/1/",
            "trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"",
            "event_severity=\"3\"",
            "timestamp=\"",
        ] {
            assert!(data.contains(field), "{field} in {data}");
        }
        let long: usize = lines[1..3]
            .iter()
            .map(|line| text(line).chars().filter(|c| *c == 'x').count())
            .sum();
        assert_eq!(long, 65_536, "{input}");
        let started = wait::until("the events are there", wait::GENEROUS, || {
            rsyslog
                .received(input)
                .into_iter()
                .find(|line| line["kind"] == "started")
        });
        assert!(
            started["data"]
                .as_str()
                .is_some_and(|data| data.contains("event_id=\"4\""))
        );
    }
    for _ in 0..2 {
        let pid = || home.unit("web").map(|unit| unit["pid"].clone());
        let before = pid();
        rsyslog.restart();
        for input in ["udp", "tcp", "tls"] {
            let known = rsyslog.output(input).len();
            wait::until("lines come again", wait::GENEROUS, || {
                (rsyslog.output(input).len() > known + 10).then_some(())
            });
        }
        assert_eq!(before, pid());
    }
    home.write("go-on", "");
    // What a receiver that is busy drops of UDP, nobody is told.
    for input in ["tcp", "tls"] {
        let last = wait::until("the last line is there", wait::GENEROUS, || {
            rsyslog
                .output(input)
                .iter()
                .find_map(|line| text(line).strip_prefix("last ")?.parse::<u64>().ok())
        });
        let lines = rsyslog.output(input);
        let number = |line: &Value| text(line).strip_prefix("line ")?.parse::<u64>().ok();
        let seen: std::collections::BTreeSet<u64> = lines.iter().filter_map(number).collect();
        // Nobody knows what a killed receiver had taken and not written. It is in one piece for each death.
        let missing = |n: &u64| !seen.contains(n);
        let begun = (1..=last).filter(|n| missing(n) && (*n == 1 || !missing(&(n - 1))));
        let gaps: Vec<u64> = begun.collect();
        assert!(
            gaps.len() <= 2,
            "over {input} lines are missing from {gaps:?} on, of {last}"
        );
    }
}
