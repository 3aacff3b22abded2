//! The end of a connection.

use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, with_timeout};

/// How long a closed connection is given to say goodbye.
const GOODBYE_LIMIT: Duration = Duration::from_millis(300);

/// Closes, and makes the socket fit to listen again.
pub(crate) async fn say_goodbye(socket: &mut TcpSocket<'_>) {
    socket.close();
    let mut rest = [0; 64];
    let goodbye = async {
        let _ = socket.flush().await;
        // A reset would take from the client what it has not read yet, so wait for its own end.
        while matches!(socket.read(&mut rest).await, Ok(1..)) {}
    };
    let _ = with_timeout(GOODBYE_LIMIT, goodbye).await;
    socket.abort();
    let _ = with_timeout(GOODBYE_LIMIT, socket.flush()).await;
}
