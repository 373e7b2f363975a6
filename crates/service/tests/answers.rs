//! Answers over a real socket: the numbers of the library in every form of a request.

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{NAMES, TEMPLATE, bytes_of, example, form, served, start};
use promptsrc::calibration::{
    Calibration, CalibrationImages, CalibrationOptions, CalibrationSubject, DataOfCalibration,
    LabelledLogits, Wanted,
};
use promptsrc::{Classes, Classifier, Clip, Parts, TrainedImages};
use promptsrc_clip::values;
use promptsrc_service::{Bounds, OPENAPI, ROUTES};
use serde_json::{Value, json};

const IMAGES: [&str; 3] = ["red_circle_01", "yellow_star_12", "blue_square_03"];

/// Names and probabilities, as `predict` has them.
type Top = Vec<(String, u32)>;

fn expected(names: &[&str], image: &str, k: usize) -> Top {
    let served = served();
    let classifier = Classifier::zero_shot(&served.clip, names, &[TEMPLATE]).expect("a classifier");
    let found = classifier.predict(&[example(image)]).expect("a prediction");
    let top = found[0].top(k).iter();
    top.map(|(name, p)| (name.clone(), p.to_bits())).collect()
}

fn answered(prediction: &Value) -> Top {
    let top = prediction["top"].as_array().expect("a list");
    let named = |named: &Value| {
        let probability: f32 = named["probability"].to_string().parse().expect("a number");
        let name = named["name"].as_str().expect("a name").to_string();
        (name, probability.to_bits())
    };
    top.iter().map(named).collect()
}

fn encoded(images: &[&str]) -> Vec<Value> {
    let image = |name: &&str| json!({"name": format!("{name}.jpg"), "data": STANDARD.encode(bytes_of(name))});
    images.iter().map(image).collect()
}

#[test]
fn every_form_of_a_request_has_the_numbers_of_predict() {
    let service = start(Bounds::default());
    let own: Vec<Top> = IMAGES
        .iter()
        .map(|image| expected(&NAMES, image, 5))
        .collect();
    let others = ["a star, yellow", "teapot", "house"];
    let two: Vec<Top> = IMAGES
        .iter()
        .map(|image| expected(&others, image, 2))
        .collect();

    // JSON, once with the names of the model and once with others.
    let body = json!({"images": encoded(&IMAGES)}).to_string();
    let found = service.post("/v1/predict", "application/json", body.as_bytes());
    assert_eq!(found.status, 200, "{found:?}");
    let found = found.json();
    assert_eq!(found["model"]["method"], "zero-shot");
    assert_eq!(found["model"]["clip"], "mini");
    let predictions = found["predictions"].as_array().expect("a list");
    assert_eq!(predictions.len(), IMAGES.len());
    for ((prediction, name), own) in predictions.iter().zip(IMAGES).zip(&own) {
        assert_eq!(prediction["image"], format!("{name}.jpg"));
        assert_eq!(answered(prediction), *own);
    }
    let body = json!({"images": encoded(&IMAGES), "names": others, "top_k": 2}).to_string();
    let found = service
        .post("/v1/predict", "application/json", body.as_bytes())
        .json();
    for (place, two) in two.iter().enumerate() {
        assert_eq!(answered(&found["predictions"][place]), *two);
    }

    // A form, with names as lines and as JSON.
    let [first, second, third] = IMAGES.map(bytes_of);
    let lines = others.join("\n");
    let list = json!(others).to_string();
    for names in [lines, list] {
        let (media_type, body) = form(&[
            ("image", Some("first.jpg"), &first),
            ("names", None, names.as_bytes()),
            ("image", None, &second),
            ("top_k", None, b"2"),
            ("image", Some("third.jpg"), &third),
        ]);
        let found = service.post("/v1/predict", &media_type, &body).json();
        assert_eq!(found["predictions"][1]["image"], "image 2");
        for (place, two) in two.iter().enumerate() {
            assert_eq!(answered(&found["predictions"][place]), *two);
        }
    }

    // The bytes alone.
    for media_type in ["image/jpeg", "application/octet-stream", "image/anything"] {
        let path = "/v1/predict?names=a%20star,%20yellow&names=teapot%0Ahouse&top_k=2";
        let found = service.post(path, media_type, &first).json();
        assert_eq!(answered(&found["predictions"][0]), two[0]);
        let found = service.post("/v1/predict", media_type, &first).json();
        assert_eq!(answered(&found["predictions"][0]), own[0]);
    }
    assert!(service.stopped());
}

