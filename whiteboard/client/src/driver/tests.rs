use super::*;
use crate::element::Element;
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;

const PATIENCE: Duration = Duration::from_secs(10);

const WELCOME: &str = r#"{"t":"welcome","v":1,"client":1,"user":"u","role":"teacher","epoch":"e","seq":0,"board":{"id":"b","kind":"board","settings":{}},"locked":false,"quiz":false,"undo":0,"redo":0,"last":0,"limits":{},"people":[],"drafts":[],"resume":false}"#;
const SNAPSHOT: &str = r#"{"t":"snapshot","seq":0,"elements":[],"more":false}"#;

/// A server that does what a test says.
struct Server {
    listener: TcpListener,
}

/// One connection that it took.
struct Connection(WebSocketStream<TcpStream>);

impl Server {
    async fn start() -> (Self, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/boards/b/live", listener.local_addr().unwrap());
        let config = Config { first_delay: Duration::from_millis(1), ..Config::new(url, Identity::default(), 7) };
        (Self { listener }, Client::start(config))
    }

    /// Takes the next connection and reads its hello.
    async fn hello(&self) -> (Connection, String) {
        let (stream, _) = timeout(PATIENCE, self.listener.accept()).await.expect("a client").unwrap();
        let mut connection = Connection(accept_async(stream).await.unwrap());
        let hello = connection.text().await;
        (connection, hello)
    }
}

impl Connection {
    async fn text(&mut self) -> String {
        let message = timeout(PATIENCE, self.0.next()).await.expect("a message").unwrap().unwrap();
        message.into_text().unwrap().to_string()
    }

    async fn say(&mut self, texts: &[&str]) {
        for text in texts {
            self.0.send(Message::text(*text)).await.unwrap();
        }
    }

    async fn close(mut self, code: u16, reason: &'static str) {
        self.0.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await.unwrap();
    }
}

fn draw(client: &Client) -> u64 {
    client.ask(|_| Request::change(vec![Element::parse(r#"{"id":"a","version":1,"versionNonce":1}"#).unwrap()]))
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_what_waits_is_sent_again() {
    let (server, client) = Server::start().await;
    let (mut connection, hello) = server.hello().await;
    assert!(!hello.contains("seq"));
    connection.say(&[WELCOME, SNAPSHOT]).await;
    client.settled().await.unwrap();
    draw(&client);
    let asked = connection.text().await;
    assert!(asked.contains(r#""id":1,"#), "{asked}");
    client.cut();
    let (mut connection, hello) = server.hello().await;
    assert!(hello.contains(r#""epoch":"e""#) && hello.contains(r#""seq":0"#), "{hello}");
    connection.say(&[&WELCOME.replace(r#""resume":false"#, r#""resume":true"#)]).await;
    assert_eq!(connection.text().await, asked);
    connection.say(&[r#"{"t":"ack","id":1,"seq":1,"undo":1,"redo":0}"#]).await;
    client.settled().await.unwrap();
    assert_eq!(client.look(|state| state.elements().len()), 1);
    assert_eq!(client.ended(), None);
}

#[tokio::test]
async fn what_is_volatile_is_forgotten_without_a_connection() {
    let (server, client) = Server::start().await;
    client.say("lost");
    let (mut connection, _) = server.hello().await;
    connection.say(&[WELCOME, SNAPSHOT]).await;
    client.settled().await.unwrap();
    client.say("sent");
    assert_eq!(connection.text().await, "sent");
}

#[tokio::test]
async fn from_4400_on_a_client_does_not_come_back() {
    let (server, client) = Server::start().await;
    let (connection, _) = server.hello().await;
    connection.close(4401, "no").await;
    let ended = timeout(PATIENCE, client.settled()).await.expect("an end").unwrap_err();
    assert_eq!(ended, Ended { code: 4401, reason: "no".into() });
    assert_eq!(client.ended(), Some(ended));
}

#[tokio::test]
async fn a_server_that_restarts_is_come_back_to() {
    let (server, client) = Server::start().await;
    client.record();
    let (mut connection, _) = server.hello().await;
    connection.say(&[WELCOME, SNAPSHOT, r#"{"t":"error","code":"stopping","message":"Later.","retry":1}"#]).await;
    connection.close(1012, "restart").await;
    let (mut connection, _) = server.hello().await;
    connection.say(&["nonsense"]).await;
    server.hello().await;
    assert_eq!(
        client.happenings(),
        [
            Happening::Welcomed { resumed: false },
            Happening::Changed,
            Happening::Refused { id: None, code: "stopping".into(), message: "Later.".into(), retry: Some(1) }
        ]
    );
}
