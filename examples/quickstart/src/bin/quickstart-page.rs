//! A web page: answers every request with one line. `quickstart-page 127.0.0.1:8000`
//!
//! It knows nothing of abide. That is the point: any program can be guarded.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = TcpListener::bind(&address)?;
    println!("serving on http://{address}/");
    for connection in listener.incoming() {
        // A client that goes away in the middle is its own affair.
        if let Err(error) = connection.and_then(answer) {
            println!("a client went away: {error}");
        }
    }
    Ok(())
}

fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    let mut request = BufReader::new(connection.try_clone()?).lines();
    let first = request.next().transpose()?.unwrap_or_default();
    for line in request {
        if line?.is_empty() {
            break;
        }
    }
    println!("{first}");
    let page = format!("hello from process {}\n", std::process::id());
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
        page.len()
    )
}