#[test]
fn features_are_those_of_the_frozen_towers() {
    let service = start(Bounds::default());
    let body = json!({"images": encoded(&IMAGES), "texts": ["a photo of a cat.", "x"]});
    let found = service.post("/v1/embed", "application/json", body.to_string().as_bytes());
    assert_eq!(found.status, 200, "{found:?}");
    let found = found.json();
    let clip = Clip::open("mini").expect("a CLIP");
    let mut images = Vec::new();
    for name in IMAGES {
        let image = promptsrc::open_image(example(name), &Default::default()).expect("an image");
        images.extend(clip.preprocess().apply(&image).expect("an input"));
    }
    let images = clip.vision().images(images, IMAGES.len());
    let expected = values(clip.image_features(images));
    let numbers = |feature: &Value| -> Vec<u32> {
        let numbers = feature["feature"].as_array().expect("a list").iter();
        let bits = |n: &Value| n.to_string().parse::<f32>().expect("a number").to_bits();
        numbers.map(bits).collect()
    };
    let width = clip.config().embed_dim;
    assert_eq!(found["embed_dim"], width);
    let list = found["images"].as_array().expect("a list");
    for (feature, row) in list.iter().zip(expected.chunks(width)) {
        let row: Vec<u32> = row.iter().map(|v| v.to_bits()).collect();
        assert_eq!(numbers(feature), row);
    }
    let length = clip.text().context_length();
    let tokens = ["a photo of a cat.", "x"].map(|text| {
        let tokens = clip.tokenizer().tokenize(text, length, false);
        tokens.expect("tokens")
    });
    let expected = values(clip.text().encode(&tokens).expect("features"));
    let list = found["texts"].as_array().expect("a list");
    assert_eq!(list[0]["text"], "a photo of a cat.");
    for (feature, row) in list.iter().zip(expected.chunks(width)) {
        let row: Vec<u32> = row.iter().map(|v| v.to_bits()).collect();
        assert_eq!(numbers(feature), row);
    }
}

#[test]
fn requests_at_the_same_time_become_one_batch_and_keep_their_numbers() {
    let service = start(Bounds {
        batch_delay: std::time::Duration::from_millis(200),
        ..Bounds::default()
    });
    let clients = 8;
    let others = ["teapot", "house"];
    let expected: Vec<[Top; 2]> = IMAGES
        .iter()
        .map(|image| [expected(&NAMES, image, 5), expected(&others, image, 5)])
        .collect();
    std::thread::scope(|threads| {
        for client in 0..clients {
            let (service, expected) = (&service, &expected);
            threads.spawn(move || {
                let place = client % IMAGES.len();
                let has_names = client % 2;
                let path = ["/v1/predict", "/v1/predict?names=teapot%0Ahouse"][has_names];
                let found = service.post(path, "image/jpeg", &bytes_of(IMAGES[place]));
                assert_eq!(found.status, 200, "{found:?}");
                let found = answered(&found.json()["predictions"][0]);
                assert_eq!(found, expected[place][has_names]);
            });
        }
    });
    let batches = service.metric("promptsrc_batch_requests_count");
    let requests = service.metric("promptsrc_batch_requests_sum");
    assert_eq!(requests, f64::from(clients as u32));
    assert!(
        batches < requests,
        "{requests} requests in {batches} batches"
    );
    assert_eq!(service.metric("promptsrc_images_total"), requests);
    assert_eq!(service.metric("promptsrc_queued_images"), 0.0);
    let misses = service.metric("promptsrc_class_lists_total{result=\"miss\"}");
    let hits = service.metric("promptsrc_class_lists_total{result=\"hit\"}");
    assert_eq!((misses, misses + hits), (1.0, 4.0));
}

