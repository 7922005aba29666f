use super::super::live::Why;
use super::*;
use std::sync::mpsc;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

struct Bench {
    _directory: tempfile::TempDir,
    accounts: Accounts,
    space: Arc<Space>,
}

fn bench(timeout: Duration) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), |sentence| panic!("{sentence}"), |_| {}).unwrap();
    let space = Arc::new(Space::default());
    Bench { accounts: Accounts::new(store, space.clone(), timeout, 300), _directory: directory, space }
}

impl Bench {
    async fn register(&self, name: &str) -> Result<Session, AccountError> {
        self.accounts.register(&format!("{name}@X.de"), name, "correct horse".into(), HERE).await
    }

    async fn user_of(&self, session: &Session) -> Option<i64> {
        self.accounts.session(vec![session.token.clone()]).await.ok().map(|session| session.user.id)
    }
}

#[tokio::test]
async fn who_registers_is_logged_in_and_comes_back_by_either_name() {
    let bench = bench(Duration::from_hours(24));
    let ann = bench.register("Ann").await.unwrap();
    assert_eq!(
        (ann.email.as_str(), &*ann.user.username, &*ann.user.color),
        ("ann@x.de", "Ann", color::of(ann.user.id))
    );
    assert_eq!(bench.user_of(&ann).await, Some(ann.user.id));
    for name in ["Ann", "ann@x.de", " ANN@x.DE "] {
        let again = bench.accounts.log_in(name, "correct horse".into(), HERE).await.unwrap();
        assert_eq!(again.user.id, ann.user.id);
        assert_ne!(again.token, ann.token, "a session of its own");
    }
    bench.accounts.set_color(ann.user.id, "#12aB34").await.unwrap();
    let known = bench.accounts.session(vec![Token::random().unwrap(), ann.token.clone()]).await.unwrap();
    assert_eq!((&*known.user.color, known.ends), ("#12aB34", ann.ends), "the first that is valid");
    bench.accounts.see(&ann.token).await;
    assert!(matches!(bench.accounts.set_color(ann.user.id, "red").await, Err(AccountError::Color)));
}

