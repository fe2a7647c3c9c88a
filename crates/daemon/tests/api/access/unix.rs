//! What the system itself has a say in.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use crate::fake;

#[test]
fn nobody_else_may_read_the_token() {
    let fake = fake::start();
    assert!(!fake.token().is_empty());
    let mode = std::fs::metadata(fake.home.join("token"))
        .expect("metadata")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn another_user_of_the_machine_can_do_nothing_through_the_socket() {
    let fake = fake::start();
    let socket = fake.home.join("abide.sock");
    if std::fs::metadata(&socket).expect("metadata").uid() != 0 {
        eprintln!("skipped: becoming another user takes root");
        return;
    }
    // Even where every permission of the files is given away, the kernel tells who asks.
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    };
    let asks = |expected: &str| {
        let script = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ntry:\n s.connect(sys.argv[1])\nexcept PermissionError:\n print('no way in'); sys.exit()\ns.sendall(b'GET /v1/units HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n')\nd=b''\nwhile True:\n b=s.recv(4096)\n if not b: break\n d+=b\nprint(d.decode())";
        let output = Command::new("setpriv")
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "/usr/bin/env",
                "python3",
                "-c",
                script,
            ])
            .arg(&socket)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .output();
        let Ok(output) = output else {
            eprintln!("skipped: there is no setpriv");
            return;
        };
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            eprintln!("skipped: {}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        assert!(text.contains(expected), "{text}");
    };
    asks("no way in");
    for path in [fake.home.parent().expect("a parent"), &fake.home] {
        mode(path, 0o755);
    }
    asks("no way in");
    mode(&socket, 0o666);
    asks("403 Forbidden");
    asks("user 65534 may not use it");
}