#[test]
fn an_image_that_cannot_be_read_is_named_and_fails_the_request_unless_it_may_not() {
    let service = start(Bounds::default());
    let good = bytes_of(IMAGES[0]);
    let cut = &good[..good.len() / 2];
    let form_of = |allow: &[u8]| {
        form(&[
            ("image", Some("good.jpg"), &good),
            ("image", Some("cut.jpg"), cut),
            ("image", Some("text.jpg"), b"no image"),
            ("allow_unreadable", None, allow),
        ])
    };
    let (media_type, body) = form_of(b"false");
    let found = service.post("/v1/predict", &media_type, &body);
    found.refuses(422, "image_truncated");
    let images = found.json()["error"]["images"].clone();
    assert_eq!(images[0]["image"], "cut.jpg");
    assert_eq!(images[1]["error"]["code"], "image_format");
    let (media_type, body) = form_of(b"true");
    let found = service.post("/v1/predict", &media_type, &body);
    assert_eq!(found.status, 200, "{found:?}");
    let found = found.json();
    assert_eq!(
        answered(&found["predictions"][0]),
        expected(&NAMES, IMAGES[0], 5)
    );
    assert_eq!(found["predictions"][1]["error"]["code"], "image_truncated");
    assert_eq!(found["predictions"][2]["image"], "text.jpg");
    let found = service.post("/v1/embed", &media_type, &body).json();
    assert!(found["images"][0]["feature"].is_array());
    assert_eq!(found["images"][2]["error"]["code"], "image_format");
    // None at all is a failure in any case.
    let (media_type, body) = form(&[
        ("image", Some("cut.jpg"), cut),
        ("allow_unreadable", None, b"true"),
    ]);
    let found = service.post("/v1/predict", &media_type, &body);
    found.refuses(422, "image_truncated");
}

#[test]
fn the_description_of_the_interface_has_the_routes_and_they_answer() {
    let document: Value = serde_json::from_str(OPENAPI).expect("JSON");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let paths = document["paths"].as_object().expect("paths");
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            described.push((method.to_ascii_uppercase(), path.clone()));
        }
    }
    described.sort();
    let mut routes = ROUTES.map(|(method, path)| (method.to_string(), path.to_string()));
    routes.sort();
    assert_eq!(described, routes);

    let service = start(Bounds::default());
    let image = bytes_of(IMAGES[0]);
    for (method, path) in ROUTES {
        let found = match method {
            "GET" => service.get(path),
            _ => service.post(path, "image/jpeg", &image),
        };
        assert_eq!(found.status, 200, "{path}: {found:?}");
        found.names_no_file();
        for header in [
            "x-content-type-options: nosniff",
            "default-src 'none'",
            "no-store",
        ] {
            assert!(
                found.headers.contains(header),
                "{path}: {header} in {found:?}"
            );
        }
        let content = &paths[path][method.to_ascii_lowercase()]["responses"]["200"]["content"];
        let (media_type, content) = content
            .as_object()
            .and_then(|c| c.iter().next())
            .expect("a type");
        let line = format!("content-type: {media_type}");
        assert!(found.headers.contains(&line), "{path}: {line} in {found:?}");
        if media_type == "application/json" {
            has_the_form_of(&found.json(), &content["schema"], &document, path);
        }
        // As GET, but for the body.
        if method == "GET" {
            let head = service.request("HEAD", path, &[], b"");
            assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        }
    }
    let refused = service.get("/nothing");
    let schema = &document["components"]["schemas"]["Error"];
    has_the_form_of(&refused.json(), schema, &document, "an error");
}

/// Fails unless a value is what a schema says: no key that it does not have, every key that it requires.
fn has_the_form_of(value: &Value, schema: &Value, document: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').expect("a pointer");
        let schema = document.pointer(pointer).expect("a schema");
        return has_the_form_of(value, schema, document, place);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        // Those of this document differ in their required keys.
        let fits = |schema: &&Value| {
            let reference = schema["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
            let schema = reference
                .and_then(|r| document.pointer(r))
                .unwrap_or(schema);
            let required = schema["required"].as_array().expect("required keys");
            required
                .iter()
                .all(|key| value.get(key.as_str().unwrap_or_default()).is_some())
        };
        let schema = any.iter().find(fits);
        let schema = schema.unwrap_or_else(|| panic!("{place}: {value}"));
        return has_the_form_of(value, schema, document, place);
    }
    match schema["type"].as_str() {
        Some("object") => {
            let object = value
                .as_object()
                .unwrap_or_else(|| panic!("{place}: {value}"));
            let Some(properties) = schema["properties"].as_object() else {
                return;
            };
            for key in schema["required"].as_array().into_iter().flatten() {
                let key = key.as_str().expect("a key");
                assert!(object.contains_key(key), "{place}: no {key} in {value}");
            }
            for (key, value) in object {
                let schema = properties.get(key);
                let schema = schema.unwrap_or_else(|| panic!("{place}: {key} is not described"));
                has_the_form_of(value, schema, document, &format!("{place}.{key}"));
            }
        }
        Some("array") => {
            let list = value
                .as_array()
                .unwrap_or_else(|| panic!("{place}: {value}"));
            for value in list {
                has_the_form_of(value, &schema["items"], document, &format!("{place}[]"));
            }
        }
        Some("string") => assert!(value.is_string(), "{place}: {value}"),
        Some("number") => assert!(value.is_number(), "{place}: {value}"),
        Some("integer") => assert!(value.is_u64(), "{place}: {value}"),
        Some("boolean") => assert!(value.is_boolean(), "{place}: {value}"),
        other => panic!("{place}: type {other:?}"),
    }
}