#[tokio::test]
async fn what_cannot_be_an_account_is_refused() {
    let bench = bench(Duration::from_hours(24));
    bench.register("Ann").await.unwrap();
    for (email, username, password, part) in [
        ("", "Bob", "12345678", "required"),
        ("b@x.de", "", "12345678", "required"),
        ("b@x.de", "Bob", "", "required"),
        ("b@x", "Bob", "12345678", "no e-mail address"),
        ("b@x.de", "B b", "12345678", "3 to 30"),
        ("b@x.de", "Bob", "1234567", "at least 8"),
        ("ANN@x.de", "Bob", "12345678", "already registered"),
        ("b@x.de", "ANN", "12345678", "already taken"),
    ] {
        let error = bench.accounts.register(email, username, password.into(), HERE).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn wrong_passwords_are_counted_and_right_ones_are_not() {
    let bench = bench(Duration::from_hours(24));
    bench.register("Ann").await.unwrap();
    let log_in = async |name: &str, password: &str| bench.accounts.log_in(name, password.into(), HERE).await;
    for _ in 0..=GUESSES {
        log_in("Ann", "correct horse").await.unwrap();
    }
    for name in ["Ann", "nobody"] {
        for _ in 0..GUESSES {
            assert!(matches!(log_in(name, "wrong horse").await, Err(AccountError::Credentials)), "{name}");
        }
    }
    assert!(matches!(log_in("ann", "correct horse").await, Err(AccountError::TooMany { wait }) if wait <= WINDOW));
    let elsewhere: IpAddr = "2001:db8::1".parse().unwrap();
    assert!(bench.accounts.log_in("Ann", "correct horse".into(), elsewhere).await.is_ok(), "nobody is locked out");
    assert!(matches!(log_in("", "x").await, Err(AccountError::Missing)));
}

#[tokio::test]
async fn sessions_end_by_logging_out_and_by_time() {
    let first = bench(Duration::from_hours(24));
    let (ann, bob) = (first.register("Ann").await.unwrap(), first.register("Bob").await.unwrap());
    let (told, ended) = mpsc::channel();
    let of = |session: &Session| {
        let (told, user) = (told.clone(), session.user.id);
        first
            .accounts
            .live
            .register(session.token.hash(), user, "plan".into(), move |why| told.send((user, why)).unwrap())
    };
    let _connections = [of(&ann), of(&bob)];
    assert!(first.accounts.log_out(vec![ann.token.clone()]).await.unwrap());
    assert_eq!(ended.try_iter().collect::<Vec<_>>(), [(ann.user.id, Why::LoggedOut)]);
    assert!(!first.accounts.log_out(vec![ann.token.clone()]).await.unwrap(), "once");
    assert_eq!((first.user_of(&ann).await, first.user_of(&bob).await), (None, Some(bob.user.id)));
    assert!(matches!(first.accounts.session(vec![]).await, Err(AccountError::NoSession)));

    let short = bench(Duration::ZERO);
    let ann = short.register("Ann").await.unwrap();
    while unix_ms() <= ann.ends {
        tokio::task::yield_now().await;
    }
    assert_eq!(short.user_of(&ann).await, None);
}

#[tokio::test]
async fn roles_are_given_by_owners_and_end_connections() {
    let bench = bench(Duration::from_hours(24));
    let (ann, bob) = (bench.register("Ann").await.unwrap().user.id, bench.register("Bob").await.unwrap().user.id);
    let accounts = &bench.accounts;
    assert_eq!(accounts.role("plan", ann).await.unwrap(), None);
    assert_eq!(accounts.open("plan", ann).await.unwrap(), Role::Owner);
    assert_eq!(accounts.open("plan", bob).await.unwrap(), Role::Editor);
    let (told, ended) = mpsc::channel();
    let _connection = accounts.live.register([0; 32], bob, "plan".into(), move |why| told.send(why).unwrap());
    accounts.set_role("plan", ann, "Bob", Some(Role::Viewer)).await.unwrap();
    assert_eq!(ended.try_iter().collect::<Vec<_>>(), [Why::RoleChanged]);
    assert_eq!(accounts.open("plan", bob).await.unwrap(), Role::Viewer);
    assert_eq!(accounts.roles("plan").await.unwrap().len(), 2);
    for (canvas, by, name, part) in [
        ("plan", bob, "Ann", "Only an owner"),
        ("plan", ann, "Ann", "needs an owner"),
        ("plan", ann, "Eve", "nobody of that name"),
        ("other", ann, "Bob", "no such canvas"),
    ] {
        let error = accounts.set_role(canvas, by, name, None).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn an_ipv6_network_counts_as_one() {
    for (one, other, same) in [
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("2001:db8::1", "2001:db8::ffff:1", true),
        ("2001:db8::1", "2001:db8:0:1::1", false),
    ] {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network(one) == network(other), same, "{one} {other}");
    }
}

#[tokio::test]
async fn a_full_disk_changes_nobody_and_lets_everybody_in_and_out() {
    let bench = bench(Duration::from_hours(24));
    let ann = bench.register("ann").await.unwrap();
    bench.register("bob").await.unwrap();
    bench.accounts.open("art", ann.user.id).await.unwrap();
    bench.space.measured(1, 1000);
    let full = |refused: Option<AccountError>| matches!(refused, Some(AccountError::DiskFull));
    assert!(full(bench.register("carl").await.err()));
    assert!(full(bench.accounts.set_color(ann.user.id, "#123456").await.err()));
    assert!(full(bench.accounts.set_role("art", ann.user.id, "bob", Some(Role::Viewer)).await.err()));
    assert_eq!(bench.accounts.roles("art").await.unwrap().len(), 1);

    let again = bench.accounts.log_in("ann", "correct horse".into(), HERE).await.unwrap();
    assert_eq!(bench.user_of(&again).await, Some(ann.user.id));
    assert!(bench.accounts.log_out(vec![again.token.clone()]).await.unwrap());
    assert_eq!(bench.user_of(&again).await, None);

    bench.space.measured(500, 1000);
    bench.register("carl").await.unwrap();
    bench.accounts.set_role("art", ann.user.id, "bob", Some(Role::Viewer)).await.unwrap();
}
