//! `embed vectors`: texts in, vectors out.

mod common;

use std::io::{BufRead, BufReader, Write};

use common::{embed, feed, model, spawn, stderr, text};

fn parse(line: &str) -> Vec<f32> {
    serde_json::from_str(line).expect("a JSON array of numbers")
}

fn lines_of(output: &std::process::Output) -> Vec<Vec<f32>> {
    std::str::from_utf8(&output.stdout).expect("UTF-8").lines().map(parse).collect()
}

#[test]
fn each_line_has_its_vector_in_order() {
    let words = |n: usize| format!("word{n} and some more words{}\n", n % 17);
    let input: String = (0..5000).map(words).collect();
    let together = feed(&mut embed(&["vectors"]), input.as_bytes());
    assert!(together.status.success());
    let together = lines_of(&together);
    assert_eq!(together.len(), 5000);
    for (number, vector) in together.iter().enumerate().step_by(997) {
        let alone = lines_of(&feed(&mut embed(&["vectors", "--workers", "1"]), words(number).as_bytes()));
        assert_eq!(alone, std::slice::from_ref(vector));
        let length: f32 = vector.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-4, "{length}");
    }
}

#[test]
fn a_line_is_answered_before_the_next_one_is_sent() {
    let mut child = spawn(&mut embed(&["vectors"]));
    let mut input = child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for round in 0..50 {
        writeln!(input, "round {round}").expect("the program reads");
        let answer = answers.next().expect("an answer").expect("UTF-8");
        assert_eq!(parse(&answer).len(), 256);
    }
    drop(input);
    assert!(answers.next().is_none());
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_pipe_that_closes_early_ends_it_quietly() {
    let mut child = spawn(&mut embed(&["vectors"]));
    let mut input = child.stdin.take().expect("a pipe");
    drop(child.stdout.take());
    // Without an end: the program must end by itself.
    while writeln!(input, "some words").is_ok() {}
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    let said = stderr(&output);
    assert!(said.lines().count() == 1 && said.contains("hashing"), "{said}");
}

#[test]
fn odd_lines() {
    let output = feed(&mut embed(&["vectors"]), b"\nwords\r\nwords\n. ;\ngr\xfc\xdfe words\nno line break");
    let vectors = lines_of(&output);
    assert_eq!(vectors.len(), 6);
    assert!(vectors[0].iter().chain(&vectors[3]).all(|&value| value == 0.0));
    assert_eq!(vectors[1], vectors[2]);
    let said = stderr(&output);
    assert!(said.contains("2 of 6 texts have no token: their vectors are zeros"), "{said}");
    assert!(said.contains("1 of 6 texts are no UTF-8"), "{said}");
    assert_eq!(lines_of(&feed(&mut embed(&["vectors"]), b"")).len(), 0);
}

/// `make.py` in the folder `agreement` says where the expected components come from. `vectors` takes a text a line, so
/// the texts with line breaks are given to the library.
#[test]
fn the_vectors_agree_with_those_of_the_python_package() {
    let Some(folder) = model() else { return };
    let data = |name: &str| {
        let path = format!("{}/tests/agreement/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("the data are committed")
    };
    let texts: Vec<String> = serde_json::from_str(&data("texts.json")).expect("an array of texts");
    let expected: Vec<Vec<f32>> = serde_json::from_str(&data("expected.json")).expect("an array of arrays");
    assert_eq!((texts.len(), expected.len()), (1000, 1000));
    let check = |number: usize, vector: &[f32]| {
        for (k, expected) in expected[number].iter().enumerate() {
            let component = vector[(7 * number + 37 * k) % 256];
            assert!((component - expected).abs() < 1e-3, "text {number}: {component}, not {expected}");
        }
    };

    let model = filch_embed::model::Model::load(&folder).expect("the model is whole");
    let mut scratch = filch_embed::model::Scratch::default();
    for (number, text) in texts.iter().enumerate() {
        let mut vector = vec![0.0; 256];
        let has_token = model.embed(text, &mut scratch, &mut vector).expect("a vector");
        assert_eq!(has_token, !text.is_empty());
        check(number, &vector);
    }

    let in_a_line: Vec<_> =
        texts.iter().enumerate().filter(|(_, text)| !text.contains('\n') && !text.ends_with('\r')).collect();
    assert!(in_a_line.len() > 800);
    let input: String = in_a_line.iter().flat_map(|(_, text)| [text.as_str(), "\n"]).collect();
    let output = feed(&mut embed(&["vectors", "--model", text(&folder)]), input.as_bytes());
    let vectors = lines_of(&output);
    assert_eq!(vectors.len(), in_a_line.len());
    for ((number, _), vector) in in_a_line.iter().zip(&vectors) {
        check(*number, vector);
    }
}