/// A calibration of the served model from all example images, each class shown under its own name.
fn calibration() -> Calibration {
    let served = served();
    let classifier =
        Classifier::zero_shot(&served.clip, &NAMES, &[TEMPLATE]).expect("a classifier");
    let mut logits = LabelledLogits::new(NAMES.len());
    for (label, name) in NAMES.iter().enumerate() {
        let images: Vec<_> = (1..=12)
            .map(|n| example(&format!("{}_{n:02}", name.replace(' ', "_"))))
            .collect();
        for prediction in classifier.predict(&images).expect("predictions") {
            logits.push(label, &prediction.logits).expect("numbers");
        }
    }
    let hashes: Vec<u64> = (0..logits.len() as u64).collect();
    let data = DataOfCalibration {
        name: "examples".to_string(),
        part: Parts::All,
        classes: Classes::All,
        images: logits.len(),
        trained_on: 0,
        unreadable: 0,
        exif: false,
        hashes: TrainedImages::with_hashes(hashes.clone()),
    };
    let images = CalibrationImages {
        logits: &logits,
        logit_scale: served.clip.logit_scale(),
        hashes: &hashes,
        data,
    };
    let subject = CalibrationSubject::zero_shot(&served.clip, &NAMES, &[TEMPLATE]);
    Calibration::fit(subject, images, &CalibrationOptions::default()).expect("a calibration")
}

#[test]
fn sets_and_unknown_classes_are_those_of_the_calibration_and_what_it_cannot_promise_is_said() {
    let calibration = std::sync::Arc::new(calibration());
    let with = calibration.clone();
    let service = common::start_serving(move || promptsrc_service::Served {
        calibration: Some(with),
        ..served()
    });
    let logits = {
        let served = served();
        let classifier =
            Classifier::zero_shot(&served.clip, &NAMES, &[TEMPLATE]).expect("a classifier");
        let images = IMAGES.map(example);
        let found = classifier.predict(&images).expect("predictions");
        found.into_iter().map(|of| of.logits).collect::<Vec<_>>()
    };
    let ask = |more: Value| {
        let mut body = json!({"images": encoded(&IMAGES)});
        body.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        service.post(
            "/v1/predict",
            "application/json",
            body.to_string().as_bytes(),
        )
    };
    // Of 48 images, 47 are enough for 95 % and not for 99 %.
    for (coverage, is_enough) in [(0.8, true), (0.95, true), (0.99, false)] {
        let answer = ask(json!({"coverage": coverage, "sets": "lac", "unknown": true}));
        assert_eq!(answer.status, 200, "{answer:?}");
        let found = answer.json();
        let wanted = Wanted {
            coverage: Some(coverage),
            sets: Some(promptsrc::calibration::SetMethod::Lac),
            unknown: true,
        };
        for (place, logits) in logits.iter().enumerate() {
            let expected = calibration.answer(logits, &wanted).expect("an answer");
            let prediction = &found["predictions"][place];
            let set = prediction["set"].as_array().expect("a set");
            let set: Vec<&str> = set
                .iter()
                .map(|of| of["name"].as_str().expect("a name"))
                .collect();
            let named: Vec<&str> = expected
                .set
                .expect("a set")
                .iter()
                .map(|of| NAMES[*of])
                .collect();
            assert_eq!(set, named);
            let promise = json!({"sets": "lac", "coverage": coverage, "class_conditional": false});
            assert_eq!(prediction["promise"], promise);
            let unknown = expected.unknown.expect("a verdict");
            assert_eq!(prediction["unknown"]["unknown"], unknown.unknown);
            assert_eq!(prediction["unknown"]["threshold"], unknown.threshold);
        }
        let notes = found["notes"].as_array().map_or(0, Vec::len);
        assert_eq!(notes, usize::from(!is_enough), "{found}");
    }
    for coverage in [0.0, 1.0, -0.5] {
        let refused = ask(json!({"coverage": coverage}));
        assert_eq!(refused.status, 422, "{refused:?}");
        let message = refused.json()["error"]["message"].to_string();
        assert!(message.contains("coverage: "), "{message}");
    }
    // It promises nothing of other names.
    let other = ask(json!({"coverage": 0.9, "names": ["teapot", "house"]}));
    assert_eq!(other.status, 422, "{other:?}");
}
