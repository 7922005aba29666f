//! The image under a classroom's strokes: in each export, at each moment, and by itself.

use super::*;
use crate::exchange::base64;
use resvg::tiny_skia::{Color, Pixmap, PremultipliedColorU8};

const STROKE: &str =
    r##"{"drawMode":true,"strokeColor":"#0000ff","strokeWidth":20,"paths":[{"x":100,"y":100},{"x":200,"y":100}]}"##;

const BOARD: &str = "/api/boards/5b%20maths";

/// A green image of 16 by 9 pixels, as a classroom sends it.
fn page() -> (Vec<u8>, String) {
    let mut pixmap = Pixmap::new(16, 9).unwrap();
    pixmap.fill(Color::from_rgba8(0, 255, 0, 255));
    let bytes = pixmap.encode_png().unwrap();
    let mut url = String::from("data:image/png;base64,");
    base64::encode_into(&bytes, &mut url);
    (bytes, url)
}

/// A classroom with a stroke, whose background is then set to each of these.
fn classroom(backgrounds: &[&str]) -> Server {
    let server = server();
    let mut rows = vec![format!(r#"{{"update":[[0,0,[{STROKE}]]]}}"#)];
    rows.extend(backgrounds.iter().map(|image| json!({ "background": image }).to_string()));
    record_classroom(&server, rows);
    server
}

async fn export(server: &Server, rest: &str) -> Answer {
    let answer = server.get(&format!("{BOARD}/{rest}kind=classroom"), Some("admin-token")).await;
    assert_eq!(answer.status, 200, "{rest}");
    answer
}

#[tokio::test]
async fn a_drawing_has_it_with_its_bytes() {
    let (_, url) = page();
    let server = classroom(&[&url]);
    let drawing = export(&server, "export.excalidraw?").await.json();
    let [image, stroke] = &drawing["elements"].as_array().unwrap()[..] else { panic!("{drawing}") };
    assert_eq!((&image["type"], &stroke["type"]), (&json!("image"), &json!("freedraw")));
    assert!(image["index"].as_str() < stroke["index"].as_str());
    let id = image["fileId"].as_str().unwrap();
    assert_eq!(drawing["files"][id]["dataURL"], url);
    assert_eq!(drawing["files"][id]["mimeType"], "image/png");
    let without = export(&server, "export.excalidraw?files=false&").await.json();
    assert_eq!((&without["elements"], &without["files"]), (&drawing["elements"], &json!({})));
    let before = export(&server, "export.excalidraw?seq=1&").await.json();
    assert_eq!((before["elements"].as_array().unwrap().len(), &before["files"]), (1, &json!({})));
    let moment = export(&server, "history/2?files=true&").await.json();
    assert_eq!(moment["files"], drawing["files"]);
}

#[tokio::test]
async fn pictures_show_it_beneath_the_strokes() {
    let (_, url) = page();
    let shapes = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 18'%3E\
                  %3Crect width='32' height='18' fill='lime'/%3E%3C/svg%3E";
    for (url, mark) in [(&*url, "href=\"data:image/png;base64,"), (shapes, "href=\"data:image/svg+xml;base64,")] {
        let server = classroom(&[url]);
        let text = String::from_utf8(export(&server, "export.svg?").await.bytes).unwrap();
        let (image, stroke) = (text.find("<use href=\"#image0\"").unwrap(), text.find("#0000ff").unwrap());
        assert!(text.contains(mark) && image < stroke, "{text}");

        let pixmap = Pixmap::decode_png(&export(&server, "export.png?padding=0&").await.bytes).unwrap();
        assert_eq!((pixmap.width(), pixmap.height()), (1280, 720), "as large as the paper");
        let colour = |x, y| {
            let pixel: PremultipliedColorU8 = pixmap.pixel(x, y).unwrap();
            [pixel.red(), pixel.green(), pixel.blue()]
        };
        for (x, y, expected) in
            [(5, 5, [0, 255, 0]), (1274, 714, [0, 255, 0]), (150, 100, [0, 0, 255]), (150, 130, [0, 255, 0])]
        {
            assert_eq!(colour(x, y), expected, "{x} {y}");
        }
    }
}

#[tokio::test]
async fn what_is_elsewhere_or_no_image_is_left_out() {
    for url in ["https://example.org/page.png", "//example.org/page.png", "data:image/png;base64,aGVsbG8=", ""] {
        let server = classroom(&[url]);
        let drawing = export(&server, "export.excalidraw?").await.json();
        assert_eq!((drawing["elements"].as_array().unwrap().len(), &drawing["files"]), (1, &json!({})), "{url}");
        let text = String::from_utf8(export(&server, "export.svg?").await.bytes).unwrap();
        assert!(!text.contains("example.org") && !text.contains("<image"), "{text}");
        assert_eq!(export(&server, "export.png?").await.status, 200);
    }
}

#[tokio::test]
async fn who_looks_gets_it_by_the_id_that_elements_name() {
    let (bytes, url) = page();
    let server = classroom(&["data:image/gif,GIF89a%05%00%05%00", &url]);
    let id = |drawing: &Value| drawing["elements"][0]["fileId"].as_str().unwrap().to_owned();
    let now = id(&export(&server, "export.excalidraw?").await.json());
    let before = id(&export(&server, "export.excalidraw?seq=2&").await.json());
    let path = |id: &str, kind: &str| format!("{BOARD}/files/{id}?kind={kind}");
    let answer = server.get(&path(&now, "classroom"), None).await;
    assert_eq!((answer.status, answer.bytes), (200, bytes));
    for (name, value) in [("content-type", "image/png"), ("x-content-type-options", "nosniff")] {
        assert_eq!(answer.headers[name], value);
    }
    assert!(answer.headers["content-security-policy"].to_str().unwrap().contains("sandbox"));
    let tag = answer.headers["etag"].to_str().unwrap();
    let again = server.send("GET", &path(&now, "classroom"), None, &[("if-none-match", tag)], Body::empty()).await;
    assert_eq!((again.status, again.bytes.len()), (304, 0));
    for (path, refusal) in [
        (path(&before, "classroom"), (404, "file")),
        (path("cat", "classroom"), (404, "file")),
        (path(&now, "canvas"), (404, "unknown-board")),
        (path(&now, "board"), (404, "unknown-board")),
        (format!("/api/boards/other/files/{now}?kind=classroom"), (404, "unknown-board")),
    ] {
        assert_eq!(server.get(&path, None).await.code(), (refusal.0, refusal.1.to_owned()), "{path}");
    }
    server.ask("DELETE", &format!("{BOARD}?kind=classroom"), Some("admin-token"), &Value::Null).await;
    assert_eq!(server.get(&path(&now, "classroom"), None).await.code(), (410, "deleted-board".into()));
}
